"""Experiments: groups of runs."""

from fastapi import APIRouter
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fastkf.base import clock
from fastkf.server import database as db
from fastkf.server import schemas
from fastkf.server.api.context import Body, FromDatabase, Listing
from fastkf.server.api.document import EXPERIMENT, takes
from fastkf.server.api.requests import LONGEST_OF_GROUP, read_name, read_text
from fastkf.server.errors import ApiError, Code, not_found
from fastkf.server.filters import Fields
from fastkf.server.messages import BODY, read_message
from fastkf.server.pagination import list_page
from fastkf.server.runs import new_id

router = APIRouter(prefix="/experiments")
DEFAULT = "Default"
FIELDS: Fields = {
    "experiment_id": db.Experiment.id,
    "id": db.Experiment.id,
    "display_name": db.Experiment.display_name,
    "name": db.Experiment.display_name,
    "description": db.Experiment.description,
    "namespace": db.Experiment.namespace,
    "created_at": db.Experiment.created_at,
    "last_run_created_at": db.Experiment.last_run_created_at,
    "storage_state": db.Experiment.storage_state,
}


def find_experiment(session: Session, experiment_id: str) -> db.Experiment:
    """Raises ApiError when there is none."""
    found = session.get(db.Experiment, experiment_id)
    if found is None:
        raise not_found("experiment", experiment_id)
    return found


def default_experiment(session: Session) -> db.Experiment:
    """The experiment of runs that name none, as on a new Kubeflow."""
    query = select(db.Experiment).where(db.Experiment.display_name == DEFAULT)
    found = session.scalar(query)
    if found is None:
        found = db.Experiment(id=new_id(), display_name=DEFAULT, created_at=clock.now())
        found.description = (
            "All runs created without specifying an experiment will be grouped here."
        )
        found.storage_state = "AVAILABLE"
        session.add(found)
    return found


@router.post("", **takes(EXPERIMENT))
def create_experiment(body: Body, database: FromDatabase) -> dict:
    asked = read_message(body, "V2beta1Experiment", BODY)
    name = read_name(asked, longest=LONGEST_OF_GROUP)
    with database.write() as session:
        if session.scalar(select(db.Experiment).where(db.Experiment.display_name == name)):
            message = (
                f"Failed to create a new experiment. The name {name} already exists. Please "
                "specify a new name"
            )
            raise ApiError(Code.ALREADY_EXISTS, message)
        row = db.Experiment(
            id=new_id(),
            display_name=name,
            description=read_text(asked, "description"),
            created_at=clock.now(),
        )
        session.add(row)
        session.flush()
    return schemas.experiment(row)


@router.get("")
def list_experiments(listing: Listing, database: FromDatabase) -> dict:
    with database.read() as session:
        return schemas.experiments(list_page(session, select(db.Experiment), FIELDS, listing))


@router.get("/{experiment_id}")
def get_experiment(experiment_id: str, database: FromDatabase) -> dict:
    with database.read() as session:
        return schemas.experiment(find_experiment(session, experiment_id))


@router.delete("/{experiment_id}")
def delete_experiment(experiment_id: str, database: FromDatabase) -> dict:
    """Its runs stay, as on a Kubeflow."""
    with database.write() as session:
        found = find_experiment(session, experiment_id)
        if found.display_name == DEFAULT:
            raise ApiError(Code.ABORTED, "The default experiment cannot be deleted")
        session.delete(found)
    return {}


@router.post("/{experiment_id}:archive")
def archive_experiment(experiment_id: str, database: FromDatabase) -> dict:
    """Its runs are archived too, and its recurring runs make no more.

    One that is not there is archived as well: so a Kubeflow answers.
    """
    with database.write() as session:
        _store(session, experiment_id, "ARCHIVED")
        schedules = update(db.RecurringRun).where(db.RecurringRun.experiment_id == experiment_id)
        session.execute(schedules.values(is_enabled=False, updated_at=clock.now()))
        of_it = update(db.Run).where(db.Run.experiment_id == experiment_id)
        session.execute(of_it.values(storage_state="ARCHIVED"))
    return {}


@router.post("/{experiment_id}:unarchive")
def unarchive_experiment(experiment_id: str, database: FromDatabase) -> dict:
    """Its runs stay archived, as on a Kubeflow."""
    with database.write() as session:
        _store(session, experiment_id, "AVAILABLE")
    return {}


def _store(session: Session, experiment_id: str, storage_state: str) -> None:
    query = update(db.Experiment).where(db.Experiment.id == experiment_id)
    session.execute(query.values(storage_state=storage_state))
