"""Rules on names that Kale does not see: those of builtins, those inside texts, and seeds."""

import ast
import builtins
import re
from collections.abc import Iterator

from fastkf.notebook.check.finding import Found, Rule, Severity
from fastkf.notebook.check.flow import shared_cells
from fastkf.notebook.check.kinds import imported_names
from fastkf.notebook.check.steps import is_above, is_understood
from fastkf.notebook.model import Cell, Notebook

BUILTINS = frozenset(dir(builtins))
SEEDS = ("seed", "set_seed", "manual_seed", "set_random_seed", "seed_everything")
# Functions that draw numbers unless they are given a seed or a generator of their own.
DRAWING = ("train_test_split", "sample")
RANDOM_MODULES = ("random.", "numpy.random.", "tensorflow.random.", "torch.rand", "keras.random.")
TABLES_OF_NAMES = ("globals()", "locals()")
OWN_SEED = ("random_state", "seed", "generator", "rng")


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
    """A variable that only a text names (`df.query("x > @limit")`), which no step is given for."""
    if not is_understood(notebook):
        return
    shared = {name for cell in shared_cells(notebook) for name in cell.names.bound}
    for step in notebook.sources:
        cells = notebook.steps[step]
        own = {name for cell in cells for name in cell.names.bound}
        given = set(notebook.sources[step]) | own | shared
        given |= {n for c in cells for n in c.names.used} & set(notebook.parameters)
        for cell in cells:
            for name in sorted(set(names_in_texts(cell)) - given):
                if maker_above(notebook, step, name):
                    yield (
                        cell,
                        f"only a text names `{name}`, and Kale does not look into texts: step "
                        f"`{step}` does not get it",
                        f"use it in the code, or put a line with `{name}` alone above this one",
                    )


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


class Draws:
    """Where random numbers are drawn from a generator that all share.

    Args:
        names: those that imports bind, with what they stand for.
    """

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def are_in(self, cell: Cell) -> bool:
        nodes = cell.nodes
        return any(isinstance(node, ast.Call) and self._is_draw(node) for node in nodes)

    def _is_draw(self, call: ast.Call) -> bool:
        text = ast.unparse(call.func)
        top, dot, rest = text.partition(".")
        name = self._names.get(top, top) + dot + rest
        if name.rsplit(".", 1)[-1] in (*SEEDS, "default_rng", "RandomState", "Random"):
            return False
        has_own = any(word.arg in OWN_SEED for word in call.keywords)
        is_random = name.startswith(RANDOM_MODULES) and "(" not in name
        draws_by_default = name.rsplit(".", 1)[-1] in DRAWING
        return not has_own and (is_random or draws_by_default)


def seed_in_imports(notebook: Notebook) -> Found:
    """A seed in the imports or functions cell: the random numbers begin anew in each step."""
    if not is_understood(notebook):
        return
    draws = Draws(imported_names(notebook))
    drawing = [step for step, cells in notebook.steps.items() if any(map(draws.are_in, cells))]
    if len(drawing) < 2:
        return
    for cell in shared_cells(notebook):
        for node in cell.tree.body if cell.tree else ():
            call = node.value if isinstance(node, ast.Expr) else None
            name = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
            if name.rsplit(".", 1)[-1] in SEEDS:
                yield (
                    cell,
                    f"`{name}` runs in every step, so steps `{drawing[0]}` and `{drawing[1]}` draw "
                    "the same numbers, where the notebook goes on to others",
                    "set the seed in each step that draws, or give each call a seed of its own",
                )


RULES = (
    Rule(builtin_name),
    Rule(hidden_name),
    Rule(seed_in_imports, Severity.WARNING),
)
