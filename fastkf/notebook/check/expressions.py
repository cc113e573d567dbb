"""What single expressions tell of the kind of what they give."""

import ast
from collections.abc import Callable

from fastkf.notebook.check.calls import NUMPY, PANDAS, PLAIN

# Methods of an array that give one number of NumPy, or an array.
REDUCING = frozenset(
    ("argmax", "argmin", "mean", "std", "var", "sum", "max", "min", "prod", "ptp", "cumsum")
)
# Functions of NumPy that give an array for a table; the others may leave it one, as log does.
TO_ARRAYS = frozenset(
    f"numpy.{name}"
    for name in ("array", "asarray", "concatenate", "vstack", "hstack", "column_stack")
)


def of_table(name: str, call: ast.Call, kind_of: Callable[[ast.expr], str | None]) -> bool:
    """Whether a function of NumPy gets a table of pandas, or a part of one, and may give one."""
    given = [*call.args, *(word.value for word in call.keywords)]
    parts = (inner for one in given if kind_of(one) != NUMPY for inner in ast.walk(one))
    names = (inner for inner in parts if isinstance(inner, ast.expr))
    return name not in TO_ARRAYS and any(kind_of(inner) == PANDAS for inner in names)


def kind_of_operation(
    node: ast.BinOp | ast.UnaryOp, kind_of: Callable[[ast.expr], str | None]
) -> str | None:
    """The kind of a result: NumPy makes its own of one of Python's numbers and one of its own.

    A list times a number of NumPy may be a list, and a text may be filled in by `%`.
    """
    if isinstance(node, ast.UnaryOp):
        kind = kind_of(node.operand)
        return kind if kind in (NUMPY, PLAIN) and not isinstance(node.op, ast.Not) else None
    sides = {kind_of(one) for one in (node.left, node.right)}
    if len(sides) == 1:
        return next(iter(sides & {NUMPY, PLAIN}), None)
    is_number = any(_is_number(one) for one in (node.left, node.right))
    is_sure = is_number or isinstance(node.op, ast.Add | ast.Sub | ast.Div | ast.Pow)
    return NUMPY if sides == {NUMPY, PLAIN} and is_sure else None


def may_change_kind(node: ast.AugAssign, kind_of: Callable[[ast.expr], str | None]) -> bool:
    """Whether `+=` and its like make something else of a value of Python's."""
    return kind_of(node.target) == PLAIN != kind_of(node.value)


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def are_many_axes(call: ast.Call) -> bool:
    """Whether a figure has several axes, which come as an array: `plt.subplots(1, 2)`."""
    words = [word.value for word in call.keywords if word.arg in ("nrows", "ncols")]
    counts = [one.value for one in (*call.args[:2], *words) if isinstance(one, ast.Constant)]
    return any(isinstance(count, int) and count > 1 for count in counts)


def are_pairs(targets: list[ast.expr], value: ast.Tuple) -> bool:
    """Whether each of several variables gets the value at its place: `a, b = 1, 2`."""
    both = [*targets, *value.elts]
    return len(both) == 2 * len(targets) and not any(isinstance(one, ast.Starred) for one in both)
