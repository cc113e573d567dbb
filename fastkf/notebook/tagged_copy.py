"""Writes a copy of a notebook with the tags that were proposed for it."""

import ast
import json
import os
from pathlib import Path
from typing import Any

from fastkf.base.errors import UsageError
from fastkf.base.outputs import write_named
from fastkf.notebook.file import read_content
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.suggest import IMPORTS, Proposal


def write_copy(notebook: Notebook, proposal: Proposal, target: Path) -> None:
    """Writes the notebook with the proposed tags; imports in steps get a cell of their own above.

    Raises:
        UsageError: there is a file of that name already, or it cannot be written there.
    """
    if os.path.lexists(target):
        raise UsageError(f"{target}: there is a file of that name already", "name another")
    content = read_content(notebook.path)
    tags = {cell.number: list(cell.tags) for cell in proposal.cells}
    cells: list[dict[str, Any]] = []
    for number, (node, cell) in enumerate(zip(content["cells"], notebook.cells, strict=True), 1):
        is_step = any(tag.startswith("step:") for tag in tags.get(number, []))
        if is_step and (lines := _import_lines(cell)):
            moved = "\n".join(lines)
            cells.append({**_empty_cell(number), "source": moved})
            node["source"] = _without_imports(cell)
        if number in tags:
            node["metadata"] = {**(node.get("metadata") or {}), "tags": tags[number]}
        cells.append(node)
    content["cells"] = cells
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_named(target, text.encode("utf-8"))


def _empty_cell(number: int) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": f"imports-{number}",
        "metadata": {"tags": ["imports"]},
        "outputs": [],
    }


def _import_nodes(cell: Cell) -> list[ast.stmt]:
    return [n for n in cell.statements if isinstance(n, IMPORTS)]


def _import_lines(cell: Cell) -> list[str]:
    return [ast.unparse(node) for node in _import_nodes(cell)]


def _without_imports(cell: Cell) -> str:
    """The source without the lines of its imports, where nothing else stands on them."""
    lines = cell.source.split("\n")
    gone = {
        n for node in _import_nodes(cell) for n in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    return "\n".join(line for n, line in enumerate(lines, 1) if n not in gone).strip("\n")
