"""Experiments: groups of runs."""

from fastapi import APIRouter
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fastkf.base import clock
from fastkf.server import database as db
from fastkf.server import schemas
from fastkf.server.api.context import Body, FromDatabase, Listing
from fastkf.server.api.document import EXPERIMENT, takes
from fastkf.server.api.requests import read_name, read_text
from fastkf.server.errors import ApiError, Code, not_found
from fastkf.server.pagination import Fields, list_page
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
    name, description = read_name(body), read_text(body, "description")
    namespace = read_text(body, "namespace")
    with database.write() as session:
        if session.scalar(select(db.Experiment).where(db.Experiment.display_name == name)):
            raise ApiError(Code.ALREADY_EXISTS, f"an experiment {name} exists already")
        row = db.Experiment(
            id=new_id(),
            display_name=name,
            description=description,
            namespace=namespace,
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
        session.delete(find_experiment(session, experiment_id))
    return {}


@router.post("/{experiment_id}:archive")
def archive_experiment(experiment_id: str, database: FromDatabase) -> dict:
    """Its runs are archived too."""
    with database.write() as session:
        find_experiment(session, experiment_id).storage_state = "ARCHIVED"
        of_it = update(db.Run).where(db.Run.experiment_id == experiment_id)
        session.execute(of_it.values(storage_state="ARCHIVED"))
    return {}


@router.post("/{experiment_id}:unarchive")
def unarchive_experiment(experiment_id: str, database: FromDatabase) -> dict:
    """Its runs stay archived, as on a Kubeflow."""
    with database.write() as session:
        find_experiment(session, experiment_id).storage_state = "AVAILABLE"
    return {}
