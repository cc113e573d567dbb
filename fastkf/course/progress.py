"""How far a learner is: read from the outputs that the workbook's notebooks have saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastkf.base.errors import FastkfError
from fastkf.course.exercises import group_cells, is_right, source_of
from fastkf.course.labs import read_labs
from fastkf.course.workbook import list_copies
from fastkf.notebook.file import read_content
from fastkf.notebook.metadata import read_course


@dataclass(frozen=True)
class Standing:
    """How far one lab is.

    Attributes:
        notebook: the copy that was looked at, the one with which the learner came farthest; None
            where there is none that can be read.
        cells: code cells, and how many of them have been run.
        exercises: the lab's exercises, and how many of them are solved.
    """

    lab: Path
    part: str
    title: str
    notebook: Path | None
    cells: int
    cells_run: int
    exercises: int
    exercises_solved: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.lab.stem,
            "part": self.part,
            "title": self.title,
            "notebook": str(self.notebook) if self.notebook else None,
            "cells": {"run": self.cells_run, "all": self.cells},
            "exercises": {"solved": self.exercises_solved, "all": self.exercises},
        }


def look() -> list[Standing]:
    """How far each lab is, in the order of the course."""
    labs = read_labs()
    return [_look_at(lab, labs.part(lab)) for lab in labs.all]


def _look_at(lab: Path, part: str) -> Standing:
    original = read_content(lab)
    title = read_course(original.get("metadata") or {}, lab).title or lab.stem
    best = Standing(lab, part, title, None, *_count(original, is_run=False))
    for path in list_copies(lab):
        try:
            found = Standing(lab, part, title, path, *_count(read_content(path)))
        except FastkfError:
            continue
        if best.notebook is None or _distance(found) > _distance(best):
            best = found
    return best


def _distance(standing: Standing) -> tuple[int, int]:
    return standing.exercises_solved, standing.cells_run


def _count(content: Mapping[str, Any], is_run: bool = True) -> tuple[int, int, int, int]:
    """Code cells, those that were run, exercises, those that are solved."""
    cells = [
        cell
        for cell in content["cells"]
        if cell.get("cell_type") == "code" and source_of(cell).strip()
    ]
    exercises = group_cells(content["cells"])
    if not is_run:
        return len(cells), 0, len(exercises), 0
    run = sum(bool(cell.get("execution_count")) for cell in cells)
    solved = sum(any(is_right(c.get("outputs") or []) for c in one) for one in exercises)
    return len(cells), run, len(exercises), solved
