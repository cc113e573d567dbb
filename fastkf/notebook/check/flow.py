"""Rules on the variables that go from step to step."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from fastkf.notebook.check.finding import Found, Rule
from fastkf.notebook.check.mutations import changed_in
from fastkf.notebook.check.steps import is_above, is_understood, steps_before, tagged_edges
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.reading.code import missing_names

IPYTHON_NAMES = {"display", "get_ipython", "In", "Out", "exit", "quit", "_", "__", "___"}
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
PORTABLE_NAME = re.compile("[A-Za-z][A-Za-z0-9_]*")


class Need(NamedTuple):
    """A variable that a step uses and does not make, and the cell that uses it first."""

    step: str
    name: str
    cell: Cell


def shared_cells(notebook: Notebook) -> list[Cell]:
    return [*notebook.cells_with_role("imports"), *notebook.cells_with_role("functions")]


def undefined_names(notebook: Notebook, cells: list[Cell]) -> frozenset[str]:
    """The names that cells use and neither make nor get as parameters, as Kale finds them."""
    names = missing_names("\n".join(cell.source for cell in cells))
    given = {name for part in notebook.pipeline.parts for name in part.outs}
    given |= notebook.given or set()
    return names - IPYTHON_NAMES - set(notebook.parameters) - given


def needs(notebook: Notebook, step: str) -> list[Need]:
    """What a step needs from outside."""
    own = notebook.steps[step]
    used = frozenset().union(*(cell.names.used for cell in own))
    names = undefined_names(notebook, [*shared_cells(notebook), *own]) & used
    return [Need(step, name, find_use(own, name)) for name in sorted(names)]


def reachable_names(cells: list[Cell], shared: list[Cell]) -> set[str]:
    """The names that cells use, themselves or through the functions they call."""
    inside, outer = _names_used(tuple(cell.source for cell in shared))
    waiting = {name for cell in cells for name in cell.names.used} | outer
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= inside.get(name, frozenset()) - reached
    return reached


@lru_cache(maxsize=32)
def _names_used(sources: tuple[str, ...]) -> tuple[Mapping[str, frozenset[str]], frozenset[str]]:
    """The names that each function and class of cells uses, and those that other code does."""
    inside: dict[str, frozenset[str]] = {}
    outer: frozenset[str] = frozenset()
    for node in (node for source in sources for node in Cell(0, "code", source).statements):
        used = frozenset(one.id for one in ast.walk(node) if isinstance(one, ast.Name))
        if isinstance(node, Definition):
            inside[node.name] = inside.get(node.name, frozenset()) | used
        else:
            outer |= used
    return inside, outer


def reached_nodes(cells: list[Cell], shared: list[Cell]) -> list[ast.AST]:
    """The code of cells, and that of the functions and classes which they reach."""
    reached = reachable_names(cells, definitions(shared))
    called = [one for one in defined_in(shared) if one.name in reached]
    return [*(n for c in cells for n in c.nodes), *(n for one in called for n in ast.walk(one))]


def definitions(shared: list[Cell]) -> list[Cell]:
    """Cells with nothing but their functions and classes: what else they do, every step does."""
    return list(_definitions(tuple(cell.source for cell in shared)))


@lru_cache(maxsize=16)
def _definitions(sources: tuple[str, ...]) -> tuple[Cell, ...]:
    cells = (Cell(0, "code", source) for source in sources)
    inner = ([n for n in cell.statements if isinstance(n, Definition)] for cell in cells)
    return tuple(Cell(0, "code", "\n".join(map(ast.unparse, nodes))) for nodes in inner)


def defined_in(shared: list[Cell]) -> list[Definition]:
    """The functions and classes of cells."""
    inside = (node for cell in definitions(shared) for node in cell.statements)
    return [node for node in inside if isinstance(node, Definition)]


def outside(cell: Cell) -> Iterator[ast.AST]:
    """The code of a cell without what is inside its functions and classes."""
    for node in cell.statements:
        if not isinstance(node, Definition):
            yield from ast.walk(node)


def find_use(cells: list[Cell], name: str) -> Cell:
    return next((cell for cell in cells if name in cell.names.used), cells[0])


def all_needs(notebook: Notebook) -> Iterator[Need]:
    if is_understood(notebook):
        for step in notebook.sources:
            yield from needs(notebook, step)


def unmet_needs(notebook: Notebook) -> Iterator[Need]:
    for need in all_needs(notebook):
        if need.name not in notebook.sources[need.step]:
            yield need


def met_needs(notebook: Notebook) -> Iterator[tuple[Need, str]]:
    """Each need that another step meets, with the step where the variable was set last."""
    for need in all_needs(notebook):
        source = notebook.sources[need.step].get(need.name)
        if source:
            yield need, trace(notebook, source, need.name)


def binds(notebook: Notebook, step: str, name: str) -> bool:
    return any(name in cell.names.bound for cell in notebook.steps[step])


def changes(notebook: Notebook, step: str, name: str) -> bool:
    return any(name in changed_in(notebook, cell) for cell in notebook.steps[step])


def trace(notebook: Notebook, step: str, name: str) -> str:
    """Where a variable that a step passes on was set last: this step, or one before it."""
    while not changes(notebook, step, name) and name in notebook.sources[step]:
        step = notebook.sources[step][name]
    return step


def reported_metrics(notebook: Notebook) -> Iterator[tuple[Need, str]]:
    """Each metric as a need of the metrics cell, with the step where it was set last."""
    cells = notebook.cells_with_role("pipeline-metrics")
    for name in notebook.metrics if cells and is_understood(notebook) else []:
        line = re.compile(rf'": {re.escape(name)},?$', re.M)
        for step in notebook.pipeline.steps:
            if step.metrics and line.search(step.source[-1]) and name not in notebook.parameters:
                yield Need("", name, find_use(cells, name)), trace(notebook, step.name, name)


def missing_prev(notebook: Notebook) -> Found:
    """A step uses a variable of a step above that its `prev:` tags do not lead to."""
    for step, name, cell in unmet_needs(notebook):
        makers = [s for s in notebook.steps if is_above(notebook, s, step)]
        makers = [s for s in makers if binds(notebook, s, name)]
        if not makers:
            continue
        maker = makers[-1]
        if any(name in c.names.imported for c in notebook.steps[maker]):
            how, remedy = "imports", f"move the import from step `{maker}` to the imports cell"
        elif maker in steps_before(tagged_edges(notebook), step):
            how, remedy = (
                "makes in a way that Kale does not pass on",
                "assign it with a plain `=` there",
            )
        else:
            how, remedy = (
                f"makes, and gets it only with the tag `prev:{maker}`",
                "add it to this step",
            )
        yield cell, f"step `{step}` uses `{name}`, which step `{maker}` {how}", remedy


def undefined_name(notebook: Notebook) -> Found:
    """A step uses a name that no step above makes."""
    for step, name, cell in unmet_needs(notebook):
        makers = [c for c in notebook.code_cells if name in c.names.bound and c.step != step]
        if any(c.step and is_above(notebook, c.step, step) for c in makers):
            continue
        if makers and makers[0].role == "skip":
            remedy = (
                f"the `skip` cell {makers[0].number} makes it, which the pipeline leaves out: "
                "make it in a step"
            )
        elif makers:
            remedy = f"cell {makers[0].number} makes it: move that cell up, into a step"
        else:
            remedy = "correct the name, or make the variable in a step above"
        yield cell, f"step `{step}` uses `{name}`, which no step above makes", remedy


def lacks(notebook: Notebook, step: str, name: str) -> bool:
    """Whether a step fails for want of a name that a function of the functions cell uses."""
    source = notebook.sources[step].get(name)
    if source:
        return not changes(notebook, trace(notebook, source, name), name)
    own = notebook.steps[step]
    return not binds(notebook, step, name) and name in reachable_names(own, shared_cells(notebook))


def function_global(notebook: Notebook) -> Found:
    """A function of the functions cell that uses a variable which a step does not have."""
    cells = shared_cells(notebook)
    for name in sorted(undefined_names(notebook, cells)) if is_understood(notebook) else []:
        lacking = [step for step in notebook.sources if lacks(notebook, step, name)]
        if lacking:
            yield (
                find_use(cells, name),
                f"`{name}` is neither made here nor a pipeline parameter, and step "
                f"`{lacking[0]}` does not get it",
                "hand it to the function as an argument",
            )


def local_name(notebook: Notebook) -> Found:
    """A variable that Kale looks for in a step that has only a local name like it."""
    for (step, name, _), end in met_needs(notebook):
        is_variable = changes(notebook, end, name) or name in {n.name for n in needs(notebook, end)}
        if not is_variable:
            yield (
                find_use(notebook.steps[end], name),
                f"`{name}` is a local name here (in a comprehension or lambda), and Kale takes it "
                f"for the variable `{name}` that step `{step}` uses",
                "rename it here",
            )


def unportable_name(notebook: Notebook) -> Found:
    """A variable passed between steps whose name Kubeflow Pipelines refuses."""
    for step in notebook.pipeline.steps if is_understood(notebook) else []:
        for name in sorted(step.outs):
            if not PORTABLE_NAME.fullmatch(name):
                yield (
                    find_use(notebook.steps[step.name], name),
                    f"`{name}` goes from step to step, and Kubeflow Pipelines wants such names to "
                    "begin with a letter and to have only a-z, 0-9 and _",
                    "rename it",
                )


RULES = (
    Rule(missing_prev),
    Rule(undefined_name),
    Rule(function_global),
    Rule(local_name),
    Rule(unportable_name),
)
