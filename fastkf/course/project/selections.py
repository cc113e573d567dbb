"""Which rows of a table a name holds, where they are chosen by comparing a column with constants.

`flights[flights["month"] <= 4]` holds the rows whose month is at most 4. Two such choices from the
same table share rows if both hold for a value that one of them names, or for the whole number next
to it. All other choices are not known, and nothing is said of them.
"""

import ast
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fastkf.base.python_syntax import COMPARISONS, parse_expression
from fastkf.course.project.expressions import (
    KEEPING,
    Lists,
    call_name,
    find_sources,
    read_texts,
)

MOMENTS = ("Timestamp", "to_datetime")  # of pandas: a time that is given as text


@dataclass(frozen=True)
class Selection:
    """Rows of a table.

    Attributes:
        table: the name of the table, and which of its bindings.
        column: the column that they are chosen by; None for all rows.
        holds: whether rows with a value of it are among them.
        values: those that the choice names.
    """

    table: str
    column: str | None = None
    holds: Callable[[Any], bool] = lambda value: True
    values: frozenset[Any] = frozenset()

    def shares(self, other: "Selection") -> list[Any]:
        """The values for which both have rows, as far as is known."""
        if self.column is None or (self.table, self.column) != (other.table, other.column):
            return []
        named = self.values | other.values
        whole = {value for value in named if type(value) is int}
        near = {value + step for value in whole for step in (-1, 1)}
        shared = []
        for value in named | near:
            with suppress(TypeError):  # a text and a number
                if self.holds(value) and other.holds(value):
                    shared.append(value)
        return sorted(shared, key=lambda value: (str(type(value)), value))

    def where(
        self, column: str, holds: Callable[[Any], bool], values: frozenset[Any]
    ) -> "Selection":
        return Selection(self.table, column, holds, values)


class Selections:
    """The rows that names hold, statement by statement.

    Args:
        lists: names to the texts in the lists that they stand for.
        constants: names to the numbers and texts that they stand for.
    """

    def __init__(self, lists: Lists, constants: Mapping[str, Any]):
        self._lists, self._constants = lists, constants
        self._held: dict[str, Selection] = {}
        self._conditions: dict[str, Selection] = {}
        self._bindings = 0

    def bind(self, node: ast.AST) -> None:
        """Takes note of a statement."""
        if not isinstance(node, ast.Assign) or len(node.targets) != 1:
            return
        target, value = node.targets[0], node.value
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=False))
        else:
            pairs = [(target, value)]
        for one, made in [(one, (self.of(made), self._condition(made))) for one, made in pairs]:
            if isinstance(one, ast.Name):
                self._bindings += 1
                rows, condition = made
                is_narrowed = rows and rows.column and one.id in find_sources(value)
                kept = None if is_narrowed else rows  # from here on, the name's rows are a table
                self._held[one.id] = kept or Selection(f"{one.id} {self._bindings}")
                self._conditions.pop(one.id, None)
                if condition:
                    self._conditions[one.id] = condition

    def of(self, value: ast.AST) -> Selection | None:
        """The rows of an expression; None where they are not known."""
        if isinstance(value, ast.Name):
            return self._held.get(value.id)
        if isinstance(value, ast.Subscript):
            return self._of_subscript(value)
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            rows, name = self.of(value.func.value), value.func.attr
            words = {word.arg for word in value.keywords}
            if name == "query" and rows and len(value.args) == 1:
                return self._narrow(rows, self._of_query(rows, value.args[0]))
            keeps = name in KEEPING or (name == "drop" and "columns" in words)
            return rows if keeps else None
        return None

    def _of_subscript(self, value: ast.Subscript) -> Selection | None:
        base, chosen = value.value, value.slice
        if isinstance(base, ast.Attribute) and base.attr == "loc":
            base = base.value
            chosen = chosen.elts[0] if isinstance(chosen, ast.Tuple) and chosen.elts else chosen
        rows = self.of(base)
        if rows is None:
            return None
        if read_texts(chosen, self._lists) is not None:
            return rows  # some of their columns
        return self._narrow(rows, self._condition(chosen))

    def _narrow(self, rows: Selection, condition: Selection | None) -> Selection | None:
        if condition is None or condition.table != rows.table:
            return None
        if rows.column is None:
            return condition
        return _both(rows, condition, all)

    def _of_query(self, rows: Selection, text: ast.expr) -> Selection | None:
        if not isinstance(text, ast.Constant) or not isinstance(text.value, str):
            return None
        try:
            return self._condition(parse_expression(text.value.replace("@", "")), rows)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # pandas' own language
            return None

    def _condition(self, node: ast.AST, query: Selection | None = None) -> Selection | None:
        """The rows for which an expression is true.

        Args:
            query: the rows whose columns stand in it by their bare names.
        """
        if isinstance(node, ast.Name):
            return self._conditions.get(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert | ast.Not):
            inner = self._condition(node.operand, query)
            return inner and inner.where(
                str(inner.column), lambda value: not inner.holds(value), inner.values
            )
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
            parts = [self._condition(one, query) for one in (node.left, node.right)]
            return _join(parts, all if isinstance(node.op, ast.BitAnd) else any)
        if isinstance(node, ast.BoolOp):
            parts = [self._condition(one, query) for one in node.values]
            return _join(parts, all if isinstance(node.op, ast.And) else any)
        if isinstance(node, ast.Compare):
            return self._compare(node, query)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return self._call(node, node.func, query)
        return None

    def _compare(self, node: ast.Compare, query: Selection | None) -> Selection | None:
        """A chain of comparisons, each between the column and a constant."""
        operands, parts = [node.left, *node.comparators], []
        for left, sign, right in zip(operands, node.ops, operands[1:], strict=False):
            compare, turned = COMPARISONS.get(type(sign)), False
            column, other = self._column(left, query), right
            if column is None:
                column, other, turned = self._column(right, query), left, True
            if isinstance(sign, ast.In) and not turned and column:
                parts.append(_among(column, self._list(right)))
                continue
            known, constant = self._constant(other)
            if column is None or compare is None or not known:
                return None
            parts.append(_compared(column, compare, constant, turned))
        return _join(parts, all)

    def _call(
        self, node: ast.Call, function: ast.Attribute, query: Selection | None
    ) -> Selection | None:
        column = self._column(function.value, query)
        if column is None or node.keywords:
            return None
        if function.attr == "isin" and len(node.args) == 1:
            return _among(column, self._list(node.args[0]))
        limits = [self._constant(one) for one in node.args]
        if function.attr == "between" and len(limits) == 2 and all(known for known, _ in limits):
            (_, low), (_, high) = limits
            name, rows = column
            return rows.where(name, lambda value: low <= value <= high, frozenset({low, high}))
        return None

    def _column(self, node: ast.AST, query: Selection | None) -> tuple[str, Selection] | None:
        """The column that an expression is, and the rows that have it."""
        if query and isinstance(node, ast.Name) and node.id not in self._constants:
            return node.id, query
        if isinstance(node, ast.Attribute):
            name, base = node.attr, node.value
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            name, base = str(node.slice.value), node.value
        else:
            return None
        rows = self._held.get(base.id) if isinstance(base, ast.Name) else None
        return (name, rows) if rows else None

    def _list(self, node: ast.AST) -> list[Any] | None:
        """The constants in a list, or in a range."""
        if isinstance(node, ast.Call) and call_name(node) == "range":
            limits = [self._constant(one) for one in node.args]
            if limits and all(known and type(value) is int for known, value in limits):
                values = range(*(value for _, value in limits[:2]))
                return list(values) if len(limits) < 3 and len(values) < 10_000 else None
        if not isinstance(node, ast.List | ast.Tuple | ast.Set):
            return None
        found = [self._constant(one) for one in node.elts]
        return [value for _, value in found] if all(known for known, _ in found) else None

    def _constant(self, node: ast.AST) -> tuple[bool, Any]:
        """Whether an expression is a number or a text, and which."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str):
            return True, node.value
        if isinstance(node, ast.Name) and node.id in self._constants:
            return True, self._constants[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            known, value = self._constant(node.operand)
            is_number = known and isinstance(value, int | float)
            return is_number, -value if is_number else None
        if isinstance(node, ast.Call) and call_name(node) in MOMENTS and len(node.args) == 1:
            return self._constant(node.args[0])
        return False, None


def _compared(
    column: tuple[str, Selection], compare: Callable[[Any, Any], bool], constant: Any, turned: bool
) -> Selection:
    name, rows = column

    def holds(value: Any) -> bool:
        return compare(constant, value) if turned else compare(value, constant)

    return rows.where(name, holds, frozenset({constant}))


def _among(column: tuple[str, Selection], values: list[Any] | None) -> Selection | None:
    if values is None:
        return None
    name, rows = column
    return rows.where(name, lambda value: value in values, frozenset(values))


def _join(
    parts: Iterable[Selection | None], how: Callable[[Iterable[bool]], bool]
) -> Selection | None:
    """The rows for which all, or any, of the conditions are true, if they are about one column."""
    joined: Selection | None = None
    for part in parts:
        if part is None:
            return None
        if joined is not None:
            part = _both(joined, part, how)
        joined = part
        if joined is None:
            return None
    return joined


def _both(
    one: Selection, other: Selection, how: Callable[[Iterable[bool]], bool]
) -> Selection | None:
    if (one.table, one.column) != (other.table, other.column):
        return None
    return one.where(
        str(one.column),
        lambda value: how(part.holds(value) for part in (one, other)),
        one.values | other.values,
    )
