"""Recurring runs: a run that is made again and again."""

from typing import Any

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from fastkf.base import clock
from fastkf.package.arguments import check_arguments
from fastkf.package.model import Package
from fastkf.server import database as db
from fastkf.server import schemas
from fastkf.server.api.context import Body, FromDatabase, Listing
from fastkf.server.api.document import RECURRING_RUN, takes
from fastkf.server.api.experiments import default_experiment, find_experiment
from fastkf.server.api.requests import RunRequest
from fastkf.server.creation import Source, find_source
from fastkf.server.errors import Answer, invalid, not_found
from fastkf.server.filters import NO_NAMESPACE, Fields
from fastkf.server.messages import BODY, Message, read_message
from fastkf.server.pagination import list_page
from fastkf.server.runs import new_id, tell_time
from fastkf.server.schedule import ScheduleError, read_schedule

router = APIRouter(prefix="/recurringruns")
MOST_AT_ONCE = 10  # runs of one, as on a Kubeflow
FIELDS: Fields = {
    "recurring_run_id": db.RecurringRun.id,
    "id": db.RecurringRun.id,
    "display_name": db.RecurringRun.display_name,
    "name": db.RecurringRun.display_name,
    "description": db.RecurringRun.description,
    "experiment_id": db.RecurringRun.experiment_id,
    "pipeline_id": db.RecurringRun.pipeline_id,
    "created_at": db.RecurringRun.created_at,
    "updated_at": db.RecurringRun.updated_at,
    "namespace": NO_NAMESPACE,
}


def find_recurring_run(session: Session, id: str) -> db.RecurringRun:
    """Raises ApiError when there is none."""
    found = session.get(db.RecurringRun, id, options=[undefer(db.RecurringRun.spec)])
    if found is None:
        raise not_found("recurring run", id)
    return found


@router.post("", **takes(RECURRING_RUN))
def create_recurring_run(body: Body, database: FromDatabase) -> dict:
    """One whose mode is not given is disabled, and max_concurrency is needed, as on a Kubeflow."""
    asked = read_message(body, "V2beta1RecurringRun", BODY)
    wanted, trigger = RunRequest.read(asked), _read_trigger(asked)
    at_once = asked.get("max_concurrency", 0)
    if not 1 <= at_once <= MOST_AT_ONCE:
        raise invalid(f"max_concurrency is at least 1 and at most {MOST_AT_ONCE}")
    sent = None if wanted.spec is None else Source(Package.from_spec(wanted.spec))
    with database.write() as session:
        experiment = (
            find_experiment(session, wanted.experiment_id)
            if wanted.experiment_id
            else default_experiment(session)
        )
        source = sent or find_source(session, *wanted.named)
        check_arguments(source.package, wanted.parameters)
        moment = clock.now()
        row = db.RecurringRun(
            id=new_id(),
            experiment_id=experiment.id,
            display_name=wanted.display_name,
            description=wanted.description,
            service_account=wanted.service_account,
            pipeline_name=source.package.name,
            pipeline_id=source.version and source.version.pipeline_id,
            pipeline_version_id=wanted.named[1] or None,
            parameters=wanted.parameters,
            pipeline_root=wanted.pipeline_root,
            trigger=trigger,
            max_concurrency=at_once,
            no_catchup=asked.get("no_catchup", False),
            is_enabled=asked.get("mode") in ("ENABLE", 1),
            count=0,
            since=moment,
            created_at=moment,
            updated_at=moment,
            spec=source.package.as_answer() if sent else None,
        )
        session.add(row)
    return schemas.recurring_run(row)


@router.get("")
def list_recurring_runs(
    listing: Listing, database: FromDatabase, experiment_id: str = ""
) -> Answer:
    query = select(db.RecurringRun).options(undefer(db.RecurringRun.spec))
    with database.read() as session:
        if experiment_id:
            find_experiment(session, experiment_id)
            query = query.where(db.RecurringRun.experiment_id == experiment_id)
        page = list_page(session, query, FIELDS, listing)
        return Answer(schemas.list_of("recurringRuns", page, schemas.recurring_run))


@router.get("/{recurring_run_id}")
def get_recurring_run(recurring_run_id: str, database: FromDatabase) -> dict:
    with database.read() as session:
        return schemas.recurring_run(find_recurring_run(session, recurring_run_id))


@router.delete("/{recurring_run_id}")
def delete_recurring_run(recurring_run_id: str, database: FromDatabase) -> dict:
    """The runs that it has made stay."""
    with database.write() as session:
        session.delete(find_recurring_run(session, recurring_run_id))
    return {}


@router.post("/{recurring_run_id}:enable")
def enable_recurring_run(recurring_run_id: str, database: FromDatabase) -> dict:
    return _switch(database, recurring_run_id, True)


@router.post("/{recurring_run_id}:disable")
def disable_recurring_run(recurring_run_id: str, database: FromDatabase) -> dict:
    return _switch(database, recurring_run_id, False)


def _switch(database: db.Database, id: str, is_enabled: bool) -> dict:
    with database.write() as session:
        row = find_recurring_run(session, id)
        row.is_enabled, row.updated_at = is_enabled, clock.now()
    return {}


def _read_trigger(asked: Message) -> dict[str, Any]:
    """The trigger as it is kept and answered: 64-bit numbers and times are texts."""
    trigger: dict[str, Any] = {}
    for kind, part in asked.get("trigger", {}).items():
        times = {name: part[name] for name in ("start_time", "end_time") if name in part}
        if len(times) == 2 and times["end_time"] < times["start_time"]:
            raise invalid("trigger: its end_time is before its start_time")
        trigger[kind] = {**part, **{name: tell_time(one) for name, one in times.items()}}
        if "interval_second" in part:
            trigger[kind]["interval_second"] = str(part["interval_second"])
    try:
        read_schedule(trigger)
    except ScheduleError as error:
        raise invalid(f"trigger: {error}") from error
    return trigger
