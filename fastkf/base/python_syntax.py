"""Syntax trees of Python code, also where several threads read code at once."""

import ast
import operator
import threading
from collections.abc import Callable, Mapping
from typing import Any

COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
}

# Python before 3.11.8 and 3.12.1 counts the depth of all trees that are being made in one number.
# Where another thread gets its turn within a tree, both end with "SystemError: AST constructor
# recursion depth mismatch": https://github.com/python/cpython/issues/106905
_ONE_AT_A_TIME = threading.Lock()


def parse_python(source: str) -> ast.Module:
    """The syntax tree of a module.

    Raises:
        SyntaxError: it is no Python.
        ValueError: it has a zero byte.
        RecursionError, MemoryError: it is too deep for Python to read.
    """
    with _ONE_AT_A_TIME:
        return ast.parse(source)


def parse_expression(source: str) -> ast.expr:
    """The syntax tree of one expression; raises what `parse_python` raises."""
    with _ONE_AT_A_TIME:
        return ast.parse(source, mode="eval").body
