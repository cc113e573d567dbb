"""The rule on what has parts of the notebook's own: Kale loads it before they exist."""

import ast
from collections.abc import Iterable, Iterator

from fastkf.notebook.check.attributes import code_of
from fastkf.notebook.check.calls import KERAS_BUILT, NUMPY, PANDAS, SKLEARN
from fastkf.notebook.check.finding import Found, Rule
from fastkf.notebook.check.flow import shared_cells
from fastkf.notebook.check.held import GIVE_THEMSELVES, KEEP_FUNCTIONS, Held, values_once
from fastkf.notebook.check.kinds import Kinds
from fastkf.notebook.check.mutations import functions_of
from fastkf.notebook.check.objects import is_taken, kinds_around, passed_on, values_of
from fastkf.notebook.check.once import once
from fastkf.notebook.check.steps import is_understood
from fastkf.notebook.model import Notebook
from fastkf.notebook.names import last_part

NO_PARTS = ("callbacks",)  # of Keras: what a model does not keep
WORDS = ("loss", "metrics", "activation", "kernel_initializer", "kernel_regularizer")
DEEP = 20  # names in names: none is followed for ever
LOADED_BY_THEMSELVES = {PANDAS, NUMPY, SKLEARN}  # without dill


def own_part(notebook: Notebook) -> Found:
    """An object with a layer, function or class of the notebook's own, which no step can load."""
    if not is_understood(notebook):
        return
    yield from keras_models(notebook)
    yield from estimators(notebook)
    yield from objects_of_step(notebook)
    yield from endless_objects(notebook)


def keras_models(notebook: Notebook) -> Found:
    kinds, shared = Kinds(notebook), shared_cells(notebook)
    own, makers = own_classes(notebook, kinds), makers_in(notebook)
    told: set[str] = set()
    for step, name, cell in passed_on(notebook):
        maker = makers.get(name, "")
        is_model = "keras." in maker and maker.endswith(KERAS_BUILT)
        if not is_taken(notebook, name) or name in told or not (is_model or maker in own):
            continue
        nodes = [code.node for code in code_of(notebook.steps[step.name], shared)]
        parts = list(_own_parts(nodes, own, {*functions_of(notebook)}, kinds))
        if parts:
            told.add(name)
            yield (
                cell,
                f"the Keras model `{name}` has {parts[0]}, and Kale loads it in another step "
                "before any cell there runs",
                f"pass on its weights, `{name}.get_weights()`, and build the model in the step "
                "that uses it",
            )


@once
def makers_in(notebook: Notebook) -> dict[str, str]:
    """The variables of a notebook with the classes that they were made by last."""
    kinds = Kinds(notebook)
    makers: dict[str, str] = {}
    for cell in notebook.code_cells:
        kinds.read(cell.tree)
        makers |= {
            name: maker
            for name in cell.names.bound
            if (maker := kinds.maker_of(ast.Name(name, ast.Load())))
        }
    return makers


def own_classes(notebook: Notebook, kinds: Kinds) -> set[str]:
    """The classes of a notebook that are parts of a Keras model, or such models."""
    nodes = (n for c in notebook.code_cells for n in c.statements)
    found: set[str] = set()
    for node in (one for one in nodes if isinstance(one, ast.ClassDef)):
        for words in [kinds.full_name(base).split(".") for base in node.bases]:
            is_part = "keras" in words[:2] and not {*words} & {*NO_PARTS}
            if is_part or words[-1] in found:
                found.add(node.name)
    return found


def _own_parts(
    nodes: Iterable[ast.AST], own: set[str], functions: set[str], kinds: Kinds
) -> Iterator[str]:
    compiled: list[ast.Call] = []
    for node in (one for one in nodes if isinstance(one, ast.Call)):
        name = kinds.full_name(node.func)
        if name in own:
            yield f"a part of the class `{name}`"
        elif "keras." in name and name.endswith("layers.Lambda"):
            yield "a Lambda layer"
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "compile":
            compiled.append(node)
        elif "keras." in name:
            yield from _functions_given(node, functions)
    for call in compiled[-1:]:
        yield from _functions_given(call, functions)


def _functions_given(call: ast.Call, functions: set[str]) -> Iterator[str]:
    for word in call.keywords:
        names = [one.id for one in ast.walk(word.value) if isinstance(one, ast.Name)]
        if word.arg in WORDS:
            yield from (f"the function `{name}` in it" for name in names if name in functions)


def estimators(notebook: Notebook) -> Found:
    """Of scikit-learn, saved by joblib: it knows no lambda, and functions only by their names."""
    around, functions = kinds_around(notebook), {*functions_of(notebook)}
    for step, name, cell in passed_on(notebook):
        before, after = around[step.name]
        is_sure = {before.get(one) for one in step.ins} <= LOADED_BY_THEMSELVES
        if not is_taken(notebook, name) or not is_sure or after.get(name) != SKLEARN:
            continue
        made = {one: value for one, value in values_once(notebook).items() if one not in step.ins}
        found = (_held_code(value, functions, made) for value in values_of(cell, name))
        parts = [part for one in found for part in one]
        if parts:
            yield (
                cell,
                f"`{name}` holds {parts[0]}, which joblib does not save with an object of "
                "scikit-learn",
                "make it in the step that uses it, or do to the data what the function does",
            )


def objects_of_step(notebook: Notebook) -> Found:
    """Of a class that a step defines: no other step has it when it loads the object."""
    around = kinds_around(notebook)
    for step, name, cell in passed_on(notebook):
        held = Held(notebook.steps[step.name], notebook)
        made = sorted({one for value in values_of(cell, name) for one in held.by(value)})
        is_estimator = around[step.name].after.get(name) == SKLEARN
        found = [one for one in made if is_estimator or held.cannot_load(one)]
        if found and is_taken(notebook, name):
            yield (
                cell,
                f"`{name}` holds a `{found[0]}`, a class of step `{step.name}`, which no other "
                "step has when Kale loads it there",
                f"pass on plain values, or make the `{found[0]}` in the step that uses it",
            )


def endless_objects(notebook: Notebook) -> Found:
    """Of a class whose `__getattr__` needs an attribute that is not there yet when it is loaded."""
    shared = Held(shared_cells(notebook), notebook)
    for step, name, cell in passed_on(notebook):
        for held in (shared, Held(notebook.steps[step.name], notebook)):
            made = sorted({one for value in values_of(cell, name) for one in held.by(value)})
            for one in made if is_taken(notebook, name) else ():
                if asked := held.asks_without_end(one):
                    yield (
                        cell,
                        f"`{name}` is a `{one}`, whose `__getattr__` asks for `self.{asked}`, and "
                        "so for ever calls itself when another step loads it, before that is there",
                        "let `__getattr__` raise AttributeError for names that begin with `_`",
                    )


def _held_code(
    value: ast.expr, functions: set[str], values: dict[str, ast.expr], depth: int = 0
) -> Iterator[str]:
    """The lambdas and functions that an object keeps, by itself or in what it is made of."""
    inner: list[ast.expr] = []
    match value:
        case ast.Lambda():
            yield "a lambda"
        case ast.Name(id=name) if name in functions:
            yield f"the function `{name}`"
        case ast.Name(id=name) if name in values and depth < DEEP:
            inner = [values[name]]
        case ast.Call(func=ast.Attribute(value=of, attr=method)) if method in GIVE_THEMSELVES:
            inner = [of]
        case ast.Call(func=func, args=given, keywords=words) if _keeps(last_part(func)):
            inner = [*given, *(word.value for word in words)]
        case (
            ast.List()
            | ast.Tuple()
            | ast.Starred()
            | ast.Dict()
            | ast.ListComp()
            | ast.BinOp()
            | ast.IfExp()
        ):
            inner = [one for one in ast.iter_child_nodes(value) if isinstance(one, ast.expr)]
    for one in inner:
        yield from _held_code(one, functions, values, depth + 1)


def _keeps(name: str) -> bool:
    """Whether a call gives an object that keeps what it is given, and does not only use it."""
    return name[:1].isupper() or name.startswith("make_") or name in KEEP_FUNCTIONS


RULES = (Rule(own_part),)
