"""Rules on names that Kale does not see: those of builtins, in texts, and behind `await`."""

import ast
import builtins
import re
from collections.abc import Iterator

from fastkf.notebook.check.finding import Found, Rule
from fastkf.notebook.check.flow import shared_cells
from fastkf.notebook.check.steps import is_above, is_understood
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import Names, outer_nodes

BUILTINS = frozenset(dir(builtins))
TABLES_OF_NAMES = ("globals()", "locals()")


def builtin_name(notebook: Notebook) -> Found:
    """A variable named like a builtin, which Kale does not hand on: a step gets the builtin."""
    if not is_understood(notebook):
        return
    shared = {name for cell in shared_cells(notebook) for name in cell.names.bound}
    for step in notebook.sources:
        cells = notebook.steps[step]
        for name in sorted({n for c in cells for n in c.names.used} & BUILTINS - shared):
            if any(name in cell.names.bound for cell in cells):
                continue
            maker = maker_above(notebook, step, name)
            if maker:
                yield (
                    maker,
                    f"`{name}` is also the name of a builtin, so step `{step}` gets that and not "
                    "this value",
                    "give it another name",
                )


def maker_above(notebook: Notebook, step: str, name: str) -> Cell | None:
    """The cell of a step above, or of the parameters, that makes a variable."""
    cells = [
        cell
        for cell in notebook.code_cells
        if name in cell.names.bound
        and (
            cell.role == "pipeline-parameters"
            or (cell.step and is_above(notebook, cell.step, step))
        )
    ]
    return cells[-1] if cells else None


def hidden_name(notebook: Notebook) -> Found:
    """A variable that only a text (`df.query("x > @limit")`) or an `await` names."""
    if not is_understood(notebook):
        return
    shared = {name for cell in shared_cells(notebook) for name in cell.names.bound}
    for step in notebook.sources:
        cells = notebook.steps[step]
        own = {name for cell in cells for name in cell.names.bound}
        given = set(notebook.sources[step]) | own | shared
        given |= {n for c in cells for n in c.names.used} & set(notebook.parameters)
        for cell in cells:
            for name, (where, why) in sorted(_hidden_in(cell).items()):
                if name not in given and maker_above(notebook, step, name):
                    yield (
                        cell,
                        f"only {where} names `{name}`, and Kale does not look {why}: step "
                        f"`{step}` does not get it",
                        f"use it in the code, or put a line with `{name}` alone above this one",
                    )


def _hidden_in(cell: Cell) -> dict[str, tuple[str, str]]:
    """The names that Kale may not see in a cell, each with what names it and where that is."""
    awaited = dict.fromkeys(names_awaited(cell), ("what is behind `await`", "there"))
    return awaited | dict.fromkeys(names_in_texts(cell), ("a text", "into texts"))


def names_awaited(cell: Cell) -> set[str]:
    """The names behind `await` outside functions, where pyflakes, which Kale asks, does not go."""
    if cell.tree is None:
        return set()
    awaited = [node for node in outer_nodes(cell.tree) if isinstance(node, ast.Await)]
    return {name for node in awaited for name in Names.of(node).loaded}


def names_in_texts(cell: Cell) -> Iterator[str]:
    """The variables named in what a cell gives to query, eval, exec, globals and locals."""
    for node in cell.nodes:
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) in TABLES_OF_NAMES:
            yield from texts_in(node.slice)
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        texts = [text for one in node.args[:1] for text in texts_in(one)]
        if isinstance(node.func, ast.Attribute) and called in ("query", "eval"):
            yield from (name for text in texts for name in re.findall(r"@(\w+)", text))
        elif called in ("eval", "exec"):
            yield from (name for text in texts for name in names_of(text))


def texts_in(node: ast.expr) -> list[str]:
    values = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant)]
    return [value for value in values if isinstance(value, str)]


def names_of(text: str) -> set[str]:
    return set(Cell(0, "code", text).names.loaded)


RULES = (
    Rule(builtin_name),
    Rule(hidden_name),
)
