"""A run as the content of run.json; `fastkf.runs.record` has the format, writes and reads it."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from fastkf.base.clock import format_utc
from fastkf.runs.model import NotebookResult, PipelineResult, Run, State, Step, Values

VERSION = 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def respell(value: Any) -> Any:
    """A metric as it was before `spell_numbers`."""
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value


def describe_run(run: Run) -> dict[str, Any]:
    """The content of run.json; from `compared` on, only what there is."""
    last = {"compared": run.compared, "note": run.note, "link": run.link, "error": run.error}
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
        **({"not_applied": list(run.not_applied)} if run.not_applied else {}),
        **({"replicas": [asdict(one) for one in run.replicas]} if run.replicas else {}),
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
        "inputs": step.inputs and describe_values(step.inputs),
        "outputs": step.outputs and describe_values(step.outputs),
        "steps": [_describe_step(one, None) for one in step.steps],
        "attempts": [_describe_step(one, None) for one in step.attempts],
        "cached_from": step.cached_from,
        "cached_node": step.cached_node,
        "fingerprint": step.fingerprint,
        "display_name": step.display_name,
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


def describe_values(values: Values) -> dict[str, Any]:
    """What goes into a step, or comes out of it, as run.json has it."""
    artifacts = {
        name: {"type": made.type, "uri": made.uri, "metadata": made.metadata}
        for name, made in values.artifacts.items()
    }
    return {"parameters": values.parameters, "artifacts": artifacts}
