"""The block `fastkf` in a notebook's metadata: what the course says about a lab.

The file is not trusted: every key is looked at before anything is made of it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastkf.base.errors import FastkfError

COURSE_METADATA = "fastkf"
REMEDY = "correct the metadata in JupyterLab's property inspector, or remove the key"
Value = int | float | str | bool


@dataclass(frozen=True)
class CourseMetadata:
    """What the course says about a lab; a notebook of any other origin has none of it.

    Attributes:
        title: as the list of labs shows it.
        aim: one sentence.
        minutes: the time that the lab usually takes.
        needs: names of data sets.
        quick: pipeline parameters for a quick check of the lab.
        tolerance: how far the metrics of two runs may differ, relative to their size; None: not
            said.
        files: those that the image of the steps brings, by paths relative to the notebook.
    """

    title: str | None = None
    aim: str | None = None
    minutes: int | float | None = None
    needs: tuple[str, ...] = ()
    quick: Mapping[str, Value] = field(default_factory=dict)
    tolerance: int | float | None = None
    files: tuple[str, ...] = ()


def read_course(metadata: Mapping[str, Any], path: Path) -> CourseMetadata:
    """The course's block, from the metadata of the notebook at `path`.

    Raises:
        FastkfError: something in the block has a wrong type.
    """
    problems = find_problems(metadata)
    if problems:
        raise FastkfError(f"{path}: {problems[0]}", REMEDY)
    given = metadata.get(COURSE_METADATA, {})
    known = {key: given[key] for key in KEYS if key in given}
    known |= {key: tuple(known[key]) for key in ("needs", "files") if key in known}
    return CourseMetadata(**known)


def find_problems(metadata: Mapping[str, Any]) -> list[str]:
    """What is wrong with the course's block, a line each."""
    block = metadata.get(COURSE_METADATA, {})
    if not isinstance(block, Mapping):
        return [f"{COURSE_METADATA} in the metadata is {block!r}, and not an object with keys"]
    return [
        f"{COURSE_METADATA}.{key} in the metadata is {block[key]!r}, and not {wanted}"
        for key, (is_right, wanted) in KEYS.items()
        if key in block and not is_right(block[key])
    ]


def list_files(metadata: Mapping[str, Any]) -> list[str]:
    """The files that the block names; none where it is wrong, which `find_problems` tells."""
    block = metadata.get(COURSE_METADATA)
    files = block.get("files") if isinstance(block, Mapping) else None
    return list(files) if isinstance(files, list) and _is_list_of_texts(files) else []


def set_files(metadata: Mapping[str, Any], files: Iterable[str]) -> dict[str, Any]:
    """The metadata with these files in the block; as they are where it is wrong."""
    named = list(dict.fromkeys(files))
    if not named or find_problems(metadata):
        return dict(metadata)
    block = metadata.get(COURSE_METADATA, {})
    return {**metadata, COURSE_METADATA: {**block, "files": named}}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_parameters(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(one, Value) for one in value.values())


KEYS: dict[str, tuple[Callable[[object], bool], str]] = {
    "title": (_is_text, "a text"),
    "aim": (_is_text, "a text"),
    "minutes": (_is_number, "a number of minutes"),
    "needs": (_is_list_of_texts, 'a list of names, such as ["titanic"]'),
    "files": (_is_list_of_texts, 'a list of paths, such as ["words.txt"]'),
    "quick": (_is_parameters, 'an object of parameters, such as {"epochs": 1}'),
    "tolerance": (_is_number, "a number, such as 0.01"),
}
