"""Begins a project: a folder with a README to fill, project.toml and a notebook that loads data.

labs/project/start/ has the words: sets.toml the prepared data sets, readme.txt what is in each.
"""

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.files import check_name, write_new
from fastkf.course import places

START = Path("labs", "project", "start")
LONGEST_NAME = 40
FOLDERS = ("evidence", "serve")


@dataclass(frozen=True)
class Prepared:
    """A data set that is prepared for a project.

    Attributes:
        values: the words that stand in the README and project.toml.
        needs: the data sets of the course that its notebook loads.
        imports, load, split: the code of three cells.
    """

    name: str
    values: Mapping[str, Any]
    needs: tuple[str, ...]
    imports: str
    load: str
    split: str


def read_prepared() -> dict[str, Prepared]:
    """The prepared data sets, by name.

    Raises:
        UsageError: there is no course here.
        FastkfError: it is damaged.
    """
    path = places.PROJECT / START / "sets.toml"
    if not places.COURSE:
        raise UsageError(
            "there is no course here, so a project has nothing to begin with",
            f"run it in the folder of the course, or let {places.COURSE_VARIABLE} name that folder",
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return {
            name: Prepared(
                name,
                one,
                tuple(one["needs"]),
                one["imports"].strip(),
                one["load"].strip(),
                one["split"].strip(),
            )
            for name, one in content.items()
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FastkfError(
            f"{path}: the prepared data sets cannot be read ({error})",
            f"run it in the folder of the course, or let {places.COURSE_VARIABLE} name that folder",
        ) from error


def begin(folder: Path, data: str) -> list[Path]:
    """Writes the files of a new project; the files.

    Raises:
        UsageError: no such data set is prepared, the folder has something in it, or there is no
            course here.
    """
    prepared = read_prepared()
    if data not in prepared:
        raise UsageError(f"--data {data}: there are {', '.join(prepared)}")
    check_name(folder.absolute())
    _make_folder(folder)
    chosen = prepared[data]
    name = re.sub(r"[^a-z0-9]+", "_", folder.resolve().name.lower())[:LONGEST_NAME].strip("_")
    notebook = f"{name or 'project'}.ipynb"
    values = {**chosen.values, "notebook": notebook}
    words = {key: str(value) for key, value in values.items()}
    template = (places.PROJECT / START / "readme.txt").read_text(encoding="utf-8")
    texts = {
        "README.md": Template(template).substitute(words),
        "project.toml": _write_settings(values),
        notebook: _write_notebook(chosen, name or "project", folder),
    }
    for file, text in texts.items():
        if not write_new(folder / file, text.encode("utf-8")):
            raise UsageError(f"{folder / file}: is there already", "name a new folder")
    return [folder / file for file in texts]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"{folder}: not empty", "name a new folder")
        for name in FOLDERS:
            (folder / name).mkdir()
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made a project ({error.strerror})") from error


def _write_settings(values: Mapping[str, Any]) -> str:
    """project.toml: a text, or a list of texts, is written in JSON the same as in TOML."""
    about = {
        "notebook": "the Kale notebook",
        "target": "the column that is predicted",
        "known_afterwards": "columns that nobody knows yet when the question is asked",
        "test_rows": "the variables of the notebook that hold the test rows",
        "p95_milliseconds": "your promise: 95 answers of 100 arrive within this time",
    }
    lines = [
        f"{key} = {json.dumps(values[key], ensure_ascii=False)}  # {text}"
        for key, text in about.items()
    ]
    return "\n".join(["# What `fastkf project check` cannot guess.", *lines]) + "\n"


def _write_notebook(chosen: Prepared, name: str, folder: Path) -> str:
    cells = [
        {"id": f"start-{number}", **cell}
        for number, cell in enumerate(_make_cells(chosen, folder), start=1)
    ]
    kale = {
        "experiment": {"id": "new", "name": "project"},
        "experiment_name": "project",
        "pipeline_description": chosen.values["title"],
        "pipeline_name": name.replace("_", "-"),
        "steps_defaults": [],
        "volumes": [],
    }
    metadata = {
        "fastkf": {"title": chosen.values["title"], "needs": list(chosen.needs)},
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "kubeflow_notebook": kale,
        "language_info": {"name": "python"},
    }
    content = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _make_cells(chosen: Prepared, folder: Path) -> Iterator[dict[str, Any]]:
    data = os.path.relpath(places.PROJECT / "data", folder.resolve())
    place = json.dumps(f"{Path(data).as_posix()}/{chosen.needs[0]}") if chosen.needs else '""'
    yield _text(f"# {chosen.values['title']}\n\n{chosen.values['question']}")
    yield _code(chosen.imports, "imports")
    yield _code(f"data_dir = {place}\nrandom_state = 1", "pipeline-parameters", "parameters")
    yield _text("## The rows")
    yield _code(chosen.load, "step:load_rows")
    yield _text("## Set the test rows aside, before anything is learned")
    yield _code(chosen.split, "step:set_aside", "prev:load_rows")
    yield _text(
        "## Now it is yours\n\nFeatures, a baseline, a model, one test, what comes later, and the "
        "hand-over: a step for each. The README of `labs/project` has the milestones."
    )
    yield _code("print(training_rows)\nprint(test_rows_count)", "pipeline-metrics")


def _text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _code(source: str, *tags: str) -> dict[str, Any]:
    metadata = {"tags": list(tags)}
    cell = {"cell_type": "code", "metadata": metadata, "source": source}
    return {**cell, "execution_count": None, "outputs": []}
