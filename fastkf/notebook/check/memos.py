"""Functions that remember what they have computed: without that they compute it once more."""

import ast
from collections.abc import Iterator

from fastkf.notebook.names import CHANGING, CHANGING_ALONE

MISSING = ("KeyError", "AttributeError", "NameError")


def is_memo(function: ast.AST, text: str) -> bool:
    """Whether a function keeps results in something, and looks for them before it computes.

    Args:
        function: its definition.
        text: what it keeps them in, as it stands in the code: `CACHE`, `f.cache`, `cls._one`.
    """
    nodes = list(ast.walk(function))
    kept = [kind for node in nodes for kind in _kept_by(node, text)]
    if not kept or not all(kept):
        return False
    tests = [node.test for node in nodes if isinstance(node, ast.If | ast.IfExp)]
    asks = any(_is_there(node, text) for test in tests for node in ast.walk(test))
    catches = any(
        handler.type is not None and ast.unparse(handler.type) in MISSING
        for node in nodes
        if isinstance(node, ast.Try)
        for handler in node.handlers
    )
    gets = any(
        isinstance(node, ast.Call) and ast.unparse(node.func) == f"{text}.get" for node in nodes
    )
    return asks or catches or gets


def _kept_by(node: ast.AST, text: str) -> Iterator[bool]:
    """For each change of it: whether a value is put in, and nothing made of what is there."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            inner = target.value if isinstance(target, ast.Subscript) else target
            if ast.unparse(inner) == text:
                yield True
    elif isinstance(node, ast.AugAssign | ast.Delete):
        targets = node.targets if isinstance(node, ast.Delete) else [node.target]
        if any(text in ast.unparse(target) for target in targets):
            yield False
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        is_changing = node.func.attr in {*CHANGING, *CHANGING_ALONE}
        if is_changing and text in ast.unparse(node.func.value):
            yield False


def _is_there(node: ast.AST, text: str) -> bool:
    """Whether it asks for a result: `x in CACHE`, `CACHE is None`, `not CACHE`."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        kinds = (ast.In, ast.NotIn, ast.Is, ast.IsNot)
        is_asked = isinstance(node.ops[0], kinds)
        return is_asked and text in (ast.unparse(side) for side in sides)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return ast.unparse(node.operand) == text
    return False
