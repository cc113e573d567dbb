"""Rules on what steps change: each has a copy of its own, and hands on what it makes of that."""

import ast
from collections.abc import Callable, Iterator, Mapping

from fastkf.notebook.check.finding import Found, Rule
from fastkf.notebook.check.flow import (
    changes,
    find_use,
    met_needs,
    reachable_names,
    reported_metrics,
    shared_cells,
)
from fastkf.notebook.check.mutations import changed_in
from fastkf.notebook.check.steps import is_above, is_understood
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import Names


def lineage(notebook: Notebook, step: str, name: str) -> set[str]:
    """The steps whose copies of a variable lead to the one that a step passes on."""
    steps = {step}
    while name in notebook.sources[step] and notebook.sources[step][name] not in steps:
        step = notebook.sources[step][name]
        steps.add(step)
    return steps


def writers(notebook: Notebook, name: str, before: Cell) -> Iterator[Cell]:
    """The cells that make what a variable is in the notebook, run from top to bottom.

    The last comes first; the one that makes it anew ends them.
    """
    for cell in reversed(notebook.code_cells):
        if cell.number >= before.number or name not in changed_in(notebook, cell):
            continue
        yield cell
        if name in cell.names.bound and not takes(notebook, cell, name):
            return


def takes(notebook: Notebook, cell: Cell, name: str) -> bool:
    """Whether a cell goes on from the value that the variable has before it."""
    if cell.step:
        return name in notebook.sources.get(cell.step, {})
    return name in cell.names.loaded


def different_value(notebook: Notebook) -> Found:
    """A variable that is another in the pipeline, since other steps or cells change it, too."""
    for need, maker in [*met_needs(notebook), *reported_metrics(notebook)]:
        step, name, cell = need
        if not changes(notebook, maker, name):
            continue
        ways = {*lineage(notebook, maker, name), step}
        cells = list(writers(notebook, name, cell))
        others = [writer for writer in cells if writer.step not in ways]
        if not others:
            continue
        place = f"step `{others[0].step}`" if others[0].step else "which is no step"
        if others[0] is cells[0]:
            problem = (
                f"`{name}` comes from step `{maker}` in the pipeline, but from cell "
                f"{others[0].number} ({place}) in the notebook"
            )
        else:
            problem = (
                f"`{name}` comes from step `{maker}` in the pipeline, without what cell "
                f"{others[0].number} ({place}) makes of it in the notebook"
            )
        yield cell, problem, "use another name there, or let prev: and data lead here"


def rebound(notebook: Notebook, step: str) -> set[str]:
    return {name for cell in notebook.steps[step] for name in cell.names.bound}


def shared_state(notebook: Notebook) -> Found:
    """A name of the imports or functions cell that one step changes and another uses."""
    if not notebook.steps or not is_understood(notebook):
        return
    shared = shared_cells(notebook)
    definitions = defs(shared)
    reached = {s: reachable_names(cells, definitions) for s, cells in notebook.steps.items()}
    yield from changed_variables(notebook, shared, reached)
    yield from reused_names(notebook, shared, reached)


def changed_variables(
    notebook: Notebook, shared: list[Cell], reached: Mapping[str, set[str]]
) -> Found:
    altered = [(f.name, changed_globals(f)) for f in functions_in(shared)]
    for name in sorted({name for cell in shared for name in made_names(cell)}):
        altering = {function for function, names in altered if name in names}
        changing = [
            s for s in notebook.steps if changes(notebook, s, name) or reached[s] & altering
        ]
        for step in changing[:1]:
            users = [s for s in notebook.steps if is_above(notebook, step, s)]
            users = [s for s in users if name in reached[s]]
            if users:
                yield (
                    find_change(notebook, step, name),
                    f"step `{step}` changes `{name}`, which every step starts with anew: step "
                    f"`{users[0]}` gets it as cell {find_maker(shared, name).number} makes it",
                    "make it in a step, and pass it on under this name",
                )


def reused_names(notebook: Notebook, shared: list[Cell], reached: Mapping[str, set[str]]) -> Found:
    """What is imported or defined for all steps, and gets another value in one of them."""
    for name in sorted({name for cell in shared for name in cell.names.bound - made_names(cell)}):
        giving = [s for s, cells in notebook.steps.items() if any(map(gives(name), cells))]
        for step in giving[:1]:
            below = [s for s in notebook.steps if is_above(notebook, step, s)]
            users = [s for s in below if name in reached[s] and name not in rebound(notebook, s)]
            if users:
                yield (
                    find_change(notebook, step, name),
                    f"step `{step}` gives `{name}` another value, and step `{users[0]}` gets what "
                    f"cell {find_maker(shared, name).number} makes of it, as every step does",
                    "give the new value a name of its own",
                )


def gives(name: str) -> Callable[[Cell], bool]:
    """Whether a cell gives a name a value; to import it once more gives it the same."""
    return lambda cell: name in cell.names.bound - cell.names.imported


def made_names(cell: Cell) -> frozenset[str]:
    """The variables of a cell, without what it imports and defines."""
    defined = {n.name for n in (cell.tree.body if cell.tree else []) if hasattr(n, "name")}
    return cell.names.bound - cell.names.imported - defined


def defs(shared: list[Cell]) -> list[Cell]:
    """The cells as cells of definitions only: what else they do, every step does."""
    kept = []
    for cell in shared:
        nodes = cell.tree.body if cell.tree else []
        inner = [n for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        source = "\n".join(ast.unparse(node) for node in inner)
        kept.append(Cell(cell.number, "code", source, cell.tags, cell.role))
    return kept


def functions_in(cells: list[Cell]) -> list[ast.FunctionDef]:
    nodes = [node for cell in cells for node in (cell.tree.body if cell.tree else [])]
    return [node for node in nodes if isinstance(node, ast.FunctionDef)]


def changed_globals(function: ast.FunctionDef) -> set[str]:
    """The variables outside a function that it changes."""
    declared = {
        n for node in ast.walk(function) if isinstance(node, ast.Global) for n in node.names
    }
    inside = Names.of(ast.Module(function.body, []))
    arguments = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    return (declared & inside.changed) | (inside.written - inside.bound - arguments - declared)


def find_change(notebook: Notebook, step: str, name: str) -> Cell:
    cells = notebook.steps[step]
    return next((c for c in cells if name in changed_in(notebook, c)), find_use(cells, name))


def find_maker(shared: list[Cell], name: str) -> Cell:
    return next(cell for cell in shared if name in cell.names.bound)


RULES = (
    Rule(different_value),
    Rule(shared_state),
)
