"""Writes small notebooks for tests.

path = write_notebook(
    tmp_path / "add.ipynb",
    [
        ("markdown", "# Add integers"),
        ("imports", "import math"),
        (["pipeline-parameters", "parameters"], "start = 1"),
        ("step:load", "first = start + 1"),
        (["step:add", "prev:load"], "total = first + 2"),
        ("pipeline-metrics", "print(total)"),
    ],
)
"""

import json
from collections.abc import Iterable
from pathlib import Path

from fastkf.notebook.panel import KERNEL, LANGUAGE

TEXT_CELLS = ("markdown", "raw")


def write_notebook(
    path: str | Path,
    cells: Iterable[tuple],
    pipeline_name: str = "example",
    metadata: dict | None = None,
    kale: dict | None = None,
) -> Path:
    """Writes a notebook and returns its path.

    Args:
        cells: pairs of tags and source. The tags are one tag, a list of tags, or "" for an
            untagged code cell; "markdown" or "raw" makes a text cell.
        pipeline_name: the name in Kale's metadata.
        metadata: replaces the whole notebook metadata (`{}`: a notebook without Kale's metadata).
        kale: keys to add to Kale's metadata, or to remove from it where the value is None.
    """
    if metadata is None:
        metadata = notebook_metadata(pipeline_name, kale or {})
    content = {
        "cells": [make_cell(number, *cell) for number, cell in enumerate(cells, start=1)],
        "metadata": metadata,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def make_cell(number: int, tags: str | list[str], source: str) -> dict:
    """One cell of the notebook's JSON."""
    cell = {"id": f"cell-{number}", "metadata": {}, "source": source.splitlines(keepends=True)}
    if tags in TEXT_CELLS:
        return {"cell_type": tags, **cell}
    tags = [tags] if isinstance(tags, str) else list(tags)
    if any(tags):
        cell["metadata"] = {"tags": [tag for tag in tags if tag]}
    return {"cell_type": "code", "execution_count": None, "outputs": [], **cell}


def notebook_metadata(pipeline_name: str = "example", kale: dict | None = None) -> dict:
    """Metadata as JupyterLab with Kale's extension saves it."""
    block = {
        "experiment": {"id": "new", "name": "fast-kubeflow"},
        "experiment_name": "fast-kubeflow",
        "pipeline_description": "",
        "pipeline_name": pipeline_name,
        "steps_defaults": [],
        "volumes": [],
        **(kale or {}),
    }
    return {
        "kernelspec": dict(KERNEL),
        "kubeflow_notebook": {key: value for key, value in block.items() if value is not None},
        "language_info": dict(LANGUAGE),
    }
