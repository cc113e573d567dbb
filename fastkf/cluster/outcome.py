"""What became of a run: its record, as `fastkf run` keeps it, from what the server tells."""

from dataclasses import replace
from pathlib import Path

from fastkf.base.files import write_text
from fastkf.cluster import logs
from fastkf.cluster.errors import ClusterError
from fastkf.cluster.files import bring_files
from fastkf.cluster.follow import Follower
from fastkf.cluster.metadata import LOG
from fastkf.cluster.metrics import fetch_metrics
from fastkf.cluster.pods import EXECUTOR
from fastkf.cluster.target import Client
from fastkf.cluster.tasks import finish_time, is_terminated
from fastkf.engine.results import METRICS, read_metrics, write_pages
from fastkf.notebook.model import Notebook
from fastkf.package.model import Package
from fastkf.runs.model import PipelineResult, Run, State, Step
from fastkf.runs.problems import clean_source, explain

TERMINATED = "the run was ended by the user (terminated)"
ENDED_WITH_RUN = "ended with the run, which was terminated"
MOST_LOGS = 200  # of one run: those of steps that have not failed are for reading along
NO_LOG = "failed; the server has no log of it"
ENDINGS = ("", "KeyboardInterrupt")  # what a process says that is told to end
DRIVER_FAILED = "what prepares it has failed"


def complete_run(
    run: Run,
    client: Client,
    follower: Follower,
    package: Package,
    notebook: Notebook | None,
    everything: bool = False,
) -> tuple[Run, str | None]:
    """What is known of a run that has ended; the steps' logs and pages go to its folder.

    Args:
        run: as it is before it has ended.
        package: what runs.
        notebook: what it was compiled from; None for a package.
        everything: whether all the steps' files are brought too.

    Returns:
        The run, and what could not be read of it.
    """
    told, listing = follower.run, follower.listing
    _read_logs(client, follower, notebook, run.folder)
    faults = _bring_files(client, follower, run.folder, everything)
    state = State.SUCCEEDED if follower.outcome is State.SUCCEEDED else State.FAILED
    error = None
    if is_terminated(told):
        error = TERMINATED
    elif state is State.FAILED and not any(part.error for part in listing.parts.values()):
        error = _run_error(told)
    metrics, warning = _fetch_metrics(client, follower, package, state)
    told_of = (warning or _say_fault(follower), _say_untold(follower), *faults)
    warnings = [text for text in told_of if text]
    steps = tuple(in_order(listing.steps, notebook))
    pipeline = PipelineResult(state, told.created_at, _seconds(follower), steps, metrics)
    run = replace(run, state=state, seconds=pipeline.seconds, pipeline=pipeline, error=error)
    note = " ".join(text for text in (run.note, *warnings) if text)
    return replace(run, note=note or None), " ".join(warnings) or None


def _read_logs(client: Client, follower: Follower, notebook: Notebook | None, folder: Path) -> None:
    """Keeps the logs of the steps, and gives those that have failed their reason."""
    listing, is_silent = follower.listing, False
    for name, part in list(listing.parts.items()):
        if part.state is State.FAILED:
            listing.change(name, error=_explain(part, client, follower, notebook, folder))
        elif part.state is State.SUCCEEDED and len(listing.parts) <= MOST_LOGS and not is_silent:
            _, refusal = _keep_log(part, client, follower, folder)
            is_silent = refusal == logs.SILENT


def in_order(steps: tuple[Step, ...], notebook: Notebook | None) -> list[Step]:
    """The steps as their author has written them, where that is known."""
    order = list(notebook.steps) if notebook else []
    return sorted(steps, key=lambda one: order.index(one.name) if one.name in order else len(order))


def _explain(
    part: Step, client: Client, follower: Follower, notebook: Notebook | None, folder: Path
) -> str:
    """Why a step has failed, from its log, or else from what the server says of it."""
    log, refusal = _keep_log(part, client, follower, folder)
    cells = notebook.steps.get(part.name, []) if notebook else []
    failure = logs.find_failure(log)
    if failure:
        failure = logs.find_source(failure, [cell.source for cell in cells])
    waited = follower.waits.get(part.name)
    if is_terminated(follower.run) and not (failure and failure.name not in ENDINGS):
        return f"{ENDED_WITH_RUN}; until then: {waited.text}" if waited else ENDED_WITH_RUN
    if waited:
        return waited.text
    told = follower.listing.executions.get(part.name)
    knows_more = failure and (failure.source if client.health.is_local else failure.name)
    if told and told.reason and not knows_more:
        return told.reason
    if not failure or not failure.name:
        ended = follower.watch.explain_end(part.name, follower.listing)
        if ended:
            return ended
    if failure:
        names = {clean_source(cell.source): cell.label for cell in cells}
        said = explain(failure, names)
    else:
        said = "failed; see the end of its log" if log else NO_LOG
        said = f"failed; its log {refusal}" if refusal else said
    is_alone = follower.watch.names.is_alone(follower.listing.spots[part.name])
    is_driver = part.name in follower.broken and not is_alone
    return f"{DRIVER_FAILED}: {said}" if is_driver else said


def _keep_log(part: Step, client: Client, follower: Follower, folder: Path) -> tuple[str, str]:
    """The log of a step, which goes to the run's folder; "" where there is none.

    Returns:
        The log, and what is to be said of one that is out of reach.
    """
    told = follower.listing.executions.get(part.name)
    pods = follower.broken.get(part.name) or (
        [told.pod]
        if told and told.pod
        else follower.watch.names.guess(follower.listing.spots[part.name], EXECUTOR)
    )
    archived = told.made.get(LOG) if told else None
    log, refusal = logs.fetch_log(
        client.connection,
        follower.run_id,
        follower.watch.find_namespace(part.name, follower.listing),
        pods,
        follower.run.created_at,
        archived.uri if archived else "",
    )
    if log:
        (folder / "logs").mkdir(exist_ok=True)
        write_text(folder / "logs" / f"{part.name}.log", log)
    return log, refusal


def _bring_files(client: Client, follower: Follower, folder: Path, everything: bool) -> list[str]:
    """Brings what the steps have to show, or all that they have made; what could not be had."""
    parts = list(follower.listing.parts.values())
    changed, faults = bring_files(client.connection, parts, folder, client.namespace, everything)
    for name, part in changed.items():
        follower.listing.change(name, outputs=part.outputs)
    (folder / "outputs").mkdir(exist_ok=True)
    write_pages(changed.values(), folder)
    return faults


def _fetch_metrics(
    client: Client, follower: Follower, package: Package, state: State
) -> tuple[dict, str | None]:
    """The metrics, and what is to be said where there are some that cannot be read."""
    parts = follower.listing.parts.values()
    linked = read_metrics(parts)
    if linked or (follower.fault is None and any(part.outputs for part in parts)):
        return linked, None
    known = {name: one.artifact_ids for name, one in follower.listing.executions.items()}
    try:
        if not any(known.values()):
            return fetch_metrics(client.connection, follower.run_id, []), None
        metrics: dict[str, float] = {}
        for name, ids in known.items():
            made = fetch_metrics(client.connection, follower.run_id, ids) if ids else {}
            # Kale's have names of their own; all others begin with their step's.
            metrics |= made if package.is_kale else {f"{name}.{one}": made[one] for one in made}
        return metrics, None
    except ClusterError as error:
        if state is State.SUCCEEDED and METRICS in package.artifact_types:
            return {}, f"Its metrics cannot be read from here: {error}."
        return {}, None


def _say_fault(follower: Follower) -> str | None:
    if follower.fault is None:
        return None
    return f"What its steps have made cannot be read from here: {follower.fault}."


def _say_untold(follower: Follower) -> str | None:
    if not follower.untold:
        return None
    if follower.outcome is State.FAILED:
        return "The server tells nothing of its steps; which of them have run is not known."
    names = ", ".join(follower.untold)
    return (
        f"The server tells nothing of the end of {names}; as the run has succeeded, so have they."
    )


def _seconds(follower: Follower) -> float:
    created, finished = follower.run.created_at, finish_time(follower.run)
    if created and finished:
        return round((finished - created).total_seconds(), 1)
    return round(follower.seconds, 1)


def _run_error(run) -> str:
    told = [run.error, *(status.error for status in reversed(run.state_history or []))]
    messages = [error.message for error in told if error and error.message]
    return messages[0] if messages else "the server gives no reason; see the run's page"
