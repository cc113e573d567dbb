"""The conditions of `dsl.If`, which the KFP compiler writes in the Common Expression Language.

Of the language (https://github.com/google/cel-spec) this reads what the compiler writes:
comparisons, `&&`, `||`, `!`, words, numbers, truth values, the inputs of the task, and the casts
int(), double(), string() and bool().
"""

import ast
import re
from collections.abc import Mapping
from typing import Any

from fastkf.base.errors import FastkfError
from fastkf.base.python_syntax import COMPARISONS, parse_expression

# A text that nothing closes is one token to the end: from each quote in it, the search would begin
# again, and a condition comes from whoever uploads the package.
TOKENS = re.compile(
    r"""("(?:\\.?|[^"\\])*+(?:"|\Z)|'(?:\\.?|[^'\\])*+(?:'|\Z))|&&|\|\||!(?!=)""", re.DOTALL
)
IN_PYTHON = {"&&": " and ", "||": " or ", "!": " not "}
NAMES = {"true": True, "false": False, "null": None}


def holds(condition: str, inputs: Mapping[str, Any]) -> bool:
    """Whether a condition is true.

    Args:
        inputs: the task's input parameters.

    Raises:
        FastkfError: the condition is none that can be read, or its inputs do not fit.
    """
    try:
        text = TOKENS.sub(lambda found: IN_PYTHON.get(found[0], found[0]), condition)
        return bool(_evaluate(parse_expression(text.strip()), inputs))
    except SyntaxError as error:
        raise FastkfError(
            f"the condition {condition} cannot be judged",
            "KFP's compiler writes a text with an apostrophe or a line break as it is, and a "
            "Kubeflow fails at it too: compare with such a text in a step",
        ) from error
    except (TypeError, ValueError, KeyError) as error:
        raise FastkfError(
            f"the condition {condition} cannot be judged ({type(error).__name__}: {error})"
        ) from error


def _evaluate(node: ast.expr, inputs: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value):
            return value
        case ast.Name(name):
            return NAMES[name]
        case ast.BoolOp(ast.And(), parts):
            return all(_evaluate(part, inputs) for part in parts)
        case ast.BoolOp(ast.Or(), parts):
            return any(_evaluate(part, inputs) for part in parts)
        case ast.UnaryOp(ast.Not(), part):
            return not _evaluate(part, inputs)
        case ast.UnaryOp(ast.USub(), part):
            return -_evaluate(part, inputs)
        case ast.List(parts):
            return [_evaluate(part, inputs) for part in parts]
        case ast.Compare(left, [comparison], [right]):
            return COMPARISONS[type(comparison)](_evaluate(left, inputs), _evaluate(right, inputs))
    return _read(node, inputs)


def _read(node: ast.expr, inputs: Mapping[str, Any]) -> Any:
    """An input, or what it is cast to."""
    match node:
        case ast.Subscript(
            ast.Attribute(ast.Name("inputs"), "parameter_values"), ast.Constant(str() as name)
        ):
            return inputs[name]
        case ast.Call(ast.Name("int"), [part], []):
            return int(_evaluate(part, inputs))
        case ast.Call(ast.Name("double"), [part], []):
            return float(_evaluate(part, inputs))
        case ast.Call(ast.Name("string"), [part], []):
            return _as_string(_evaluate(part, inputs))
        case ast.Call(ast.Name("bool"), [part], []):
            return _as_string(_evaluate(part, inputs)) == "true"
    raise ValueError(f"{ast.unparse(node)} is not known here")


def _as_string(value: Any) -> str:
    """A value as CEL's string() writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
