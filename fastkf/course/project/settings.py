"""project.toml: what a project says of itself, since no program can guess it.

notebook          the file of the Kale notebook
target            the column that is predicted
known_afterwards  the columns that nobody knows yet when the question is asked
test_rows         the variables of the notebook that hold the test rows
p95_milliseconds  the time within which 95 answers of 100 arrive, as promised
"""

import tomllib
from dataclasses import dataclass
from typing import Any

from fastkf.base.errors import UsageError, one_line
from fastkf.course.project.folder import Folder, Refused, as_number

FILE = "project.toml"
MOST_MILLISECONDS = 60_000


@dataclass(frozen=True)
class Settings:
    """The content of project.toml; the module's text says what is what."""

    notebook: str
    target: str
    known_afterwards: frozenset[str]
    test_rows: frozenset[str]
    p95_milliseconds: float


def read_settings(folder: Folder) -> Settings:
    """The settings of a project.

    Raises:
        UsageError: there are none, or they cannot be read: nothing can be judged.
    """
    place = folder.root / FILE
    if FILE not in folder.files:
        raise UsageError(f"{place}: no such file", "`fastkf project new FOLDER` makes one")
    try:
        content = tomllib.loads(folder.read(FILE))
    except (Refused, ValueError, RecursionError) as error:
        raise UsageError(f"{place}: cannot be read ({one_line(str(error))})") from error
    milliseconds = as_number(content.get("p95_milliseconds"))
    if milliseconds is None or not 0 < milliseconds <= MOST_MILLISECONDS:
        raise _wrong(folder, content, "p95_milliseconds", f"a number, at most {MOST_MILLISECONDS}")
    return Settings(
        notebook=_read_name(folder, content, "notebook"),
        target=_read_name(folder, content, "target"),
        known_afterwards=_read_names(folder, content, "known_afterwards"),
        test_rows=_read_names(folder, content, "test_rows"),
        p95_milliseconds=milliseconds,
    )


def _read_name(folder: Folder, content: dict[str, Any], key: str) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _wrong(folder, content, key, "a text that is not empty")
    return value.strip()


def _read_names(folder: Folder, content: dict[str, Any], key: str) -> frozenset[str]:
    value = content.get(key)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _wrong(folder, content, key, 'a list of texts, such as ["one", "two"]')
    return frozenset(value)


def _wrong(folder: Folder, content: dict[str, Any], key: str, wanted: str) -> UsageError:
    place = folder.root / FILE
    if key not in content:
        return UsageError(f"{place}: there is no {key}", f"add it: {wanted}")
    return UsageError(f"{place}: {key} must be {wanted}", "correct it")
