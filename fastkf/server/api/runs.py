"""Runs."""

import shutil

from fastapi import APIRouter
from sqlalchemy import Text, case, select, type_coerce, update
from sqlalchemy.orm import Session, undefer

from fastkf.base import clock
from fastkf.package.model import Package
from fastkf.server import database as db
from fastkf.server import runs, schemas
from fastkf.server.api.context import (
    Body,
    FromDatabase,
    Listing,
    Spelled,
    WithQueue,
    WithSettings,
)
from fastkf.server.api.document import RUN, takes
from fastkf.server.api.experiments import default_experiment, find_experiment
from fastkf.server.api.requests import RunRequest
from fastkf.server.artifacts import list_artifacts
from fastkf.server.creation import NewRun, Source, add_run, find_source
from fastkf.server.errors import Answer, ApiError, Code, invalid, not_found
from fastkf.server.executions import Execution, read_executions
from fastkf.server.filters import NO_NAMESPACE, Fields
from fastkf.server.full_tasks import full_tasks
from fastkf.server.messages import BODY, read_message
from fastkf.server.pagination import list_page
from fastkf.server.specs import load_package, read_spec
from fastkf.server.tasks import describe_tasks
from fastkf.server.tree import Tree, build_tree

router = APIRouter(prefix="/runs")
# As `runs.told_state` has it.
STATE = case((db.Run.state == "CANCELED", "FAILED"), else_=db.Run.state)
FIELDS: Fields = {
    "run_id": db.Run.id,
    "id": db.Run.id,
    "display_name": db.Run.display_name,
    "name": db.Run.display_name,
    "description": db.Run.description,
    "experiment_id": db.Run.experiment_id,
    "pipeline_id": db.Run.pipeline_id,
    "pipeline_version_id": db.Run.pipeline_version_id,
    "recurring_run_id": db.Run.recurring_run_id,
    "created_at": db.Run.created_at,
    "scheduled_at": db.Run.scheduled_at,
    "finished_at": db.Run.finished_at,
    "state": STATE,
    "status": STATE,
    "state_history": type_coerce(db.Run.state_history, Text),
    "storage_state": db.Run.storage_state,
    "service_account": db.Run.service_account,
    "namespace": NO_NAMESPACE,
}
UNSORTED = ("experiment_id", "recurring_run_id", "state_history")


def find_run(session: Session, run_id: str) -> db.Run:
    """Raises ApiError when there is none."""
    found = session.get(db.Run, run_id)
    if found is None:
        raise not_found("run", run_id)
    return found


@router.post("", **takes(RUN))
def create_run(
    body: Body,
    database: FromDatabase,
    settings: WithSettings,
    queue: WithQueue,
    spelled: Spelled,
    experiment_id: str = "",
) -> dict:
    wanted = RunRequest.read(read_message(body, "V2beta1Run", BODY))
    sent = None if wanted.spec is None else Source(Package.from_spec(wanted.spec))
    with database.write() as session:
        source = sent or find_source(session, *wanted.named)
        experiment = _choose_experiment(session, wanted.experiment_id or experiment_id)
        if (
            wanted.recurring_run_id
            and session.get(db.RecurringRun, wanted.recurring_run_id) is None
        ):
            raise invalid(f"recurring run {wanted.recurring_run_id} not found")
        row = add_run(
            session,
            settings,
            source,
            experiment,
            NewRun(
                display_name=wanted.display_name,
                description=wanted.description,
                service_account=wanted.service_account,
                parameters=wanted.parameters,
                pipeline_root=wanted.pipeline_root,
                recurring_run_id=wanted.recurring_run_id or None,
            ),
        )
    queue.wake()
    return spelled(schemas.run(row, [], row.spec))


@router.get("")
def list_runs(
    listing: Listing, database: FromDatabase, settings: WithSettings, experiment_id: str = ""
) -> Answer:
    query = select(db.Run)
    with database.read() as session:
        if experiment_id:
            find_experiment(session, experiment_id)
            query = query.where(db.Run.experiment_id == experiment_id)
        query = query.options(undefer(db.Run.spec))
        page = list_page(session, query, FIELDS, listing, UNSORTED)

        def describe(row: db.Run) -> dict:
            """Without the groups around the steps, for which the package would be read."""
            return _describe_run(row, read_executions(settings, row), Tree((), {}))

        return Answer(schemas.list_of("runs", page, describe))


@router.get("/{run_id}")
def get_run(
    run_id: str,
    database: FromDatabase,
    settings: WithSettings,
    spelled: Spelled,
    view: str = "",
) -> Answer:
    """With `view=FULL` it has `tasks` too, as the release after Kubeflow Pipelines 2.17 has."""
    with database.read() as session:
        row = find_run(session, run_id)
        executions = read_executions(settings, row)
        tree = build_tree(read_spec(settings, row), executions)
        answer = spelled(_describe_run(row, executions, tree))
    if view == "FULL":
        answer["tasks"] = full_tasks(row, executions, tree)
    return Answer(answer)


def _describe_run(row: db.Run, executions: list[Execution], tree: Tree) -> dict:
    artifacts = list(list_artifacts(row.id, executions))
    return schemas.run(row, describe_tasks(row, executions, artifacts, tree), row.spec)


@router.delete("/{run_id}")
def delete_run(
    run_id: str, database: FromDatabase, settings: WithSettings, queue: WithQueue
) -> dict:
    """Ends it first, if it is going."""
    with database.write() as session:
        session.delete(find_run(session, run_id))
    queue.terminate(run_id, wait=True)
    shutil.rmtree(settings.run_folder(run_id), ignore_errors=True)
    return {}


@router.post("/{run_id}:terminate")
def terminate_run(run_id: str, database: FromDatabase, settings: WithSettings, queue: WithQueue):
    with database.write() as session:
        row = find_run(session, run_id)
        if row.state not in db.GOING:
            raise invalid(f"the run has ended already ({runs.told_state(row.state)})")
        was_waiting = row.state == "PENDING"
        if row.state != "CANCELING":
            runs.set_state(row, "CANCELING")
        if was_waiting:
            runs.set_state(row, "CANCELED")
            runs.end_record(settings, row)
    if row.state == "CANCELING":
        queue.terminate(run_id)
    return {}


@router.post("/{run_id}:retry")
def retry_run(run_id: str, database: FromDatabase, settings: WithSettings, queue: WithQueue):
    """Goes on with the steps that have not succeeded."""
    with database.write() as session:
        row = find_run(session, run_id)
        if row.state not in ("FAILED", "CANCELED"):
            message = f"only a run that failed or was terminated can be retried ({row.state})"
            raise ApiError(Code.ABORTED, message)
        package = load_package(settings, run_id)
        runs.set_state(row, "PENDING")
        row.finished_at, row.scheduled_at = None, clock.now()
        runs.prepare_retry(settings, row, package)
    queue.wake()
    return {}


@router.post("/{run_id}:archive")
def archive_run(run_id: str, database: FromDatabase) -> dict:
    with database.write() as session:
        find_run(session, run_id)
        _store(session, run_id, "ARCHIVED")
    return {}


@router.post("/{run_id}:unarchive")
def unarchive_run(run_id: str, database: FromDatabase) -> dict:
    with database.write() as session:
        experiment = session.get(db.Experiment, find_run(session, run_id).experiment_id)
        if experiment is not None and experiment.storage_state == "ARCHIVED":
            message = (
                f"the run's experiment {experiment.display_name} is archived; unarchive it first"
            )
            raise ApiError(Code.FAILED_PRECONDITION, message)
        _store(session, run_id, "AVAILABLE")
    return {}


def _store(session: Session, run_id: str, storage_state: str) -> None:
    query = update(db.Run).where(db.Run.id == run_id)
    session.execute(query.values(storage_state=storage_state))


def _choose_experiment(session: Session, experiment_id: str) -> db.Experiment:
    if not experiment_id:
        return default_experiment(session)
    return find_experiment(session, experiment_id)
