"""The record of a run, run.json in the run's folder: its one reader and its one writer.

Format, version 1. A record without `version` is of version 1 too; missing keys have defaults.

    version, name, title, status, started (ISO 8601), seconds, parameters,
    notebook     null, or status, seconds, metrics, error
    pipeline     null, or status, started, seconds, metrics, outputs, error, and
                 steps: name, task, status, started (seconds since the pipeline's start), seconds,
                 after, error, started_at and ended_at (RFC 3339), image, command, inputs, outputs,
                 steps (those inside it), attempts, cached_from (the run that it is taken from),
                 cached_node (its task there), fingerprint (its key in the cache), display_name
    parity       metric to notebook, pipeline, equal
                 (numbers that are not finite are the texts NaN, Infinity and -Infinity)
    compared, note, link, error
    not_applied  what the package asks of Kubernetes that was not done
    replicas     of a training job: name, state, restarts, exit_code (null before there is one), log
"""

import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fastkf.base.errors import FastkfError
from fastkf.base.files import read_inside, write_text
from fastkf.base.plain_data import spell_numbers
from fastkf.runs.describe import EPOCH, VERSION, describe_run, respell
from fastkf.runs.folder import FILE
from fastkf.runs.model import (
    Artifact,
    Comparison,
    NotebookResult,
    PipelineResult,
    Replica,
    Run,
    State,
    Step,
    Values,
)

LARGEST = 64 * 2**20  # bytes
MOST_SECONDS = 1e9  # some thirty years: beyond it there are no times of day
OWNERS_ALONE = 0o600  # the parameters of a run may be anything

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
    write_text(run.folder / FILE, spell_run(run) + "\n", OWNERS_ALONE)


def spell_run(run: Run, **more: str) -> str:
    """The JSON of a run, as in its record; `more` comes before it."""
    described = describe_run(run)
    return json.dumps(spell_numbers({**more, **described}), indent=2, allow_nan=False)


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
            str(name): Comparison(
                respell(one.get("notebook")),
                respell(one.get("pipeline")),
                bool(one.get("equal")),
            )
            for name, one in (content.get("parity") or {}).items()
        },
        compared=content.get("compared"),
        note=content.get("note"),
        not_applied=tuple(map(str, content.get("not_applied") or ())),
        link=content.get("link"),
        error=_read_error(content),
        replicas=tuple(_read_replica(one) for one in content.get("replicas") or ()),
    )


def _read_replica(content: Table) -> Replica:
    code = content.get("exit_code")
    return Replica(
        name=str(content["name"]),
        state=str(content.get("state") or ""),
        restarts=int(content.get("restarts") or 0),
        exit_code=None if code is None else int(code),
        log=str(content.get("log") or ""),
    )


def _read_notebook(content: Table) -> NotebookResult:
    return NotebookResult(
        state=_read_state(content.get("status")),
        seconds=_read_seconds(content),
        metrics=_read_metrics(content),
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
        metrics=_read_metrics(content),
        outputs=dict(content.get("outputs") or {}),
        error=_read_error(content),
    )


def _read_metrics(content: Table) -> dict[str, Any]:
    return {name: respell(one) for name, one in (content.get("metrics") or {}).items()}


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
        inputs=read_values(inputs) if inputs else None,
        outputs=read_values(outputs) if outputs else None,
        steps=tuple(_read_step(one, pipeline_started) for one in content.get("steps") or ()),
        attempts=tuple(_read_step(one, pipeline_started) for one in content.get("attempts") or ()),
        cached_from=_read_word(content, "cached_from"),
        cached_node=_read_word(content, "cached_node"),
        fingerprint=_read_word(content, "fingerprint"),
        display_name=_read_word(content, "display_name"),
    )


def read_values(content: Table) -> Values:
    """What goes into a step, or comes out of it, as `describe_values` has it."""
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


def _read_word(content: Table, name: str) -> str | None:
    return str(content[name]) if content.get(name) else None


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
