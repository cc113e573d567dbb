"""The steps of a run, as its package names them and as the API tells how they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from fastkf.package.kale import name_step
from fastkf.runs.model import State, Step

STATES = {
    "SUCCEEDED": State.SUCCEEDED,
    "SKIPPED": State.SKIPPED,
    "FAILED": State.FAILED,
    "CANCELED": State.FAILED,
    "RUNNING": State.RUNNING,
    "CANCELING": State.RUNNING,
}
ENDED = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")


@dataclass(frozen=True)
class Task:
    """What the API tells of a step: the names of its pods, what it says of an error."""

    pods: tuple[str, ...] = ()
    error: str | None = None
    artifacts: tuple[str, ...] = ()


def read_steps(run, after: Mapping[str, Sequence[str]]) -> tuple[list[Step], dict[str, Task]]:
    """How each step is now, and what else the API tells of it.

    The API calls a step by its task's name; beside the tasks there are the drivers of KFP, and the
    tasks inside of loops and conditions, which are left out. So is what a run that has succeeded
    does not list: nothing is known of it.
    """
    details = (run.run_details and run.run_details.task_details) or []
    known = {_name(detail, after): detail for detail in details}
    if run_state(run) == "SUCCEEDED":
        after = {name: waits_for for name, waits_for in after.items() if name in known}
    steps, tasks = [], {}
    for name, waits_for in after.items():
        detail = known.get(name)
        steps.append(_read_step(name, [one for one in waits_for if one in after], detail, run))
        tasks[name] = _read_task(detail) if detail else Task()
    return steps, tasks


def run_state(run) -> str:
    """The state in the API's spelling; "" while the server does not tell one."""
    return str(run.state or "").upper()


def _name(detail, after: Mapping[str, Sequence[str]]) -> str:
    name = detail.display_name or ""
    return name if name in after else name_step(name)


def _read_step(name: str, after: list[str], detail, run) -> Step:
    state = STATES.get(str(detail.state).upper(), State.PENDING) if detail else State.PENDING
    step = Step(name, (detail and detail.display_name) or name, tuple(after), state)
    began = detail and (_moment(detail.start_time) or _moment(detail.create_time))
    if began and state is not State.PENDING:
        ended = _moment(detail.end_time) or datetime.now(began.tzinfo)
        step = replace(step, started=began, seconds=max(0.0, (ended - began).total_seconds()))
    return step.end_with_run() if run_state(run) in ENDED else step


def _read_task(detail) -> Task:
    pods = [detail.pod_name] + [child.pod_name for child in detail.child_tasks or []]
    lists = (detail.outputs or {}).values()
    return Task(
        pods=tuple(pod for pod in pods if pod),
        error=(detail.error and detail.error.message) or None,
        artifacts=tuple(id for one in lists for id in one.artifact_ids or []),
    )


def _moment(value: datetime | None) -> datetime | None:
    """A time of the API, which gives 1970 for "not yet"."""
    return value if value and value.year > 1970 else None
