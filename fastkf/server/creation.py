"""A run is made: for a client that asks for one, or because a recurring run is due."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fastkf.base import clock
from fastkf.package.arguments import check_arguments
from fastkf.package.model import Package
from fastkf.server import database as db
from fastkf.server import runs
from fastkf.server.errors import invalid, not_found
from fastkf.server.settings import Settings


@dataclass(frozen=True)
class Source:
    """What a run is of: a package, and the version that it is from, if it is from one."""

    package: Package
    version: db.PipelineVersion | None = None


@dataclass(frozen=True)
class NewRun:
    """How a run is called, and what it is given."""

    display_name: str
    description: str
    service_account: str
    parameters: dict[str, Any]
    pipeline_root: str
    recurring_run_id: str | None = None
    scheduled_at: datetime | None = None


def find_source(session: Session, pipeline_id: str | None, version_id: str | None) -> Source:
    """A version of a pipeline, the newest where none is named.

    Raises:
        ApiError: there is none, or it is another pipeline's.
        PackageError: it is no package any more.
    """
    if not version_id:
        versions = select(db.PipelineVersion.id)
        of_it = versions.where(db.PipelineVersion.pipeline_id == (pipeline_id or ""))
        version_id = session.scalar(of_it.order_by(db.PipelineVersion.created_at.desc()).limit(1))
        if version_id is None:
            raise not_found("a version of the pipeline", pipeline_id or "")
    return from_version(find_version(session, pipeline_id, version_id))


def from_version(version: db.PipelineVersion) -> Source:
    return Source(Package.from_spec(version.spec), version)


def find_version(session: Session, pipeline_id: str | None, version_id: str) -> db.PipelineVersion:
    """Raises ApiError when there is none, or it is another pipeline's."""
    found = session.get(db.PipelineVersion, version_id)
    if found is None:
        raise not_found("pipeline version", version_id)
    if pipeline_id and found.pipeline_id != pipeline_id:
        raise invalid(f"pipeline version {version_id} is not of the pipeline {pipeline_id}")
    return found


def add_run(
    session: Session, settings: Settings, source: Source, experiment: db.Experiment, new: NewRun
) -> db.Run:
    """A run that waits, and its folder.

    Raises:
        ApiError, PackageError: the package does not take these parameters.
    """
    check_arguments(source.package, new.parameters)
    version, moment = source.version, clock.now()
    row = db.Run(
        id=runs.new_id(),
        experiment_id=experiment.id,
        recurring_run_id=new.recurring_run_id,
        display_name=new.display_name,
        description=new.description,
        service_account=new.service_account,
        pipeline_name=source.package.name,
        pipeline_id=version and version.pipeline_id,
        pipeline_version_id=version and version.id,
        parameters=new.parameters,
        pipeline_root=new.pipeline_root,
        state_history=[],
        storage_state="AVAILABLE",
        spec=None if version else source.package.as_answer(),
        created_at=moment,
        scheduled_at=new.scheduled_at or moment,
    )
    runs.set_state(row, "PENDING")
    experiment.last_run_created_at = moment
    runs.make_folder(settings, row, source.package)
    session.add(row)
    return row
