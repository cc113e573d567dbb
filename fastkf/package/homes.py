"""Which files of this user's home the code of steps names: they are here, and in no pod."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from fastkf.base.paths import is_below, own_home
from fastkf.base.python_syntax import parse_python
from fastkf.package.model import Package
from fastkf.package.settings import for_executors, words_of

# Calls that give the same path, and those that open what has to be there.
SAME = frozenset(("Path", "PurePath", "PosixPath", "str", "fspath", "join", "abspath", "resolve"))
OPENS = re.compile(
    r"open|(read|load|write)(_\w+)?|loadtxt|genfromtxt|fromfile|imread|i?glob|rglob|listdir|scandir|"
    r"walk|iterdir|print|len|dirname|basename"
)
Texts = dict[str, list[str]]
SHELL_MAKES = re.compile(r"(?:\bmkdir|\btest|\[)\s[^;|&\n]*$")


def list_of_home(package: Package) -> Iterator[tuple[str, list[str]]]:
    """Component to the paths in its code that lead into the home folder here, and to what is there.

    Of a path in quotes, as a program has it: text and remarks name paths, too.
    """
    home = own_home()
    if home is None:
        return
    quoted = re.compile(rf"""['"]({re.escape(home)}/[^'"\n\\]+)""")
    settings = for_executors(package)
    for executor, content in package.executors.items():
        words = words_of(content.get("container") or {})
        mounted = list(_list_mounts(settings.get(executor)))
        found = {path for word in words for path in _list_needed(word, quoted, home)}
        if named := sorted(path for path in found if not is_below(path, mounted)):
            yield executor.removeprefix("exec-"), named


def _list_needed(word: str, quoted: re.Pattern[str], home: str) -> list[str]:
    """The paths in a text that must be there: none that its code may make, or looks for first.

    What lies in hidden folders, a library makes by itself: a cache.
    """
    matches = [one for one in quoted.finditer(word) if os.path.lexists(one[1])]
    matches = [one for one in matches if not _is_hidden(one[1].removeprefix(home))]
    if not matches:
        return []
    try:
        tree = parse_python(word)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [one[1] for one in matches if not SHELL_MAKES.search(word[: one.start()])]
    nodes = list(ast.walk(tree))
    texts = {one.value for one in nodes if isinstance(one, ast.Constant)}
    handed = _list_handed(nodes)
    paths = [one[1] for one in matches if one[1] in texts]
    return [one for one in paths if not is_below(one, handed)]


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(path).parts)


def _list_handed(nodes: list[ast.AST]) -> list[str]:
    """The texts that code hands to calls of which it is not known that they only open them."""
    functions = [one for one in nodes if isinstance(one, ast.FunctionDef)]
    own = {one.name for one in functions}
    opening = {one.name for one in functions if not _hands_on_arguments(one, own)}
    names: Texts = {}
    for node in nodes:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.Assign) and isinstance(target, ast.Name):
            names.setdefault(target.id, []).extend(_list_texts(node.value, names))
    return [text for node in nodes for text in _list_given(node, names, opening)]


def _hands_on_arguments(function: ast.FunctionDef, own: set[str]) -> bool:
    arguments = {one.arg: [one.arg] for one in ast.walk(function.args) if isinstance(one, ast.arg)}
    given = (_list_given(node, arguments, own) for node in ast.walk(function))
    return any(text in arguments for texts in given for text in texts)


def _list_given(node: ast.AST, names: Texts, opening: set[str]) -> Iterator[str]:
    """The texts that a call gets which may put something there, or an item that is set."""
    given: list[ast.expr] = []
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func).rpartition(".")[2]
        of = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        if name not in SAME | opening | {*dir(str)} and not OPENS.fullmatch(name):
            given = [*of, *node.args, *(one.value for one in node.keywords)]
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        given = [node.value]
    yield from (text for one in given for text in _list_texts(one, names))


def _list_texts(node: ast.expr, names: Texts) -> Iterator[str]:
    """The texts that an expression may be, or that stand in its list."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.Name(id=name):
            yield from names.get(name, ())
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            yield from (text for one in parts for text in _list_texts(one, names))
        case ast.Call(func=function, args=parts):
            if ast.unparse(function).rpartition(".")[2] in SAME:
                yield from (text for one in parts for text in _list_texts(one, names))


def _list_mounts(settings: Any) -> Iterator[str]:
    """The places of volumes in the settings of an executor."""
    if isinstance(settings, dict):
        if isinstance(place := settings.get("mountPath"), str) and place:
            yield place
        for one in settings.values():
            yield from _list_mounts(one)
    elif isinstance(settings, list):
        for one in settings:
            yield from _list_mounts(one)
