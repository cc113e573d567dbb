"""The record of a run, run.json in the run's folder: its one reader and its one writer.

Format, version 1. A record without `version` is of version 1 too; missing keys have defaults.

    version, name, title, status, started (ISO 8601), seconds, parameters,
    notebook     null, or status, seconds, metrics, error
    pipeline     null, or status, started, seconds, metrics, outputs, error, and
                 steps: name, task, status, started (seconds since the pipeline's start), seconds,
                 after, error, started_at and ended_at (RFC 3339), image, command, inputs, outputs,
                 steps (those inside it)
    parity       metric to notebook, pipeline, equal
    note, link, error
"""

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fastkf.base.clock import format_utc
from fastkf.base.errors import FastkfError
from fastkf.base.files import read_inside, write_text
from fastkf.runs.model import (
    Artifact,
    Comparison,
    NotebookResult,
    PipelineResult,
    Run,
    State,
    Step,
    Values,
)

FILE = "run.json"
VERSION = 1
LARGEST = 64 * 2**20  # bytes
MOST_SECONDS = 1e9  # some thirty years: beyond it there are no times of day
OWNERS_ALONE = 0o600  # the parameters of a run may be anything
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Table = Mapping[str, Any]


class RecordMissingError(FastkfError):
    """There is no run.json in the folder."""


def read_run(folder: Path) -> Run:
    """The run that folder/run.json tells of.

    Raises:
        RecordMissingError: there is no such file.
        FastkfError: it is no record of a run, or one of a later version of the format.
    """
    path = folder / FILE
    if not os.path.lexists(path):
        raise RecordMissingError(f"{path}: no such file", "name the folder of a run, as in runs/")
    try:
        content = json.loads(read_inside(folder, FILE, LARGEST))
    except (ValueError, OSError, RecursionError) as error:
        raise FastkfError(f"{path}: not a readable record of a run ({error})") from error
    version = content.get("version", VERSION) if isinstance(content, dict) else VERSION
    if version != VERSION:
        raise FastkfError(
            f"{path}: a record of version {version}, and this fastkf reads version {VERSION}",
            "read it with the fastkf that wrote it",
        )
    try:
        return _read_run(folder, content)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise FastkfError(f"{path}: not the record of a run ({error})") from error


def write_run(run: Run) -> None:
    """Writes run.json into the run's folder.

    Who reads it meanwhile sees the old content or the new one, whole.
    """
    text = json.dumps(describe_run(run), indent=2) + "\n"
    write_text(run.folder / FILE, text, OWNERS_ALONE)


def describe_run(run: Run) -> dict[str, Any]:
    """The content of run.json; `note`, `link` and `error` only where there are any."""
    last = {"note": run.note, "link": run.link, "error": run.error}
    return {
        "version": VERSION,
        "name": run.name,
        "title": run.title,
        "status": run.state.value,
        "started": run.started and run.started.isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 1),
        "parameters": run.parameters,
        "notebook": run.notebook and _describe_notebook(run.notebook),
        "pipeline": run.pipeline and _describe_pipeline(run.pipeline),
        "parity": {
            name: {"notebook": one.notebook, "pipeline": one.pipeline, "equal": one.equal}
            for name, one in run.parity.items()
        },
        **{name: text for name, text in last.items() if text},
    }


def seconds_until_start(steps: Iterable[Step], start: datetime | None) -> dict[str, float]:
    """Step to the seconds from the start of its attempt of the pipeline to its own.

    Of steps that an earlier attempt has run, from the first of them.
    """
    started = {step.name: step.started for step in steps if step.started is not None}
    start = start or min(started.values(), default=EPOCH)
    earlier = min((moment for moment in started.values() if moment < start), default=start)
    return {
        name: (moment - (start if moment >= start else earlier)).total_seconds()
        for name, moment in started.items()
    }


def _describe_notebook(result: NotebookResult) -> dict[str, Any]:
    """The notebook's part of run.json."""
    return {
        "status": result.state.value,
        "seconds": round(result.seconds, 1),
        "metrics": result.metrics,
        "error": result.error,
    }


def _describe_pipeline(result: PipelineResult) -> dict[str, Any]:
    """The pipeline's part of run.json."""
    starts = seconds_until_start(result.steps, result.started)
    return {
        "status": result.state.value,
        "started": result.started and format_utc(result.started),
        "seconds": round(result.seconds, 1),
        "steps": [_describe_step(step, starts.get(step.name)) for step in result.steps],
        "metrics": result.metrics,
        "outputs": result.outputs,
        **({"error": result.error} if result.error else {}),
    }


def _describe_step(step: Step, started: float | None) -> dict[str, Any]:
    has_ended = step.started is not None and step.state is not State.RUNNING
    more = {
        "started_at": step.started and format_utc(step.started),
        "ended_at": format_utc(step.started + timedelta(seconds=step.seconds))
        if step.started and has_ended
        else None,
        "image": step.image,
        "command": list(step.command),
        "inputs": step.inputs and _describe_values(step.inputs),
        "outputs": step.outputs and _describe_values(step.outputs),
        "steps": [_describe_step(one, None) for one in step.steps],
    }
    return {
        "name": step.name,
        "task": step.task,
        "status": step.state.value,
        "started": None if started is None else round(started, 2),
        "seconds": round(step.seconds, 2),
        "after": list(step.after),
        "error": step.error,
        **{name: value for name, value in more.items() if value},
    }


def _describe_values(values: Values) -> dict[str, Any]:
    artifacts = {
        name: {"type": made.type, "uri": made.uri, "metadata": made.metadata}
        for name, made in values.artifacts.items()
    }
    return {"parameters": values.parameters, "artifacts": artifacts}


def _read_run(folder: Path, content: Table) -> Run:
    name = str(content.get("name") or folder.name)
    started = _read_time(content.get("started"))
    notebook, pipeline = content.get("notebook"), content.get("pipeline")
    return Run(
        folder=folder,
        name=name,
        title=str(content.get("title") or name),
        parameters=dict(content.get("parameters") or {}),
        state=_read_state(content.get("status")),
        started=started,
        seconds=_read_seconds(content),
        notebook=_read_notebook(notebook) if notebook else None,
        pipeline=_read_pipeline(pipeline, started) if pipeline else None,
        parity={
            str(name): Comparison(one.get("notebook"), one.get("pipeline"), bool(one.get("equal")))
            for name, one in (content.get("parity") or {}).items()
        },
        note=content.get("note"),
        link=content.get("link"),
        error=_read_error(content),
    )


def _read_notebook(content: Table) -> NotebookResult:
    return NotebookResult(
        state=_read_state(content.get("status")),
        seconds=_read_seconds(content),
        metrics=dict(content.get("metrics") or {}),
        error=_read_error(content),
    )


def _read_pipeline(content: Table, run_started: datetime | None) -> PipelineResult:
    steps = content.get("steps") or []
    started = _read_time(content.get("started")) or _guess_start(steps) or run_started
    return PipelineResult(
        state=_read_state(content.get("status")),
        started=started,
        seconds=_read_seconds(content),
        steps=tuple(_read_step(step, started or EPOCH) for step in steps),
        metrics=dict(content.get("metrics") or {}),
        outputs=dict(content.get("outputs") or {}),
        error=_read_error(content),
    )


def _guess_start(steps: Iterable[Table]) -> datetime | None:
    """The pipeline's start, of a record that does not tell it but tells both times of a step."""
    for step in steps:
        moment = _read_time(step.get("started_at"))
        if moment is not None and step.get("started") is not None:
            return moment - timedelta(seconds=float(step["started"]))
    return None


def _read_step(content: Table, pipeline_started: datetime) -> Step:
    name = str(content["name"])
    started, after = _read_time(content.get("started_at")), content.get("started")
    if started is None and after is not None:
        started = pipeline_started + timedelta(seconds=float(after))
    ended, seconds = _read_time(content.get("ended_at")), _read_seconds(content)
    if started is not None and ended is not None:  # to the millisecond, and written so again
        seconds = (ended - started).total_seconds()
    inputs, outputs = content.get("inputs"), content.get("outputs")
    return Step(
        name=name,
        task=str(content.get("task") or name),
        after=tuple(map(str, content.get("after") or ())),
        state=_read_state(content.get("status")),
        started=started,
        seconds=seconds,
        error=_read_error(content),
        image=content.get("image"),
        command=tuple(map(str, content.get("command") or ())),
        inputs=_read_values(inputs) if inputs else None,
        outputs=_read_values(outputs) if outputs else None,
        steps=tuple(_read_step(one, pipeline_started) for one in content.get("steps") or ()),
    )


def _read_values(content: Table) -> Values:
    return Values(
        parameters=dict(content.get("parameters") or {}),
        artifacts={
            name: Artifact(str(made["type"]), str(made["uri"]), dict(made.get("metadata") or {}))
            for name, made in (content.get("artifacts") or {}).items()
        },
    )


def _read_seconds(content: Table) -> float:
    seconds = float(content.get("seconds") or 0)
    return seconds if 0 <= seconds <= MOST_SECONDS else 0.0


def _read_state(text: object) -> State:
    """The state of that name; what no state is called has not begun."""
    try:
        return State(str(text))
    except ValueError:
        return State.PENDING


def _read_error(content: Table) -> str | None:
    error = content.get("error")
    if isinstance(error, dict):
        error = ": ".join(str(error[key]) for key in ("name", "message") if error.get(key))
    return str(error) if error else None


def _read_time(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.astimezone()
