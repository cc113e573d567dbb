"""The exercises of a lab: their cells, and whether what a check has printed calls an answer right.

A cell is a mapping, as nbformat writes it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

EXERCISE = re.compile(r"^###? Exercise ", re.M)
RIGHT = "Right"  # how the check of an exercise begins, when the answer is


def group_cells(cells: Iterable[Any]) -> list[list[Any]]:
    """The code cells of each exercise: those below its heading, up to the next heading."""
    found: list[list[Any]] = []
    in_exercise = False
    for cell in cells:
        text = source_of(cell)
        if cell.get("cell_type") == "markdown" and text.startswith("#"):
            in_exercise = bool(EXERCISE.search(text))
            found += [[]] if in_exercise else []
        elif cell.get("cell_type") == "code" and in_exercise:
            found[-1].append(cell)
    return found


def source_of(cell: Mapping[str, Any]) -> str:
    return "".join(cell.get("source") or "")


def is_right(outputs: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the outputs of a cell say that an answer is right."""
    return "".join("".join(output.get("text", "")) for output in outputs).startswith(RIGHT)
