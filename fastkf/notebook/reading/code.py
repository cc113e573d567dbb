"""What Kale asks of code (kale/common/astutils.py, flakeutils.py, utils.py).

The results are the same, whatever one may think of them: a name that only a comprehension has
counts as one that a step could pass on, as it does for Kale. `fastkf check` reports what comes of
that.
"""

import ast
import keyword
import re
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache

from fastkf.base.python_syntax import parse_python
from fastkf.notebook.reading.errors import NotPlainError

_MAGIC = re.compile(r"^(\s*%%?.*)$", re.M)
_QUOTED = re.compile(r"'(.+?)'")
_METRIC = re.compile(r"print\(([a-z](?:[_a-z0-9]{0,62}[a-z0-9])?)\)")
_DEFINITIONS = (ast.FunctionDef, ast.ClassDef)


@cache
def parse(code: str) -> ast.Module:
    """The syntax tree; nobody changes it.

    Raises:
        NotPlainError: it is no Python.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            return parse_python(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotPlainError(str(error)) from error


@cache
def missing_names(code: str) -> frozenset[str]:
    """The names that code uses and nothing in it makes: pyflakes_report.

    Raises:
        NotPlainError: it is no Python.
    """
    from pyflakes.checker import Checker

    messages = map(str, Checker(parse(code), filename="kale").messages)
    undefined = [message for message in messages if "undefined name" in message]
    return frozenset(found[1] for one in undefined if (found := _QUOTED.search(one)))


def comment_magics(code: str) -> str:
    """The code with a # before each line that begins with %: comment_magic_commands."""
    return _MAGIC.sub(r"#\1", code.strip())


@cache
def offered_names(code: str) -> frozenset[str]:
    """The names that a step could pass on: get_marshal_candidates.

    Raises:
        NotPlainError: it is no Python.
    """
    names: set[str] = set()
    for node in _walk(parse(comment_magics(code)).body, stop_at=_DEFINITIONS):
        if isinstance(node, _DEFINITIONS):
            names.add(node.name)
        elif isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(one.asname or one.name for one in node.names)
    return frozenset(names)


@cache
def functions_in(code: str) -> tuple[tuple[str, str], ...]:
    """The functions outside classes, each by its name, the last of a name: parse_functions.

    Raises:
        NotPlainError: it is no Python, or Kale cannot write one of them down.
    """
    found: dict[str, str] = {}
    nodes = _walk(parse(code).body, stop_at=(ast.FunctionDef,), ignore=(ast.ClassDef,))
    for node in nodes:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = _write_down(node)
    return tuple(found.items())


def _write_down(node: ast.FunctionDef) -> str:
    """The function's code, as the library that Kale uses writes it."""
    with warnings.catch_warnings(action="ignore"):  # of names of `ast` that go with Python 3.14
        import astor

        try:
            return str(astor.to_source(node))
        except Exception as error:  # newer syntax than astor knows
            raise NotPlainError(f"{type(error).__name__}: {error}") from error


@cache
def called_names(code: str) -> frozenset[str]:
    """The names that are called as functions: get_function_calls."""
    return frozenset(
        node.func.id
        for node in ast.walk(parse(code))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    )


def last_name(code: str) -> str | None:
    """The name that code ends with, alone on its line: get_trailing_variable."""
    body = parse(code.strip()).body
    last = body[-1].value if body and isinstance(body[-1], ast.Expr) else None
    return last.id if isinstance(last, ast.Name) else None


def read_parameters(code: str) -> dict[str, tuple[str, int | float | str]]:
    """The pipeline parameters, each with the name of its type: parse_assignments_expressions.

    Raises:
        NotPlainError: Kale refuses them.
    """
    found: dict[str, tuple[str, int | float | str]] = {}
    for node in parse(code).body:
        if not isinstance(node, ast.Assign) or len(node.targets) != 1:
            raise NotPlainError("a parameter")
        target, value = node.targets[0], node.value
        if not isinstance(target, ast.Name) or not isinstance(value, ast.Constant):
            raise NotPlainError("a parameter")
        if not isinstance(value.value, int | float | str):
            raise NotPlainError("a parameter's value")
        found[target.id] = (type(value.value).__name__, value.value)
    return found


def read_metrics(code: str) -> dict[str, str]:
    """The variables that are metrics, each with its metric: parse_metrics_print_statements.

    Raises:
        NotPlainError: Kale refuses them.
    """
    found: dict[str, str] = {}
    for line in filter(str.strip, code.strip().splitlines()):
        printed = _METRIC.fullmatch(line)
        if not printed or keyword.iskeyword(printed[1]):
            raise NotPlainError("a metric")
        found[printed[1]] = printed[1].replace("_", "-")
    return found


def _walk(
    nodes: Iterable[ast.AST], stop_at: tuple[type, ...], ignore: tuple[type, ...] = ()
) -> Iterator[ast.AST]:
    """Nodes and those inside them, in breadth; not into `stop_at`, and without `ignore`: walk."""
    for root in nodes:
        waiting = deque([root])
        while waiting:
            node = waiting.popleft()
            if isinstance(node, ignore):
                continue
            if not isinstance(node, stop_at):
                waiting.extend(ast.iter_child_nodes(node))
            yield node
