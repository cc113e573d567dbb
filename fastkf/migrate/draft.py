"""A notebook while it is being migrated: its JSON, and notes of what was done to it."""

import copy
import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastkf.notebook.file import read_content
from fastkf.notebook.model import Cell, Notebook, classify, read


@dataclass(eq=False)
class DraftCell:
    """A cell's JSON, and its number in the old file; None for a cell made here."""

    node: dict[str, Any]
    was: int | None = None

    @property
    def tags(self) -> list[str]:
        return [str(tag) for tag in (self.node.get("metadata") or {}).get("tags") or []]

    @tags.setter
    def tags(self, tags: list[str]) -> None:
        metadata = self.node["metadata"] = self.node.get("metadata") or {}
        if tags:
            metadata["tags"] = list(dict.fromkeys(tags))
        else:
            metadata.pop("tags", None)

    @property
    def source(self) -> str:
        return "".join(self.node.get("source") or "")

    @source.setter
    def source(self, text: str) -> None:
        self.node["source"] = text.splitlines(keepends=True)

    @property
    def is_code(self) -> bool:
        return self.node.get("cell_type") == "code"


@dataclass(frozen=True)
class Note:
    """What was done to a cell, or is left to do with it; no cell: with the whole file."""

    cell: DraftCell | None
    text: str


@dataclass
class Draft:
    """The notebook so far.

    Attributes:
        path: the old file.
        content: its JSON, without the cells.
        done: what was changed.
        left: what a person has to decide.
        installed: the packages that `pip install` lines named.
    """

    path: Path
    content: dict[str, Any]
    cells: list[DraftCell]
    done: list[Note] = field(default_factory=list)
    left: list[Note] = field(default_factory=list)
    installed: list[tuple[DraftCell, str]] = field(default_factory=list)

    @property
    def code_cells(self) -> list[DraftCell]:
        return [cell for cell in self.cells if cell.is_code]

    @property
    def metadata(self) -> dict[str, Any]:
        if not isinstance(self.content.get("metadata"), dict):
            self.content["metadata"] = {}
        return self.content["metadata"]

    def note(self, cell: DraftCell | None, text: str) -> None:
        self.done.append(Note(cell, text))

    def leave(self, cell: DraftCell | None, text: str) -> None:
        self.left.append(Note(cell, text))

    def number(self, cell: DraftCell) -> int | None:
        """The cell's place in the new file, from 1; None: it is no longer there."""
        return self.cells.index(cell) + 1 if cell in self.cells else None

    def pairs(self) -> list[tuple[DraftCell, Cell]]:
        """The code cells, each with what today's Kale makes of it."""
        view = classify([cell.node for cell in self.cells])
        both = zip(self.cells, view, strict=True)
        return [(cell, seen) for cell, seen in both if cell.is_code]

    def notebook(self, path: Path) -> Notebook:
        cells = classify([cell.node for cell in self.cells])
        return Notebook(path=path, cells=cells, metadata=self.metadata)

    def to_json(self) -> str:
        """The file's text, as Jupyter writes it; keys keep the order that they had."""
        content = {**self.content, "cells": [cell.node for cell in self.cells]}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    def insert(self, place: int, source: str, tags: list[str]) -> DraftCell:
        made = DraftCell({"cell_type": "code", "execution_count": None})
        if self.content.get("nbformat_minor", 0) >= 5:
            made.node["id"] = self._new_id()
        made.node |= {"metadata": {}, "outputs": []}
        made.source, made.tags = source, tags
        self.cells.insert(place, made)
        return made

    def _new_id(self) -> str:
        taken = {cell.node.get("id") for cell in self.cells}
        return next(f"migrated-{n}" for n in itertools.count(1) if f"migrated-{n}" not in taken)

    def insert_copy(self, place: int, cell: DraftCell, tags: list[str]) -> DraftCell:
        made = self.insert(place, cell.source, tags)
        others = {k: v for k, v in (cell.node.get("metadata") or {}).items() if k != "tags"}
        made.node["metadata"] |= copy.deepcopy(others)
        return made

    def hand_on_tags(self, cell: DraftCell) -> None:
        """Gives a cell's tags to the next cell of its step, imports or functions.

        A step that has no other cell ends, and the steps after it follow those before it.
        """
        pairs = self.pairs()
        place = next(i for i, (other, _) in enumerate(pairs) if other is cell)
        seen, later = pairs[place][1], pairs[place + 1 :]
        tags, cell.tags = cell.tags, []
        if not tags:
            return
        others = [(other, view) for other, view in later if view.role != "skip"]
        if others and not others[0][1].tags:
            others[0][0].tags = tags
            return
        heirs = [other for other, view in others if seen.step and view.step == seen.step]
        if heirs:
            heirs[0].tags = order_tags([*tags, *heirs[0].tags])
        elif seen.role == "step" and not any(v.step == seen.step for _, v in pairs[:place]):
            self.note(cell, f"step {seen.step} has no code left, and ends")
            self._end_step(seen)

    def _end_step(self, step: Cell) -> None:
        before = [f"prev:{name}" for name in step.tag_values("prev")]
        gone = f"prev:{step.step}"
        for cell in self.code_cells:
            if gone in cell.tags:
                cell.tags = [t for tag in cell.tags for t in (before if tag == gone else [tag])]
                self.note(cell, f"{gone} → {' '.join(before) or 'none'}")


def read_draft(path: Path) -> Draft:
    """The old file, checked as `fastkf.notebook.model.read` checks it.

    Raises:
        FastkfError: there is no such file, it is not a notebook, or it has no code.
    """
    read(path)
    content = read_content(path)
    nodes = content["cells"]
    cells = [DraftCell(node, number) for number, node in enumerate(nodes, start=1)]
    return Draft(path, content, cells)


def order_tags(tags: list[str]) -> list[str]:
    """A step's tags in the usual order: step, prev, and the rest as it was."""
    ranks = {"step": 0, "prev": 1}
    return sorted(dict.fromkeys(tags), key=lambda tag: ranks.get(tag.partition(":")[0], 2))
