"""Metrics that later steps use: Kale passes a number of NumPy on as an array, which is none."""

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from typing import TypeGuard

from fastkf.notebook.model import Cell
from fastkf.notebook.names import Names, is_name, last_part
from fastkf.notebook.suggest.metrics import SCORES, gives_number, values_of
from fastkf.notebook.suggest.parts import Part, is_call_of
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
    """The line that makes a number last, if it is no metric as it stands.

    The steps below take it and do not change it, or it is a whole number that is only shown.
    """
    places = [n for n, group in enumerate(groups) if name in uses.changed_by(group.cells)]
    if not places or _is_needed(name, groups[: places[-1] + 1], uses):
        return
    cells = groups[places[-1]].cells
    binding = [cell for cell in cells if name in cell.names.bound]
    values = dict(pair for cell in cells for pair in values_of(cell))
    is_taken = _is_needed(name, groups[places[-1] + 1 :], uses) and _may_be_numpy(name, values)
    if binding and (is_taken or _is_sum_only_shown(name, values, groups)):
        lines = [node for node in binding[-1].statements if name in Names.of(node).bound]
        if isinstance(lines[-1], ast.Assign):
            yield binding[-1], lines[-1]


def _is_sum_only_shown(name: str, values: dict[str, ast.expr], groups: Sequence[Group]) -> bool:
    """Whether it may be a whole number of NumPy, which Kale cannot write down, and is only shown.

    `float` changes nothing but how it is shown.
    """
    value = values.get(name)
    func = value.func if isinstance(value, ast.Call) else None
    nodes = [node for group in groups for cell in group.cells for node in cell.statements]
    used = [node for node in nodes if name in Names.of(node).loaded]
    is_used = not all(_only_shows(node, name) for node in used)
    is_number = value is not None and gives_number(value, values)
    return isinstance(func, ast.Attribute) and func.attr in WHOLE and is_number and not is_used


def _only_shows(node: ast.stmt, name: str) -> bool:
    """Whether a line prints a variable as it is, and not as a whole number: `{n:d}`."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or not is_call_of(call, "print"):
        return False
    parts = [part for arg in call.args for part in getattr(arg, "values", [arg])]
    shown = [one.value if is_without_form(one) else one for one in parts]
    return sum(is_name(one, name) for one in shown) == sum(
        is_name(one, name) for one in ast.walk(call)
    )


def is_without_form(node: ast.expr) -> TypeGuard[ast.FormattedValue]:
    """Whether it is a place in an f-string without a format of its own."""
    return isinstance(node, ast.FormattedValue) and node.format_spec is None


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
    lines = source.split("\n")
    lines.insert(node.end_lineno or node.lineno, f"{name} = float({name})")
    return "\n".join(lines)
