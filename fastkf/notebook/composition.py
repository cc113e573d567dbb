"""A notebook that refers to others, as Kale 2.3 reads it: one pipeline, each part a group in it.

Kale gives the steps of a part their own imports and functions, and the root's parameters before
those of the part (kale/processors/nbprocessor.py, `_add_notebook_reference`,
`propagate_pipeline_parameters`). As a notebook, the parts are read where their cells stand.
"""

import ast
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastkf.base.errors import FastkfError
from fastkf.base.python_syntax import parse_python
from fastkf.notebook.errors import KaleError
from fastkf.notebook.file import read_content, readable_copy
from fastkf.notebook.metadata import list_files, set_files
from fastkf.notebook.model import Cell, Notebook, read

STEP = "step:"
PARAMETERS = "pipeline-parameters"


def find_part(notebook: Notebook, cell: Cell) -> Path:
    """The file that a reference leads to.

    Raises:
        FastkfError: it does not say which.
    """
    if not cell.refers_to:
        raise FastkfError(
            f"{notebook.path}: {cell.label}: the reference does not say which notebook it means",
            "choose the notebook in Kale's panel, which writes `notebook_path` into the cell's "
            "metadata",
        )
    return Path(os.path.normpath(notebook.path.parent / cell.refers_to))


def read_parts(notebook: Notebook) -> dict[str, Notebook]:
    """The notebooks that a notebook refers to, by the names that they have there.

    Each knows the names that its steps get from the root's parameters and from other parts.

    Raises:
        FastkfError: one cannot be read.
    """
    parts = {name: read(find_part(notebook, c)) for name, c in notebook.references.items()}
    own = frozenset(notebook.parameters)
    try:
        given = {unit.name: frozenset(unit.ins) for unit in notebook.pipeline.parts if parts}
    except KaleError:  # until it is mended, what any other notebook makes is taken for given
        given = {
            name: frozenset(
                bound
                for other in (notebook, *parts.values())
                for cell in other.code_cells
                if other is not part
                for bound in cell.names.bound
            )
            for name, part in parts.items()
        }
    files = {name: _files_from(notebook.path.parent, part) for name, part in parts.items()}
    return {
        name: replace(
            part,
            given=own | given.get(name, own),
            metadata=set_files(part.metadata, [*list_files(notebook.metadata), *files[name]]),
        )
        for name, part in parts.items()
    }


def _files_from(home: Path, part: Notebook) -> list[str]:
    """The files that a part brings, as paths from the folder of the notebook that refers to it."""
    folder = os.path.relpath(part.path.parent, home)
    return [os.path.normpath(os.path.join(folder, one)) for one in list_files(part.metadata)]


def leave_out_parts(paths: Sequence[Path]) -> list[Path]:
    """The notebooks among the files that no other of them has as its part."""
    parts = set()
    for path in paths:
        with suppress(FastkfError):
            notebook = read(path)
            found = (find_part(notebook, c) for c in notebook.references.values())
            parts |= {os.path.realpath(one) for one in found}
    return [path for path in paths if os.path.realpath(path) not in parts]


def whole(notebook: Notebook) -> Notebook:
    """The notebook with the cells of its parts in the places of the references to them.

    A step whose name stands elsewhere too has that of its part before it, as in the package.

    Raises: as `read_parts`.
    """
    if not notebook.references:
        return notebook
    parts = read_parts(notebook)
    names = Counter([*notebook.steps, *(step for part in parts.values() for step in part.steps)])
    cells: list[Cell] = []
    for cell in notebook.cells:
        part = _part_name(notebook, cell)
        if part is None:
            cells.append(cell)
        else:
            cells += [_as_part(one, part, parts[part].path, names) for one in parts[part].cells]
    files = [file for part in parts.values() for file in list_files(part.metadata)]
    files = [*list_files(notebook.metadata), *files]
    return replace(notebook, cells=tuple(cells), metadata=set_files(notebook.metadata, files))


def flat_dependencies(notebook: Notebook) -> dict[str, list[str]]:
    """Step to the steps it waits for in the compiled pipeline, those of the parts too.

    Kale 2.3 (kale/compiler.py, generate_composition): a part or step waits for those before it;
    the steps in a part for the producers of their data alone.

    Raises: as `read_parts`.
    """
    if not notebook.references:
        return notebook.dependencies
    pipeline = notebook.pipeline
    units = {unit.name: unit for unit in (*pipeline.parts, *pipeline.steps)}
    names = Counter(step.name for unit in units.values() for step in unit.inside or (unit,))
    own = {
        name: {name: name}
        if unit.inside is None
        else {step.name: _flat_name(step.name, name, names) for step in unit.inside}
        for name, unit in units.items()
    }
    order = [_part_name(notebook, c) or c.step for c in notebook.code_cells]
    after: dict[str, list[str]] = {}
    for unit in dict.fromkeys(name for name in order if name in units):
        before = sorted(s for a, b in pipeline.edges if b == unit for s in own[a].values())
        for step in units[unit].inside or (units[unit],):
            inner = {own[unit][one] for one in step.producers.values() if units[unit].inside}
            after[own[unit][step.name]] = sorted(inner) or before
    return after


@contextmanager
def executable_copy(notebook: Notebook) -> Iterator[Path]:
    """A file in the form that papermill executes, with the cells of a notebook's parts in it.

    Args:
        notebook: as `whole` returns it.

    Raises:
        FastkfError: a file cannot be read any more.
    """
    if not any(cell.path for cell in notebook.cells):
        with readable_copy(notebook.path, to_execute=True) as path:
            yield path
        return
    with TemporaryDirectory(prefix="fastkf-notebook-") as folder:
        target = Path(folder) / notebook.path.name
        target.write_text(json.dumps(_assemble(notebook)), encoding="utf-8")
        with readable_copy(target, to_execute=True) as path:
            yield path


def _assemble(notebook: Notebook) -> dict[str, Any]:
    """The content of the notebook's file with that of its parts in it."""
    files = dict.fromkeys([notebook.path, *(c.path for c in notebook.cells if c.path)])
    contents = {path: read_content(path) for path in files}
    own = replace(notebook, cells=tuple(cell for cell in notebook.cells if not cell.path))
    made: list[dict[str, Any]] = []
    for cell in notebook.cells:
        if cell.path and cell.number == 1:
            made.append({"cell_type": "markdown", "metadata": {}, "source": f"*{cell.path}*"})
        made.append(_tagged(contents[cell.path or notebook.path]["cells"][cell.number - 1], cell))
        if cell.path and PARAMETERS in _tags_of(made[-1]):
            _yield_to(made[-1], set(own.parameters))
    for node in made:
        node.pop("id", None)  # those of two files may be the same
    return {**contents[notebook.path], "cells": made}


def _tags_of(node: dict[str, Any]) -> list[str]:
    return list((node.get("metadata") or {}).get("tags") or [])


def _tagged(node: dict[str, Any], cell: Cell) -> dict[str, Any]:
    """A copy of a cell's content that says which step it is of."""
    if not cell.step:
        return dict(node)
    others = [tag for tag in _tags_of(node) if not tag.startswith(STEP)]
    metadata = {**(node.get("metadata") or {}), "tags": [*others, STEP + cell.step]}
    return {**node, "metadata": metadata}


def _yield_to(node: dict[str, Any], names: set[str]) -> None:
    """Leaves a part's parameters cell without those that the root has: the root's count."""
    node["metadata"] = {**node["metadata"], "tags": ["skip"]}
    try:
        tree = parse_python("".join(node.get("source") or ""))
    except (SyntaxError, ValueError):
        return
    body = [one for one in tree.body if not (isinstance(one, ast.Assign) and _sets(one) & names)]
    if len(body) < len(tree.body):
        node["source"] = ast.unparse(ast.Module(body, []))


def _sets(node: ast.Assign) -> set[str]:
    return {target.id for target in node.targets if isinstance(target, ast.Name)}


def _part_name(notebook: Notebook, cell: Cell) -> str | None:
    return next((name for name, one in notebook.references.items() if one == cell), None)


def _as_part(cell: Cell, part: str, path: Path, names: Counter[str]) -> Cell:
    step = cell.step and _flat_name(cell.step, part, names)
    return replace(cell, path=path, step=step)


def _flat_name(step: str, part: str, names: Counter[str]) -> str:
    return step if names[step] == 1 else f"{part}_{step}"
