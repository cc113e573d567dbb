"""The record of a run, run.json in the run's folder."""

import json
import os
import tempfile
from datetime import datetime
from pathlib import Path

FILE = "run.json"


def new_record(name: str, title: str, parameters: dict) -> dict:
    """The content of run.json before the run."""
    return {
        "name": name,
        "title": title,
        "status": "failed",
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "seconds": 0.0,
        "parameters": parameters,
        "notebook": None,
        "pipeline": None,
        "parity": {},
    }


def step_record(step, error: str | None) -> dict:
    """A `fastkf.engine.local.Step` as run.json keeps it, with its error in a learner's words."""
    return {
        "name": step.name,
        "status": step.status,
        "started": None if step.started is None else round(step.started, 2),
        "seconds": round(step.seconds, 2),
        "after": step.after,
        "error": error,
    }


def ended_step_record(step, error: str | None) -> dict:
    """The same when the run is over: what still runs was interrupted, what waits was skipped."""
    if step.status == "running":
        return {**step_record(step, "interrupted"), "status": "failed"}
    status = "skipped" if step.status == "pending" else step.status
    return {**step_record(step, error), "status": status}


def read_record(folder: Path) -> dict:
    """The content of folder/run.json."""
    return json.loads((folder / FILE).read_text(encoding="utf-8"))


def write_record(folder: Path, record: dict) -> None:
    """Writes folder/run.json; who reads it meanwhile sees the old content or the new one, whole."""
    with tempfile.NamedTemporaryFile(
        "w", dir=folder, prefix=".run-", suffix=".json", encoding="utf-8", delete=False
    ) as file:
        json.dump(record, file, indent=2)
        file.write("\n")
    os.replace(file.name, folder / FILE)
