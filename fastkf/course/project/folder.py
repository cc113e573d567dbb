"""A learner's folder: what is in it, read within limits, and never run.

The folder may be anybody's. No link is followed, nothing outside of it is read, and what is read
is plain data: JSON, YAML, CSV, text.
"""

import csv
import io
import json
import math
import os
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any

from fastkf.base.errors import FastkfError, UsageError, first_line, one_line
from fastkf.base.files import read_inside
from fastkf.base.paths import lacks_folder
from fastkf.base.yaml_text import Limits, read_yaml

MOST_FILES = 5_000
LARGEST = 16 * 2**20  # bytes of one file
MOST_ROWS = 20_000  # of a table
LEFT_OUT = {"node_modules", "venv", "artifacts", "outputs", "__pycache__"}
EVIDENCE = "evidence"
YAML_LIMITS = Limits(letters=2 * 2**20, values=200_000, levels=50, seconds=10.0)


class Refused(FastkfError):  # noqa: N818 - a verdict, and no fault of the program's
    """A point that is not given.

    Attributes:
        where: the file, or the cell, that was looked at.
    """

    def __init__(self, where: str, problem: str, remedy: str):
        super().__init__(problem, remedy)
        self.where = where


@dataclass(frozen=True)
class Folder:
    """A folder, by its path."""

    root: Path

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The files below it, those of `evidence/` first; hidden ones and links are none.

        Raises:
            UsageError: it is no folder, or has too many files.
        """
        if lack := lacks_folder(self.root):
            raise UsageError(f"{self.root}: {lack}", "name the folder of a project")
        found: list[str] = []
        for place, folders, names in os.walk(self.root):
            folders[:] = sorted(one for one in folders if one[0] != "." and one not in LEFT_OUT)
            here = Path(place).relative_to(self.root)
            paths = ((here / name) for name in sorted(names) if name[0] != ".")
            found += [path.as_posix() for path in paths if not (self.root / path).is_symlink()]
            if len(found) > MOST_FILES:
                raise UsageError(
                    f"{self.root}: more than {MOST_FILES:,} files", "name the project's own folder"
                )
        return tuple(sorted(found, key=lambda name: (not name.startswith(f"{EVIDENCE}/"), name)))

    def named(self, *patterns: str) -> list[str]:
        """The files whose own name fits one of the patterns."""
        return [
            name
            for name in self.files
            if any(fnmatch(name.rpartition("/")[2].lower(), pattern) for pattern in patterns)
        ]

    def find(self, looked_for: str, remedy: str, *patterns: str) -> str:
        """The first file of such a name.

        Raises:
            Refused: there is none.
        """
        found = self.named(*patterns)
        if not found:
            raise Refused(f"{EVIDENCE}/", f"there is no {looked_for}", remedy)
        return found[0]

    def read(self, name: str) -> str:
        """A file's text.

        Raises:
            Refused: it cannot be read, or is empty.
        """
        try:
            text = read_inside(self.root, name, LARGEST).decode("utf-8-sig")
        except (OSError, ValueError) as error:
            raise unreadable(name, error) from error
        if not text.strip():
            raise Refused(name, "the file is empty", "write it again")
        return text

    def read_json(self, name: str) -> Any:
        try:
            return json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            raise unreadable(name, error) from error

    def read_documents(self, name: str) -> list[Any]:
        """The documents of a YAML file, or the one of a JSON file."""
        if name.endswith(".json"):
            return [self.read_json(name)]
        try:
            return read_yaml(self.read(name), YAML_LIMITS)
        except (ValueError, RecursionError) as error:
            raise unreadable(name, error) from error

    def read_table(self, name: str) -> list[dict[str, str]]:
        """The rows of a CSV file, by its heading.

        Raises:
            Refused: it is none, or has too many rows.
        """
        rows: list[dict[str, str]] = []
        again = "write it again"
        try:
            for row in csv.DictReader(io.StringIO(self.read(name), newline="")):
                if None in row:
                    raise Refused(name, f"row {len(rows) + 1} is longer than the heading", again)
                rows.append({str(key): str(value or "") for key, value in row.items()})
                if len(rows) > MOST_ROWS:
                    raise Refused(name, f"more than {MOST_ROWS:,} rows", "hand in fewer of them")
        except csv.Error as error:
            raise unreadable(name, error) from error
        if not rows:
            raise Refused(name, "the table has no rows", again)
        return rows


def unreadable(name: str, error: BaseException) -> Refused:
    reason = one_line(first_line(error))
    return Refused(name, f"the file cannot be read ({reason})", "write it again")


def as_table(value: Any) -> dict[str, Any]:
    """What JSON or YAML calls an object; {} for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def as_number(value: Any) -> float | None:
    """A finite number, or a text of one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
