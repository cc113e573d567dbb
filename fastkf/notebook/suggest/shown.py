"""What cells print, or show on their last line."""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from fastkf.notebook.model import Cell
from fastkf.notebook.names import last_part

OF_NUMBERS = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[dfgeFGE]|\{[^}]*:[^}]*[dfgeFGE%]\}")
PLACES = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[a-zA-Z]|\{[^}]*\}")
SHOW = ("print", "display")
WRAP = ("round", "str", "float")


class Shown(NamedTuple):
    """An expression that is shown.

    Attributes:
        value: the expression, without `round` and `str` around it.
        label: the text before it.
        is_number: it is shown as a number: `{x:.2f}`.
        place: its statement, among those of the cell.
    """

    value: ast.expr
    label: str
    is_number: bool = False
    place: int = 0


def shown_in(cell: Cell) -> Iterator[Shown]:
    """What a cell shows, outside loops and functions."""
    for place, node in placed(cell):
        value = node.value if isinstance(node, ast.Expr) else None
        found: Iterator[Shown] = iter(())
        if isinstance(value, ast.Call) and last_part(value.func) in SHOW:
            found = _shown_among(value.args, "")
        elif value and node is cell.statements[-1]:
            given = value.elts if isinstance(value, ast.Tuple) else [value]
            found = (Shown(one, "") for one in given)
        yield from (one._replace(place=place) for one in found)


def placed(cell: Cell) -> Iterator[tuple[int, ast.stmt]]:
    """The statements of a cell outside loops and functions, each with the place that it is in."""
    for place, node in enumerate(cell.statements):
        waiting = [node]
        while waiting:
            one = waiting.pop(0)
            yield place, one
            waiting = [*(one.body if isinstance(one, ast.With) else ()), *waiting]


def _shown_among(nodes: list[ast.expr], label: str) -> Iterator[Shown]:
    """What stands side by side, each behind the text before it."""
    for node in nodes:
        if isinstance(node, ast.Constant):
            label = str(node.value)
        elif isinstance(node, ast.FormattedValue):
            spec = ast.unparse(node.format_spec) if node.format_spec else ""
            is_number = bool(re.search(r"[dfgeFGE%]['\"]$", spec))
            yield from _shown_by(Shown(node.value, label, is_number))
        else:
            yield from _shown_by(Shown(node, label))


def _shown_by(shown: Shown) -> Iterator[Shown]:
    node = shown.value
    if isinstance(node, ast.JoinedStr):
        yield from _shown_among(node.values, shown.label)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        given = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
        yield from _filled_in(node.left, given)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _shown_among([node.left, node.right], shown.label)
    elif isinstance(node, ast.Call) and last_part(node.func) == "format":
        text = node.func.value if isinstance(node.func, ast.Attribute) else node.func
        yield from _filled_in(text, node.args)
    elif isinstance(node, ast.Call) and last_part(node.func) in WRAP and node.args:
        is_number = shown.is_number or last_part(node.func) != "str"
        yield from _shown_by(Shown(node.args[0], shown.label, is_number))
    else:
        yield shown


def _filled_in(template: ast.expr, given: list[ast.expr]) -> Iterator[Shown]:
    """What is put into the places of a text."""
    text = template.value if isinstance(template, ast.Constant) else ""
    if isinstance(text, str) and text:
        is_number = bool(OF_NUMBERS.search(text))
        for label, node in zip(PLACES.split(text), given, strict=False):
            yield from _shown_by(Shown(node, label, is_number))
