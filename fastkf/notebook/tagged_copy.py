"""Writes a copy of a notebook with the tags that were proposed for it."""

import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastkf.base.errors import UsageError
from fastkf.base.outputs import write_named
from fastkf.notebook.file import read_content
from fastkf.notebook.model import KALE_METADATA, Cell, Notebook
from fastkf.notebook.names import IMPORTS, Names
from fastkf.notebook.panel import KERNEL, LANGUAGE, new_settings
from fastkf.notebook.suggest import Proposal
from fastkf.notebook.suggest.parts import Part, import_lines

LONGEST_NAME = 100


def write_copy(notebook: Notebook, proposal: Proposal, target: Path) -> None:
    """Writes the notebook with the proposed tags; imports among code get a cell above it.

    Raises:
        UsageError: there is a file of that name already, or it cannot be written there.
    """
    if os.path.lexists(target):
        raise UsageError(f"{target}: there is a file of that name already", "name another")
    content = read_content(notebook.path)
    content["cells"] = list(_cells_of(proposal))
    _complete_ids(content)
    _complete_metadata(content, target)
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_named(target, text.encode("utf-8"))


def _cells_of(proposal: Proposal) -> Iterator[dict[str, Any]]:
    tags = {id(cell.part): list(cell.tags) for cell in proposal.cells}
    used = _used_in_pipeline(proposal)
    for part in proposal.parts:
        node, own = dict(part.node), tags.get(id(part))
        if own is None:
            yield node
            continue
        if own[0] != "imports" and not part.is_magic and _imports_of(part, own) & used:
            moved, node["source"] = import_lines(part.view)
            yield _new_cell(moved, ["imports"])
        given = node.get("metadata") or {}
        others = [tag for tag in given.get("tags") or [] if tag not in own]
        kept = others if not own[0].startswith("step:") else []
        node["metadata"] = {**given, "tags": [*own, *kept]}
        yield {"outputs": [], "execution_count": None, **node}


def _used_in_pipeline(proposal: Proposal) -> frozenset[str]:
    """The names that the pipeline's cells use; what a star imports may be one of them."""
    cells = [cell for cell in proposal.cells if cell.tags[0] != "skip"]
    used = (Cell(0, "code", cell.part.view).names.used for cell in cells)
    return frozenset("*").union(*used)


def _imports_of(part: Part, tags: list[str]) -> frozenset[str]:
    """The names that lines of a cell import; in the pipeline each counts, used or not."""
    nodes = [node for node in Cell(0, "code", part.view).statements if isinstance(node, IMPORTS)]
    found = frozenset().union(*(Names.of(node).imported for node in nodes))
    return found | {"*"} if found and tags[0] != "skip" else found


def _new_cell(source: str, tags: list[str]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"tags": tags},
        "outputs": [],
        "source": source,
    }


def _complete_ids(content: dict[str, Any]) -> None:
    """Gives the cells that were made here an id, which the format has from 4.5 on."""
    if (content.get("nbformat_minor") or 0) < 5:
        return
    taken = {cell.get("id") for cell in content["cells"]}
    names = (name for n in itertools.count(1) if (name := f"suggested-{n}") not in taken)
    for cell in content["cells"]:
        if "id" not in cell:
            cell["id"] = next(names)


def _complete_metadata(content: dict[str, Any], target: Path) -> None:
    """Kale's settings as its panel saves them, where there are none."""
    metadata = content["metadata"] = content.get("metadata") or {}
    metadata.setdefault("kernelspec", dict(KERNEL))
    metadata.setdefault("language_info", dict(LANGUAGE))
    made = re.sub("[^a-z0-9]+", "-", Notebook(target, (), {}).pipeline_name.lower())
    name = made[:LONGEST_NAME].strip("-") or "pipeline"
    metadata.setdefault(KALE_METADATA, new_settings(name))
