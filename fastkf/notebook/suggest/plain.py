"""Metrics that later steps use: Kale passes a number of NumPy on as an array, which is none."""

import ast
import re
from collections.abc import Collection, Iterator, Sequence

from fastkf.notebook.model import Cell
from fastkf.notebook.names import Names, last_part
from fastkf.notebook.suggest.metrics import SCORES, gives_number, values_of
from fastkf.notebook.suggest.parts import Part
from fastkf.notebook.suggest.steps import Group
from fastkf.notebook.suggest.uses import Uses

PLAIN = ("float", "int", "len", "item")
WHOLE = ("round", "sum", "max", "min")  # may give whole numbers, which `float` would change


def make_plain(
    parts: list[Part], groups: Sequence[Group], metrics: Collection[str], uses: Uses
) -> list[Part]:
    """The cells, with a line behind each that makes a metric of which a later step gets a copy."""
    made = list(parts)
    for name in sorted(metrics):
        for cell, node in _lines_making(name, groups, uses):
            part = made[cell.number - 1]
            made[cell.number - 1] = part.with_source(_with_line(part.view, node, name), True, True)
    return made


def _lines_making(
    name: str, groups: Sequence[Group], uses: Uses
) -> Iterator[tuple[Cell, ast.stmt]]:
    """The line that makes a number last, if the steps below take it and do not change it."""
    places = [n for n, group in enumerate(groups) if name in uses.changed_by(group.cells)]
    if not places or _is_needed(name, groups[: places[-1] + 1], uses):
        return
    if _is_needed(name, groups[places[-1] + 1 :], uses):
        cells = groups[places[-1]].cells
        binding = [cell for cell in cells if name in cell.names.bound]
        values = dict(pair for cell in cells for pair in values_of(cell))
        if binding and _may_be_numpy(name, values):
            lines = [node for node in binding[-1].statements if name in Names.of(node).bound]
            if isinstance(lines[-1], ast.Assign):
                yield binding[-1], lines[-1]


def _is_needed(name: str, groups: Sequence[Group], uses: Uses) -> bool:
    """Whether groups take a variable that none of their own cells above has made."""
    for group in groups:
        made: set[str] = set()
        for cell in group.cells:
            if name in uses.needs(cell) - made:
                return True
            made |= cell.names.bound
    return False


def _may_be_numpy(name: str, values: dict[str, ast.expr]) -> bool:
    """Whether it is a number, and neither a plain one nor a whole one."""
    value = values.get(name)
    if value is None or isinstance(value, ast.Constant) or not gives_number(value, values):
        return False
    known = PLAIN if re.fullmatch(SCORES, name) else (*PLAIN, *WHOLE)
    return not isinstance(value, ast.Call) or last_part(value.func) not in known


def _with_line(source: str, node: ast.stmt, name: str) -> str:
    lines = source.splitlines()
    lines.insert(node.end_lineno or node.lineno, f"{name} = float({name})")
    return "\n".join(lines)
