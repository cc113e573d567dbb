"""What became of a run: its record, as `fastkf run` keeps it, from what the server tells."""

from pathlib import Path

from fastkf.cluster import logs
from fastkf.cluster.errors import ClusterError
from fastkf.cluster.follow import Follower
from fastkf.cluster.metrics import fetch_metrics
from fastkf.cluster.target import Client
from fastkf.cluster.tasks import run_state
from fastkf.notebook.model import Notebook
from fastkf.package.model import Package
from fastkf.runs.record import ended_step_record

METRICS = "system.Metrics"


def fill_record(
    record: dict,
    client: Client,
    follower: Follower,
    package: Package,
    notebook: Notebook | None,
    folder: Path,
) -> None:
    """Adds what is known of a run that has ended; logs of failed steps go to folder/logs."""
    run, seconds = follower.run, _seconds(follower)
    steps = []
    for step in _in_order(follower.steps, notebook):
        error = None
        if step.status == "failed":
            error = _explain(step.name, client, follower, notebook, folder)
        steps.append(ended_step_record(step, error))
    status = "succeeded" if run_state(run) == "SUCCEEDED" else "failed"
    pipeline = {"status": status, "seconds": seconds, "steps": steps, "metrics": {}}
    record |= {"status": status, "seconds": seconds, "pipeline": pipeline}
    if status == "failed" and not any(step["error"] for step in steps):
        record["error"] = _run_error(run)
    _add_metrics(record, client, follower, package)


def _explain(name: str, client: Client, follower: Follower, notebook, folder: Path) -> str:
    """The exception of a step that failed, from what the API says or else from its log."""
    task = follower.tasks[name]
    log = logs.fetch_log(client.connection, follower.run_id, client.namespace, task)
    if log:
        (folder / "logs").mkdir(exist_ok=True)
        (folder / "logs" / f"{name}.log").write_text(log, encoding="utf-8")
    if run_state(follower.run) == "CANCELED":
        return "ended with the run, which was terminated"
    failure = logs.find_failure(log)
    described = failure and logs.describe_failure(failure, name, notebook)
    if task.error and not (described and "(cell " in described):
        return task.error
    told = "see the end of its log" if log else "the server has no log of it"
    return described or f"failed; {told}"


def _add_metrics(record: dict, client: Client, follower: Follower, package: Package) -> None:
    artifacts = [id for task in follower.tasks.values() for id in task.artifacts]
    try:
        metrics = fetch_metrics(client.connection, follower.run_id, artifacts)
        record["pipeline"]["metrics"] = metrics
    except ClusterError as error:
        if record["status"] == "succeeded" and METRICS in package.artifact_types:
            record["note"] += f" Its metrics cannot be read from here: {error}."


def _in_order(steps: list, notebook: Notebook | None) -> list:
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
