"""The rule on what every step starts with anew: names, attributes and defaults of shared cells."""

import ast
from collections.abc import Callable, Iterator, Mapping

from fastkf.notebook.check.attributes import changed_attributes, code_of, kept_defaults
from fastkf.notebook.check.finding import Found, Rule
from fastkf.notebook.check.flow import (
    changes,
    defined_in,
    definitions,
    find_use,
    reachable_names,
    shared_cells,
)
from fastkf.notebook.check.memos import is_memo
from fastkf.notebook.check.mutations import changed_in, functions_that_count
from fastkf.notebook.check.steps import is_above, is_understood
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import CHANGING_ALONE, Names


def shared_state(notebook: Notebook) -> Found:
    """A name of the imports or functions cell that one step changes and another uses."""
    if not notebook.steps or not is_understood(notebook):
        return
    shared = shared_cells(notebook)
    kept = definitions(shared)
    reached = {s: reachable_names(cells, kept) for s, cells in notebook.steps.items()}
    yield from changed_variables(notebook, shared, reached)
    yield from reused_names(notebook, shared, reached)
    yield from changed_attributes(notebook, shared)
    yield from kept_defaults(notebook, shared)


def changed_variables(
    notebook: Notebook, shared: list[Cell], reached: Mapping[str, set[str]]
) -> Found:
    altered = [(f.name, changed_globals(f)) for f in functions_in(shared)]
    counting = functions_that_count(node for cell in shared for node in cell.statements)
    for name in sorted({name for cell in shared for name in made_names(cell)}):
        altering = {function for function, names in altered if name in names}
        if altering and only_remembers(notebook, shared, name):
            continue
        changing = [
            s
            for s in notebook.steps
            if changes(notebook, s, name) or reached[s] & altering or name in counting & reached[s]
        ]
        for step in changing[:1]:
            users = [s for s in notebook.steps if is_above(notebook, step, s)]
            users = [s for s in users if name in reached[s] and asks(notebook, shared, s, name)]
            if users:
                yield (
                    find_change(notebook, step, name),
                    f"step `{step}` changes `{name}`, which every step starts with anew: step "
                    f"`{users[0]}` gets it as cell {find_maker(shared, name).number} makes it",
                    "make it in a step, and pass it on under this name",
                )


def asks(notebook: Notebook, shared: list[Cell], step: str, name: str) -> bool:
    """Whether a step does more with a variable than to put something in."""
    nodes = [code.node for code in code_of(notebook.steps[step], shared)]
    put_into = {id(part) for node in nodes for part in _put_into(node)}
    return any(
        isinstance(node, ast.Name)
        and node.id == name
        and isinstance(node.ctx, ast.Load)
        and id(node) not in put_into
        for node in nodes
    )


def _put_into(node: ast.AST) -> Iterator[ast.AST]:
    """What `x[0] = 1` and `x.append(1)` change."""
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        yield node.value
    func = call.func if isinstance(call, ast.Call) else None
    if isinstance(func, ast.Attribute) and func.attr in CHANGING_ALONE:
        yield func.value


def only_remembers(notebook: Notebook, shared: list[Cell], name: str) -> bool:
    """Whether only functions use a variable that keep in it what they have computed."""
    if any(name in cell.names.used for cells in notebook.steps.values() for cell in cells):
        return False
    using = [node for node in defined_in(shared) if name in Names.of(node).used]
    return all(is_memo(node, name) for node in using)


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
    defined = {n.name for n in cell.statements if hasattr(n, "name")}
    return cell.names.bound - cell.names.imported - defined


def functions_in(cells: list[Cell]) -> list[ast.FunctionDef]:
    nodes = [node for cell in cells for node in cell.statements]
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


def rebound(notebook: Notebook, step: str) -> set[str]:
    return {name for cell in notebook.steps[step] for name in cell.names.bound}


RULES = (Rule(shared_state),)
