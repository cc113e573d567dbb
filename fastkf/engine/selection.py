"""The parts of a loop's items, as KFP's compiler writes them."""

import ast
import json
from typing import Any

from fastkf.base.errors import show_value
from fastkf.base.python_syntax import parse_expression


def select(value: Any, selector: str) -> Any:
    """The part of a loop's item that `parseJson(string_value)["a"]` names.

    Raises:
        ValueError: it has no such part.
    """
    try:
        return _follow(parse_expression(selector), value)
    except (SyntaxError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{show_value(value)} has no part {selector}") from error


def _follow(node: ast.expr, value: Any) -> Any:
    match node:
        case ast.Name("string_value" | "struct_value" | "list_value"):
            return value
        case ast.Call(ast.Name("parseJson"), [inner], []):
            text = _follow(inner, value)
            return json.loads(text) if isinstance(text, str) else text
        case ast.Subscript(inner, ast.Constant(key)):
            return _follow(inner, value)[key]
        case ast.Attribute(inner, name):
            return _follow(inner, value)[name]
    raise ValueError(ast.unparse(node))
