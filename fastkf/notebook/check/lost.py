"""The rule on what Kale does not save of an object: attributes that the notebook has given it."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from fastkf.notebook.check.calls import KERAS_MODELS
from fastkf.notebook.check.finding import Found, Rule
from fastkf.notebook.check.flow import find_use, shared_cells
from fastkf.notebook.check.held import Held, values_once
from fastkf.notebook.check.kinds import full_name, imported_names
from fastkf.notebook.check.mutations import functions_of, values_for
from fastkf.notebook.check.objects import values_of
from fastkf.notebook.check.own_parts import makers_in
from fastkf.notebook.check.steps import is_above, is_understood
from fastkf.notebook.check.tables import KEEP_NAMES
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import is_name, is_text, last_part

TABLES = ("pandas.DataFrame", "pandas.get_dummies", "pandas.merge", "pandas.json_normalize")
KEPT = {
    "the table": ("columns", "index", "attrs", "flags"),
    "the model": ("trainable", "optimizer", "name", "stop_training", "jit_compile"),
}
INSTEAD = {
    "the table": "keep it in `{name}.attrs`, which goes with it, or in a variable of its own",
    "the model": "pass it on in a variable of its own",
    "the array": "pass a plain array on, and the rest in variables of their own",
}


class Lost(NamedTuple):
    """An attribute that a variable has in one step, and in no other.

    Attributes:
        of: what Kale saves of the object.
    """

    attribute: str
    of: str


def lost_attribute(notebook: Notebook) -> Found:
    """An attribute given to a table, an array or a model, which Kale does not save with it."""
    if not is_understood(notebook):
        return
    objects = Objects(notebook)
    told: set[tuple[str, str]] = set()
    for step in notebook.pipeline.steps:
        for name in step.outs:
            for lost in objects.lost_by(step.name, name):
                below = [s for s in notebook.sources if is_above(notebook, step.name, s)]
                users = [
                    s
                    for s in below
                    if name in notebook.sources[s] and _asks(notebook, s, name, lost.attribute)
                ]
                if users and (name, lost.attribute) not in told:
                    told.add((name, lost.attribute))
                    yield (
                        find_use(notebook.steps[users[0]], name),
                        f"`{name}.{lost.attribute}` is of step `{step.name}`: Kale saves "
                        f"{lost.of} without it, and step `{users[0]}` asks for it",
                        INSTEAD[lost.of].format(name=name),
                    )


class Objects:
    """The objects of a notebook that lose something on their way."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._names = imported_names(notebook)
        self._values = values_once(notebook)
        self._shared = Held(shared_cells(notebook), notebook)

    def lost_by(self, step: str, name: str) -> Iterator[Lost]:
        """What a variable has at the end of a step, and not in the next one."""
        cells = self._notebook.steps[step]
        given = {attribute: value for one, attribute, value in _given(cells) if one == name}
        maker = makers_in(self._notebook).get(name, "")
        if "keras." in maker and maker.endswith(KERAS_MODELS):
            fits = {"history": None} if any(_fits(cell, name) for cell in cells) else {}
            for attribute in {**given, **fits}:
                if attribute not in KEPT["the model"]:
                    yield Lost(attribute, "the model")
        elif given and (table := self._table(ast.Name(name, ast.Load()))):
            for attribute, value in given.items():
                if attribute not in KEPT["the table"] and self._is_no_column(
                    table, attribute, value
                ):
                    yield Lost(attribute, "the table")
        else:
            for node in self._arrays(cells, name):
                for attribute in {*given, *_attributes_of(node)}:
                    yield Lost(attribute, "the array")

    def _table(self, node: ast.expr, depth: int = 0) -> ast.Call | None:
        """The call that makes the table that an expression gives."""
        if isinstance(node, ast.Name) and depth < len(self._values):
            value = self._values.get(node.id)
            return self._table(value, depth + 1) if value else None
        if not isinstance(node, ast.Call):
            return None
        called = full_name(node.func, self._names)
        if called in TABLES or called.startswith("pandas.read_"):
            return node
        if isinstance(node.func, ast.Attribute) and node.func.attr in KEEP_NAMES:
            return self._table(node.func.value, depth + 1)
        return None

    def _is_no_column(self, table: ast.Call, attribute: str, value: ast.expr) -> bool:
        """Whether it is certain that `table.x = value` gives no column a value."""
        nodes = (node for cell in self._notebook.code_cells for node in cell.nodes)
        if any(isinstance(one, ast.Constant) and one.value == attribute for one in nodes):
            return False
        names_it = attribute == "name" and (isinstance(value, ast.JoinedStr) or is_text(value))
        first = table.args[0] if table.args else None
        is_told = isinstance(first, ast.Dict) and all(key and is_text(key) for key in first.keys)
        return is_told or names_it

    def _arrays(self, cells: list[Cell], name: str) -> Iterator[ast.ClassDef]:
        """The classes of the notebook, made of NumPy's array, whose object a variable is."""
        for held in (self._shared, Held(cells, self._notebook)):
            for value in (one for cell in cells for one in values_of(cell, name)):
                viewed = value.args if isinstance(value, ast.Call) and _is_view(value) else []
                made = held.by(value) | {one.id for one in viewed if isinstance(one, ast.Name)}
                known = sorted(made & set(held.classes))
                yield from (held.classes[one] for one in known if held.is_array(one))


def _given(cells: list[Cell]) -> Iterator[tuple[str, str, ast.expr]]:
    """Variables with the attributes that cells give their objects, and the values."""
    for node in (one for cell in cells for one in cell.statements if isinstance(one, ast.Assign)):
        for target in node.targets:
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                yield target.value.id, target.attr, node.value


def _attributes_of(node: ast.ClassDef) -> set[str]:
    """What the objects of a class have: its methods, and what is given to them."""
    inside = ast.walk(node)
    stored = {n.attr for n in inside if isinstance(n, ast.Attribute) and _is_stored(n)}
    methods = {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
    return {one for one in stored | methods if not one.startswith("__")}


def _asks(notebook: Notebook, step: str, name: str, attribute: str) -> bool:
    """Whether a step asks for an attribute of a variable's object that it does not set itself."""
    cells = notebook.steps[step]
    given = {(one, other) for one, other, _ in _given(cells)}
    if (name, attribute) in given or any(_fits(cell, name) for cell in cells):
        return False
    nodes = [node for cell in cells for node in cell.nodes]
    wanted = {(name, tuple(nodes)), *_other_names(notebook, nodes, name)}
    return any(_asks_for(node, one, attribute) for one, inside in wanted for node in inside)


def _other_names(
    notebook: Notebook, nodes: list[ast.AST], name: str
) -> Iterator[tuple[str, tuple[ast.AST, ...]]]:
    """What a variable is called in loops over it and others, and in functions that get it."""
    functions = functions_of(notebook)
    for node in nodes:
        if isinstance(node, ast.For | ast.comprehension) and isinstance(node.target, ast.Name):
            elements = node.iter.elts if isinstance(node.iter, ast.List | ast.Tuple) else []
            if any(is_name(one, name) for one in elements):
                yield node.target.id, tuple(nodes)
        if not isinstance(node, ast.Call) or not (function := functions.get(last_part(node.func))):
            continue
        for argument in function.arguments:
            given = values_for(node, function.arguments, frozenset({argument}))
            if any(is_name(one, name) for one in given):
                yield argument, tuple(_defined(notebook, last_part(node.func)))


def _asks_for(node: ast.AST, name: str, attribute: str) -> bool:
    is_it = isinstance(node, ast.Attribute) and node.attr == attribute
    return is_it and isinstance(node, ast.Attribute) and is_name(node.value, name)


def _defined(notebook: Notebook, function: str) -> Iterator[ast.AST]:
    for node in (one for cell in notebook.code_cells for one in cell.statements):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            yield from ast.walk(node)


def _fits(cell: Cell, name: str) -> bool:
    calls = (node.func for node in cell.nodes if isinstance(node, ast.Call))
    return any(_asks_for(func, name, "fit") for func in calls)


def _is_view(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "view"


def _is_stored(node: ast.Attribute) -> bool:
    return not isinstance(node.ctx, ast.Load)


RULES = (Rule(lost_attribute),)
