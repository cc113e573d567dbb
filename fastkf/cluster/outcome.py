"""What became of a run: its record, as `fastkf run` keeps it, from what the server tells."""

from dataclasses import replace
from pathlib import Path

from fastkf.cluster import logs
from fastkf.cluster.errors import ClusterError
from fastkf.cluster.follow import Follower
from fastkf.cluster.metrics import fetch_metrics
from fastkf.cluster.target import Client
from fastkf.cluster.tasks import run_state
from fastkf.notebook.model import Notebook
from fastkf.package.model import Package
from fastkf.runs.model import PipelineResult, Run, State, Step
from fastkf.runs.problems import clean_source, explain

METRICS = "system.Metrics"


def complete_run(
    run: Run, client: Client, follower: Follower, package: Package, notebook: Notebook | None
) -> tuple[Run, str | None]:
    """What is known of a run that has ended; logs of failed steps go to the folder's logs/.

    Args:
        run: as it is before it has ended.
        package: what runs.
        notebook: what it was compiled from; None for a package.

    Returns:
        The run, and what could not be read of it.
    """
    told, seconds = follower.run, _seconds(follower)
    steps = tuple(
        replace(step, error=_explain(step.name, client, follower, notebook, run.folder))
        if step.state is State.FAILED
        else step
        for step in _in_order(follower.steps, notebook)
    )
    state = State.SUCCEEDED if run_state(told) == "SUCCEEDED" else State.FAILED
    error = None
    if state is State.FAILED and not any(step.error for step in steps):
        error = _run_error(told)
    metrics, warning = _fetch_metrics(client, follower, package, state)
    pipeline = PipelineResult(state, told.created_at, seconds, steps, metrics)
    note = f"{run.note} {warning}" if warning else run.note
    ended = replace(run, state=state, seconds=seconds, pipeline=pipeline, note=note, error=error)
    return ended, warning


def _explain(
    name: str, client: Client, follower: Follower, notebook: Notebook | None, folder: Path
) -> str:
    """The exception of a step that failed, from what the API says or else from its log."""
    task = follower.tasks[name]
    log = logs.fetch_log(client.connection, follower.run_id, client.namespace, task)
    if log:
        (folder / "logs").mkdir(exist_ok=True)
        (folder / "logs" / f"{name}.log").write_text(log, encoding="utf-8")
    if run_state(follower.run) == "CANCELED":
        return "ended with the run, which was terminated"
    failure = logs.find_failure(log)
    cells = notebook.steps.get(name, []) if notebook else []
    if failure:
        failure = logs.find_source(failure, [cell.source for cell in cells])
    if task.error and not (failure and failure.source):
        return task.error
    if failure:
        names = {clean_source(cell.source): f"cell {cell.number}" for cell in cells}
        return explain(failure, names)
    return f"failed; {'see the end of its log' if log else 'the server has no log of it'}"


def _fetch_metrics(
    client: Client, follower: Follower, package: Package, state: State
) -> tuple[dict, str | None]:
    """The metrics, and what is to be said where there are some that cannot be read."""
    artifacts = [id for task in follower.tasks.values() for id in task.artifacts]
    try:
        return fetch_metrics(client.connection, follower.run_id, artifacts), None
    except ClusterError as error:
        if state is State.SUCCEEDED and METRICS in package.artifact_types:
            return {}, f"Its metrics cannot be read from here: {error}."
        return {}, None


def _in_order(steps: list[Step], notebook: Notebook | None) -> list[Step]:
    order = list(notebook.steps) if notebook else []
    return sorted(steps, key=lambda one: order.index(one.name) if one.name in order else len(order))


def _seconds(follower: Follower) -> float:
    created, finished = follower.run.created_at, follower.run.finished_at
    if created and finished and finished.year > 1970:  # 1970 stands for "not yet"
        return round((finished - created).total_seconds(), 1)
    return round(follower.seconds, 1)


def _run_error(run) -> str:
    if run_state(run) == "CANCELED":
        return "the run was terminated"
    told = [run.error, *(status.error for status in reversed(run.state_history or []))]
    messages = [error.message for error in told if error and error.message]
    return messages[0] if messages else "the server gives no reason; see the run's page"
