"""Rules on what can go from step to step: Kale saves each variable, and loads it elsewhere."""

import ast
import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

from fastkf.notebook.check.calls import (
    AXES,
    CANNOT_TRAVEL,
    DRAWS,
    ENDINGS,
    GROUPS,
    HASH,
    HISTORY,
    ITERATOR,
    KERAS_PART,
    LOCK,
    MATCH,
    MATRIX,
    OBJECTS,
    POLYNOMIAL,
    RECORDS,
    SKLEARN,
    TF_DATA,
)
from fastkf.notebook.check.finding import Found, Rule, Severity
from fastkf.notebook.check.flow import shared_cells, undefined_names
from fastkf.notebook.check.held import Held, held_lambdas
from fastkf.notebook.check.kinds import Kinds
from fastkf.notebook.check.once import once
from fastkf.notebook.check.steps import is_understood
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.pipeline import PipelineStep

PLAIN_ARRAY = "pass on a plain array, which is what would arrive, and make it where it is used"
INSTEAD = {
    **dict.fromkeys((MATRIX, POLYNOMIAL, RECORDS), PLAIN_ARRAY),
    OBJECTS: "pass on a list, such as `.tolist()` makes",
    AXES: "pass on the figure, and take its `axes` where you draw",
    HASH: "pass on the text that `.hexdigest()` gives",
    MATCH: "pass on what it has found, such as `.group()` gives",
    KERAS_PART: "pass on the whole model, or make it in the step that uses it",
    HISTORY: "pass on its dictionary, `history.history`",
    GROUPS: "pass on the table, and group it in the step that needs the groups",
    TF_DATA: "pass on the arrays, and make the dataset in the step that reads it",
}


class Kept(NamedTuple):
    """What is known of the variables around a step: the kinds before it, and after it."""

    before: dict[str, str]
    after: dict[str, str]


@once
def kinds_around(notebook: Notebook) -> dict[str, Kept]:
    """The steps to the kinds of variables before and after each."""
    kinds = Kinds(notebook)
    around: dict[str, Kept] = {}
    for cell in notebook.code_cells:
        if cell.role not in ("imports", "functions", "pipeline-parameters", "step"):
            continue
        before = dict(kinds.known)
        kinds.read(cell.tree)
        if cell.step:
            first = around[cell.step].before if cell.step in around else before
            around[cell.step] = Kept(first, dict(kinds.known))
    return around


def maker_of(notebook: Notebook, step: str, name: str) -> Cell | None:
    """The cell of a step that makes a variable."""
    cells = [cell for cell in notebook.steps[step] if name in cell.names.bound]
    return cells[-1] if cells else None


def passed_on(notebook: Notebook) -> Iterator[tuple[PipelineStep, str, Cell]]:
    """The variables that steps pass on and have made, each with the step and the cell."""
    for step in notebook.pipeline.steps if is_understood(notebook) else ():
        for name in step.outs:
            cell = maker_of(notebook, step.name, name)
            if cell:
                yield step, name, cell


def is_taken(notebook: Notebook, name: str) -> bool:
    """Whether a step takes a variable; what one only shows on its last line is passed on, too."""
    return any(name in step.ins for step in notebook.pipeline.steps)


def live_object(notebook: Notebook) -> Found:
    """A variable that Kale cannot save: a generator, a connection, an open file, a History."""
    around = kinds_around(notebook)
    for step, name, cell in passed_on(notebook):
        kind = around[step.name].after.get(name)
        if kind not in CANNOT_TRAVEL:
            continue
        taken = is_taken(notebook, name)
        why = "" if taken else " (its name alone on the last line of the step passes it on)"
        remedy = INSTEAD.get(
            kind or "", "pass on what it is made from, and make it where it is used"
        )
        if not taken:
            remedy = "write something else on the last line, such as `print(...)`"
        yield cell, f"`{name}` is {kind}, which cannot go to another step{why}", remedy


def cut_off_object(notebook: Notebook) -> Found:
    """A lock or an iterator that goes to another step: what arrives is a copy of its own."""
    around = kinds_around(notebook)
    for step, name, cell in passed_on(notebook):
        kind = around[step.name].after.get(name)
        takers = [s for s in notebook.pipeline.steps if s.producers.get(name) == step.name]
        if kind == LOCK or (kind in (ITERATOR, DRAWS) and len(takers) > 1):
            yield (
                cell,
                f"`{name}` is {kind}, and each step that takes it gets a copy of its own",
                "make a list of it" if kind == ITERATOR else "make it in the step that needs it",
            )


def type_change(notebook: Notebook) -> Found:
    """A variable that a step takes, and passes on as a value of another type under its name."""
    around = kinds_around(notebook)
    for step, name, cell in passed_on(notebook):
        before, after = around[step.name].before.get(name), around[step.name].after.get(name)
        kinds = {before, after}
        if name in step.ins and len(kinds) == 2 and kinds <= set(ENDINGS):
            yield (
                cell,
                f"`{name}` comes into step `{step.name}` as one type and leaves it as another, and "
                f"Kale finds two files of it ({name}.{before}, {name}.{after})",
                "give the new value a name of its own",
            )


def functions_class(notebook: Notebook) -> Found:
    """An object of a class in the functions cell that goes to another step."""
    held = Held(shared_cells(notebook), notebook)
    around = kinds_around(notebook) if held.classes else {}
    for step, name, cell in passed_on(notebook) if held.classes else ():
        for made in sorted({one for value in values_of(cell, name) for one in held.by(value)}):
            fails = around[step.name].after.get(name) == SKLEARN or held.cannot_load(made)
            takers = [s for s in notebook.pipeline.steps if name in s.ins]
            compared = any(made in c.names.used for s in takers for c in notebook.steps[s.name])
            if takers and (fails or compared):
                what = "cannot be loaded there" if fails else f"is no `{made}` of that step there"
                yield (
                    cell,
                    f"`{name}` holds a `{made}` of the functions cell and goes to step "
                    f"`{takers[0].name}`; Kale loads it before that cell runs, so it {what}",
                    f"pass on plain values, or make the `{made}` in the step that uses it",
                )


def values_of(cell: Cell, name: str) -> Iterator[ast.expr]:
    """The expressions that a cell gives a variable."""
    for node in cell.nodes:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(t, ast.Name) and t.id == name for t in targets):
            assert isinstance(node, ast.Assign)
            yield node.value


def function_of_step(notebook: Notebook) -> Found:
    """A lambda, or an object of a class, that uses a variable of the step it was made in."""
    for step, name, cell in passed_on(notebook):
        free = {
            one
            for value in values_of(cell, name)
            for node in code_in(notebook, step.name, value)
            for one in free_names(notebook, node) - loop_names(value)
        }
        for taker in notebook.pipeline.steps:
            if name not in taker.ins or not free:
                continue
            own = {n for c in notebook.steps[taker.name] for n in c.names.bound}
            lacking = sorted(free - set(taker.ins) - own - parameters_of(notebook, taker))
            if lacking:
                yield (
                    cell,
                    f"`{name}` uses `{lacking[0]}` when it is called, and step `{taker.name}`, "
                    f"which takes `{name}`, does not get `{lacking[0]}`",
                    "write it as a function with `def`, in a functions cell, and hand it what it "
                    "needs as arguments",
                )
                break


def code_in(notebook: Notebook, step: str, value: ast.expr) -> list[ast.AST]:
    """The lambdas that a value holds, and the classes of the step whose objects it gives."""
    held = Held(notebook.steps[step], notebook)
    return [*held_lambdas(value), *(held.classes[name] for name in sorted(held.by(value)))]


def loop_names(value: ast.expr) -> set[str]:
    """The variables of the comprehensions in a value, which go with the lambdas made there."""
    loops = (one.target for one in ast.walk(value) if isinstance(one, ast.comprehension))
    return {n.id for target in loops for n in ast.walk(target) if isinstance(n, ast.Name)}


def free_names(notebook: Notebook, node: ast.AST) -> frozenset[str]:
    """The variables that code uses when it is called, and neither makes nor finds in every step."""
    one = Cell(0, "code", ast.unparse(_without_defaults(node)))
    return undefined_names(notebook, [*shared_cells(notebook), one]) | {
        name for name in one.names.used if name in notebook.parameters
    }


def _without_defaults(node: Any) -> Any:
    """Code without what is computed when it is made: defaults, decorators, a class's own values.

    Of a function inside it nothing is left out: that one is made when the code is called.
    """
    if isinstance(node, ast.ClassDef):
        methods = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        kept = [_without_defaults(one) for one in node.body if isinstance(one, methods)]
        return ast.ClassDef(node.name, [], [], [*kept, ast.Pass()], [])
    made = copy.deepcopy(node)
    if isinstance(made, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
        made.args.defaults = [ast.Constant(None) for _ in made.args.defaults]
        made.args.kw_defaults = [one and ast.Constant(None) for one in made.args.kw_defaults]
        for one in ast.walk(made.args):
            if isinstance(one, ast.arg):
                one.annotation = None
    if isinstance(made, ast.FunctionDef | ast.AsyncFunctionDef):
        made.decorator_list, made.returns = [], None
    return made


def parameters_of(notebook: Notebook, step: PipelineStep) -> set[str]:
    """The pipeline parameters that a step has: those that its own code names."""
    used = {name for cell in notebook.steps[step.name] for name in cell.names.used}
    return used & set(notebook.parameters)


RULES = (
    Rule(live_object),
    Rule(cut_off_object, Severity.WARNING),
    Rule(type_change),
    Rule(functions_class),
    Rule(function_of_step),
)
