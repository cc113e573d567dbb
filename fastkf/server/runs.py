"""What happens to a run: it is created, it starts, it ends.

run.json is written before the database's transaction is through: what there is no room for is in
neither, and can be tried again.
"""

import logging
import os
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fastkf.base import clock
from fastkf.base.errors import FastkfError, shorten
from fastkf.base.files import write_text
from fastkf.package.arguments import complete_arguments
from fastkf.package.model import Package
from fastkf.package.settings import describe_settings
from fastkf.runs import record
from fastkf.runs.model import PipelineResult, Run, State, Step
from fastkf.runs.record import write_run
from fastkf.server import database as db
from fastkf.server.settings import Settings

NAMESPACE = "kubeflow"  # that of a Kubeflow Pipelines without users
SERVICE_ACCOUNT = "pipeline-runner"  # that of Kubeflow Pipelines; nothing here runs under one


def new_id() -> str:
    return str(uuid.uuid4())


def task_id(run_id: str, task: str) -> str:
    """How the API names a task of a run."""
    return f"{run_id}.{task}"


def told_state(state: Any) -> Any:
    """The state as the API tells it: there a run that was terminated ends as FAILED."""
    return "FAILED" if state == "CANCELED" else state


def tell_time(moment: datetime) -> str:
    """A time as the API tells it: its database keeps whole seconds."""
    return clock.format_utc(moment, "seconds")


def set_state(run: db.Run, state: str, error: str | None = None) -> None:
    """Moves the run to a state and keeps it in the history."""
    moment = clock.now()
    entry = {"update_time": tell_time(moment)}
    entry |= {"state": state} | ({"error": error} if error else {})
    run.state, run.error = state, error
    run.state_history = [*run.state_history, entry]
    if state not in db.GOING:
        run.finished_at = moment


def make_folder(settings: Settings, run: db.Run, package: Package) -> None:
    """The folder of a run: its package, and what is shared."""
    folder = settings.run_folder(run.id)
    folder.mkdir(parents=True)
    for name, shared in settings.shared.items():
        (folder / name).symlink_to(shared.path, target_is_directory=True)
    write_text(folder / "pipeline.yaml", package.as_yaml())
    write_run(_new_run(settings, run, package))


def _new_run(settings: Settings, run: db.Run, package: Package) -> Run:
    """The run before its first attempt."""
    return Run(
        folder=settings.run_folder(run.id),
        name=package.name,
        title=package.description or package.name,
        parameters=complete_arguments(package, run.parameters),
        started=clock.now(),
        not_applied=describe_settings(package),
    )


def find_missing(settings: Settings, parameters: Mapping[str, object]) -> str | None:
    """Why a run cannot go: a parameter names what is not in a shared folder; else None."""
    for parameter, value in parameters.items():
        for name, shared in settings.shared.items():
            if not isinstance(value, str) or not value.startswith(f"../{name}/"):
                continue
            # Not Path's, which raises for a name that is too long: the queue would wait for it.
            if not os.path.exists(shared.path / value.removeprefix(f"../{name}/")):
                where = f"there is no such folder or file in {shared.path}"
                return f"{parameter} = {shorten(value)}: {where}; {shared.remedy}"
    return None


def prepare_retry(settings: Settings, run: db.Run, package: Package) -> None:
    """Makes run.json ready for another attempt, which leaves out the steps that have succeeded.

    Of a loop's step, the iterations that have.
    """
    earlier = read_run(settings, run.id) or _new_run(settings, run, package)
    pipeline = PipelineResult(State.PENDING, steps=tuple(map(_keep, earlier.steps)))
    write_run(replace(earlier, state=State.PENDING, error=None, pipeline=pipeline))


def _keep(step: Step) -> Step:
    if _is_kept(step):
        return step
    return Step(step.name, step.task, step.after, steps=tuple(filter(_is_kept, step.steps)))


def _is_kept(step: Step) -> bool:
    return step.state is State.SUCCEEDED and step.outputs is not None


def read_run(settings: Settings, run_id: str) -> Run | None:
    """What a run's run.json tells, None when there is none that can be read."""
    try:
        return record.read_run(settings.run_folder(run_id))
    except FastkfError:
        return None


def end_record(settings: Settings, run: db.Run) -> None:
    """Has run.json say what the database says, where the run's own process could not.

    Raises:
        OSError: it cannot be written now.
    """
    kept, state = read_run(settings, run.id), State[run.state]
    if kept is not None and kept.state is not state:
        try:
            write_run(kept.end(state, run.error))
        except PermissionError as error:  # a step has closed the folder: no other run waits for it
            logging.error("the record of a run cannot be written: %s", error)


def fail_interrupted(session: Session) -> list[db.Run]:
    """The runs that were going when the server ended, now failed with the reason."""
    query = select(db.Run).where(db.Run.state.in_(["RUNNING", "CANCELING"]))
    interrupted = list(session.scalars(query))
    for run in interrupted:
        if run.state == "CANCELING":
            set_state(run, "CANCELED", "terminated; the server ended before the run had")
        else:
            set_state(
                run, "FAILED", "the server ended while the run was going, so the run ended too"
            )
    return interrupted
