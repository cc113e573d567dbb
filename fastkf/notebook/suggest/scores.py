"""Scores that a notebook prints without a name: its copy gives them one, to report them."""

import ast
import builtins
import keyword
import re
from collections.abc import Collection, Iterable, Iterator

from fastkf.notebook.check.parameters import METRICS_LINE
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import CHANGING, Names, last_part
from fastkf.notebook.step_names import free_name, name_of
from fastkf.notebook.suggest.metrics import calls_score, gives_number, values_of
from fastkf.notebook.suggest.parts import is_call_of
from fastkf.notebook.suggest.shown import Shown, shown_in

MOST_WORDS = 4


def name_scores(notebook: Notebook, cells: Iterable[Cell]) -> dict[int, dict[str, str]]:
    """The cells that show scores, each with the names that they get, and their code.

    Args:
        notebook: it all, for the names that are taken.
        cells: those that may become steps.
    """
    taken = {*dir(builtins), *keyword.kwlist}
    taken = taken.union(*(cell.names.used | cell.names.bound for cell in notebook.code_cells))
    values: dict[str, ast.expr] = {}
    found: dict[int, dict[str, str]] = {}
    given: set[str] = set()  # what has a name already
    for cell in cells:
        given = given if _only_shows(cell) else set()
        bound = cell.names.bound
        values = {name: value for name, value in values.items() if name not in bound}
        values |= dict(values_of(cell))
        for shown in _scores_of(cell, values):
            name, code = free_name(_name_for(shown, taken), taken), ast.unparse(shown.value)
            if code not in given and METRICS_LINE.fullmatch(f"print({name})"):
                taken.add(name)
                given.add(code)
                found.setdefault(cell.number, {})[name] = f"float({code})"
    return found


def _only_shows(cell: Cell) -> bool:
    """Whether a cell prints, or shows numbers, and does nothing else."""
    calls = [node for node in cell.nodes if isinstance(node, ast.Call)]
    values = [node.value for node in cell.statements if isinstance(node, ast.Expr)]
    shows = [one for one in values if is_call_of(one, "print") or gives_number(one, {})]
    changes = any(last_part(call.func) in CHANGING for call in calls)
    return len(shows) == len(cell.statements) and not changes


def _scores_of(cell: Cell, values: dict[str, ast.expr]) -> Iterator[Shown]:
    """The scores that a cell shows, and that its end still gives: nothing is made anew there."""
    for shown in shown_in(cell):
        value = shown.value
        is_inside = isinstance(cell.statements[shown.place], ast.With)
        if is_inside or isinstance(value, ast.Name) or not gives_number(value, values):
            continue
        made = [values[one] for one in Names.of(value).loaded if one in values]
        later = Names.of(ast.Module(cell.statements[shown.place + 1 :], []))
        calls = [one for one in ast.walk(value) if isinstance(one, ast.Call)]
        is_score = any(map(calls_score, [value, *made]))
        changes = any(last_part(call.func) in CHANGING for call in calls)
        if is_score and not changes and not Names.of(value).loaded & later.changed:
            yield shown


def _name_for(shown: Shown, taken: Collection[str]) -> str:
    """What the text before a score calls it, or else the function that computes it."""
    words = re.findall(r"[^\W\d_]\w*", shown.label.rsplit("\n", 1)[-1])
    if words and len(words) <= MOST_WORDS:
        return name_of(" ".join(words))
    calls = [node for node in ast.walk(shown.value) if isinstance(node, ast.Call)]
    name = next((last_part(one.func) for one in calls if calls_score(one)), "")
    name = name or re.sub(r"\W+", "_", ast.unparse(shown.value)).strip("_").lower()
    return f"{name}_value" if name in taken else name
