"""The workbook: the learner's copies of the notebooks, made once and never overwritten.

A copy has no outputs, so that those it has are the learner's own. It stands as deep as its
original, so `../data` and `../labs` mean the same in both.
"""

import copy
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fastkf.base.errors import FastkfError
from fastkf.base.files import write_new
from fastkf.course import places
from fastkf.course.exercises import source_of
from fastkf.course.labs import read_labs
from fastkf.notebook.file import read_content
from fastkf.notebook.metadata import COURSE_METADATA

ORIGINAL = "copied_from"  # the original's digest, in the course's metadata of a copy
FRESH = "-fresh"
TARGET = re.compile(
    r"""(?P<before>\]\(<?|^\[[^\]]+\]:\s+|\b(?:src|href|srcset)=["'])  # Markdown's, HTML's
    (?P<target>[^\s)>"'#]+)""",
    re.M | re.X,
)


@dataclass
class Prepared:
    """What became of the workbook.

    Attributes:
        added: the copies that were made now.
        outdated: the copies whose originals have changed since.
        problems: what kept a notebook from being copied, a line each.
    """

    added: list[Path] = field(default_factory=list)
    outdated: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def prepare() -> Prepared:
    """Copies the notebooks that are not in the workbook yet.

    Raises:
        FastkfError: there can be no workbook here.
    """
    _make_folder()
    done = Prepared()
    for original in read_labs().notebooks:
        made = find_copy(original)
        try:
            content = read_content(original)
            if write_new(made, _as_bytes(make_copy(content, original.parent))):
                done.added.append(made)
            elif _is_outdated(made, content):
                done.outdated.append(made)
        except FastkfError as error:
            done.problems.append(str(error))
    return done


def copy_fresh(lab: Path) -> Path:
    """Makes one more copy of a lab, under a name that is not taken.

    Raises:
        FastkfError: there can be no workbook here, or the lab cannot be read.
    """
    _make_folder()
    content = _as_bytes(make_copy(read_content(lab), lab.parent))
    for number in count(1):
        made = places.WORKBOOK / f"{lab.stem}{FRESH}{number if number > 1 else ''}.ipynb"
        if write_new(made, content):
            return made
    raise AssertionError  # there are more numbers than files


def find_copy(lab: Path) -> Path:
    return places.WORKBOOK / lab.name


def list_copies(lab: Path) -> list[Path]:
    """The copies of a lab that are there, the fresh ones last."""
    fresh = places.WORKBOOK.glob(f"{lab.stem}{FRESH}*.ipynb")
    return [path for path in (find_copy(lab), *sorted(fresh)) if path.is_file()]


def make_copy(content: Mapping[str, Any], home: Path) -> dict[str, Any]:
    """The content of a copy: without outputs, and with links that lead where they led.

    Args:
        content: of the original.
        home: its folder.
    """
    made = copy.deepcopy(dict(content))
    copied = {path.name for path in read_labs().notebooks}
    for cell in made["cells"]:
        if cell.get("cell_type") == "code":
            cell |= {"outputs": [], "execution_count": None}
        elif cell.get("cell_type") == "markdown":
            text = redirect(source_of(cell), home, copied)
            cell["source"] = text.splitlines(keepends=True)
    metadata = made.get("metadata") or {}
    about = metadata.get(COURSE_METADATA) or {}
    made["metadata"] = {**metadata, COURSE_METADATA: {**about, ORIGINAL: digest(content)}}
    return made


def redirect(text: str, home: Path, copied: set[str]) -> str:
    """A text whose relative links lead to the files beside the original, but for the copied."""

    def lead(link: re.Match[str]) -> str:
        target = link["target"]
        is_beside = not target.startswith(("../", "/")) and ":" not in target
        if not is_beside or target in copied or not (home / unquote(target)).exists():
            return link[0]
        return f"{link['before']}../{home.name}/{target}"

    return TARGET.sub(lead, text)


def digest(content: Mapping[str, Any]) -> str:
    """A hash of what a reader works with: texts, code and tags, without outputs."""
    cells = [
        [cell.get("cell_type"), source_of(cell), (cell.get("metadata") or {}).get("tags") or []]
        for cell in content["cells"]
    ]
    return hashlib.sha256(json.dumps(cells).encode("utf-8")).hexdigest()


def _is_outdated(made: Path, original: Mapping[str, Any]) -> bool:
    """Whether the original has changed since; no, of a file that does not say what it was."""
    try:
        about = (read_content(made).get("metadata") or {}).get(COURSE_METADATA)
    except FastkfError:
        return False
    known = about.get(ORIGINAL) if isinstance(about, dict) else None
    return known is not None and known != digest(original)


def _make_folder() -> None:
    try:
        places.WORKBOOK.mkdir(exist_ok=True)
    except OSError as error:
        raise FastkfError(
            f"{places.WORKBOOK}: your copies of the labs cannot be made ({error.strerror})",
            "open the labs themselves: fastkf lab notebooks",
        ) from error


def _as_bytes(content: Mapping[str, Any]) -> bytes:
    """As JupyterLab saves it."""
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
