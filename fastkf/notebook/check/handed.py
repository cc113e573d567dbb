"""Which paths code hands to calls that may put something there, or that look what is there."""

import ast
import re
from collections.abc import Iterable, Iterator

from fastkf.notebook.check.opened import (
    MAKES_FOLDER,
    READS,
    WRITES,
    gives_own_path,
    mode_of,
    opened_by,
    text_of,
)
from fastkf.notebook.names import last_part

# Calls that make texts and paths of what they are given, or show it, and never look at the file.
ONLY_NAME = frozenset(
    (
        *("Path", "PurePath", "PosixPath", "str", "repr", "len", "print", "isinstance", "type"),
        *("expanduser", "join", "joinpath", "dirname", "basename", "abspath", "normpath"),
        *("realpath", "resolve", "absolute", "as_posix", "with_suffix", "with_name", "relative_to"),
        *("fspath", "info", "debug", "warning", "display", *dir(str)),
    )
)
IN_TEXT = re.compile(r"(?:^|(?<=[\s='\"]))~?/[^\s='\";]*|(?:^|(?<=cd ))~(?!\S)")


def handed_by(call: ast.Call, texts: dict[str, str]) -> Iterator[str]:
    """The paths that a call gets and may put something at: all but those it is known to open.

    Of what it is known to open, those where it makes each folder that is not there.
    """
    last = last_part(call.func)
    if gives_own_path(call):
        yield from paths_of([call], texts)
    if last in ONLY_NAME or (last in READS and last not in WRITES):
        return
    of = call.func.value if isinstance(call.func, ast.Attribute) else None
    given = [*call.args, *(word.value for word in call.keywords)]
    if of is not None and (last != "open" or any(sign in mode_of(call, 0) for sign in "wax+")):
        given.append(of)
    opened = dict(opened_by(call, texts))
    makes = last in MAKES_FOLDER and (last != "mkdir" or _makes_parents(call))
    for path in paths_of(given, texts):
        if path not in opened or (makes and opened[path]):
            yield path


def paths_of(nodes: Iterable[ast.expr], texts: dict[str, str]) -> Iterator[str]:
    """The paths in the texts that expressions give: a command names several."""
    for node in nodes:
        yield from IN_TEXT.findall(text_of(node, texts) or "")


def _makes_parents(call: ast.Call) -> bool:
    return any(word.arg == "parents" for word in call.keywords)
