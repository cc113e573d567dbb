"""Pipelines and their versions."""

from dataclasses import replace

from fastapi import APIRouter
from sqlalchemy import Text, func, literal_column, select, type_coerce
from sqlalchemy.orm import Session, undefer

from fastkf.base import clock
from fastkf.base.files import write_text
from fastkf.package.model import Package
from fastkf.server import database as db
from fastkf.server import schemas
from fastkf.server.api.context import (
    Body,
    FromDatabase,
    Listing,
    WithSettings,
)
from fastkf.server.api.document import (
    PIPELINE,
    PIPELINE_AND_VERSION,
    PIPELINE_CHANGE,
    VERSION,
    VERSION_CHANGE,
    takes,
)
from fastkf.server.api.requests import (
    LONGEST_OF_GROUP,
    LONGEST_OF_VERSION,
    Labels,
    read_tags,
    read_text,
)
from fastkf.server.columns import Words
from fastkf.server.creation import find_version
from fastkf.server.errors import ApiError, Code, invalid, not_found
from fastkf.server.fetch import fetch_package
from fastkf.server.filters import Fields
from fastkf.server.messages import BODY, Message, read_message
from fastkf.server.pagination import list_page
from fastkf.server.runs import new_id
from fastkf.server.settings import Settings

router = APIRouter(prefix="/pipelines")
FIELDS: Fields = {
    "pipeline_id": db.Pipeline.id,
    "id": db.Pipeline.id,
    "name": db.Pipeline.name,
    "display_name": db.Pipeline.display_name,
    "description": db.Pipeline.description,
    "namespace": db.Pipeline.namespace,
    "created_at": db.Pipeline.created_at,
    "tags": db.Pipeline.tags,
}
NO_STATUS = literal_column("'READY'", Words())  # all that are here
VERSION_FIELDS: Fields = {
    "pipeline_version_id": db.PipelineVersion.id,
    "id": db.PipelineVersion.id,
    "pipeline_id": db.PipelineVersion.pipeline_id,
    "name": db.PipelineVersion.name,
    "display_name": db.PipelineVersion.display_name,
    "description": db.PipelineVersion.description,
    "code_source_url": db.PipelineVersion.code_source_url,
    "status": NO_STATUS,
    "pipeline_spec": type_coerce(db.PipelineVersion.spec, Text),
    "created_at": db.PipelineVersion.created_at,
    "tags": db.PipelineVersion.tags,
}


def find_pipeline(session: Session, pipeline_id: str) -> db.Pipeline:
    """Raises ApiError when there is none."""
    found = session.get(db.Pipeline, pipeline_id)
    if found is None:
        raise not_found("pipeline", pipeline_id)
    return found


def add_pipeline(session: Session, labels: Labels) -> db.Pipeline:
    """A new pipeline.

    Raises:
        ApiError: the name is taken.
    """
    if session.scalar(select(db.Pipeline).where(db.Pipeline.name == labels.name)):
        message = (
            f"Failed to create a new pipeline. The name {labels.name} already exists. Please "
            "specify a new name, or upload a version of it"
        )
        raise ApiError(Code.ALREADY_EXISTS, message)
    row = db.Pipeline(
        id=new_id(),
        name=labels.name,
        display_name=labels.display_name,
        description=labels.description,
        tags=labels.tags,
        created_at=clock.now(),
    )
    session.add(row)
    session.flush()
    return row


def add_version(
    session: Session, settings: Settings, pipeline: db.Pipeline, labels: Labels, package: Package
) -> db.PipelineVersion:
    """A new version of a pipeline, and its file.

    Raises:
        ApiError: the pipeline has a version of that name.
    """
    versions = select(db.PipelineVersion).where(db.PipelineVersion.pipeline_id == pipeline.id)
    if session.scalar(versions.where(db.PipelineVersion.name == labels.name)):
        message = (
            f"Failed to create a new version of {pipeline.name}. The name {labels.name} already "
            "exists. Please specify a new name"
        )
        raise ApiError(Code.ALREADY_EXISTS, message)
    row = db.PipelineVersion(
        id=new_id(),
        pipeline_id=pipeline.id,
        name=labels.name,
        display_name=labels.display_name,
        description=labels.description,
        code_source_url=labels.code_source_url,
        tags=labels.tags,
        created_at=clock.now(),
        spec=package.as_answer(),
    )
    session.add(row)
    session.flush()
    file = settings.version_file(row.id)
    file.parent.mkdir(exist_ok=True)  # somebody may have removed it
    write_text(file, package.as_yaml())
    return row


@router.post("", **takes(PIPELINE))
def create_pipeline(body: Body, database: FromDatabase) -> dict:
    """A pipeline without a version."""
    labels = Labels.read(read_message(body, "V2beta1Pipeline", BODY))
    with database.write() as session:
        return schemas.pipeline(add_pipeline(session, labels))


@router.post("/create", **takes(PIPELINE_AND_VERSION))
def create_pipeline_and_version(body: Body, database: FromDatabase, settings: WithSettings) -> dict:
    asked = read_message(body, "V2beta1CreatePipelineAndVersionRequest", BODY)
    for part in ("pipeline", "pipeline_version"):
        if part not in asked:
            raise invalid(f"{part} is missing")
    labels, version = Labels.read(asked["pipeline"]), asked["pipeline_version"]
    package = _read_package(version, settings)
    of_version = replace(labels, tags=read_tags(version) or {}, code_source_url="")
    with database.write() as session:
        row = add_pipeline(session, labels)
        add_version(session, settings, row, of_version, package)
        return schemas.pipeline(row)


@router.get("")
def list_pipelines(listing: Listing, database: FromDatabase) -> dict:
    with database.read() as session:
        return schemas.pipelines(list_page(session, select(db.Pipeline), FIELDS, listing))


@router.get("/names/{name}")
def get_pipeline_by_name(name: str, database: FromDatabase) -> dict:
    with database.read() as session:
        found = session.scalar(select(db.Pipeline).where(db.Pipeline.name == name))
        if found is None:
            raise not_found("pipeline", name)
        return schemas.pipeline(found)


@router.get("/{pipeline_id}")
def get_pipeline(pipeline_id: str, database: FromDatabase) -> dict:
    with database.read() as session:
        return schemas.pipeline(find_pipeline(session, pipeline_id))


@router.patch("/{pipeline_id}", **takes(PIPELINE_CHANGE))
def update_pipeline(pipeline_id: str, body: Body, database: FromDatabase) -> dict:
    asked = read_message(body, "V2beta1Pipeline", BODY)
    with database.write() as session:
        row = find_pipeline(session, pipeline_id)
        _change(row, asked, LONGEST_OF_GROUP)
        return schemas.pipeline(row)


@router.delete("/{pipeline_id}")
def delete_pipeline(
    pipeline_id: str, database: FromDatabase, settings: WithSettings, cascade: bool = False
) -> dict:
    """Refused while it has versions, as on a Kubeflow, unless `cascade`."""
    of_it = select(db.PipelineVersion).where(db.PipelineVersion.pipeline_id == pipeline_id)
    with database.write() as session:
        pipeline = find_pipeline(session, pipeline_id)
        count = session.scalar(select(func.count()).select_from(of_it.subquery()))
        if count and not cascade:
            message = f"the pipeline {pipeline.name} has {count} versions; delete them first"
            raise invalid(message)
        versions = list(session.scalars(of_it))
        for version in versions:
            session.delete(version)
        session.flush()
        session.delete(pipeline)
    for version in versions:
        settings.version_file(version.id).unlink(missing_ok=True)
    return {}


@router.post("/{pipeline_id}/versions", **takes(VERSION))
def create_version(
    pipeline_id: str, body: Body, database: FromDatabase, settings: WithSettings
) -> dict:
    asked = read_message(body, "V2beta1PipelineVersion", BODY)
    package, labels = _read_package(asked, settings), Labels.read(asked, LONGEST_OF_VERSION)
    with database.write() as session:
        pipeline = find_pipeline(session, pipeline_id)
        row = add_version(session, settings, pipeline, labels, package)
        return schemas.version(row, row.spec)


@router.get("/{pipeline_id}/versions")
def list_versions(pipeline_id: str, listing: Listing, database: FromDatabase) -> dict:
    of_it = select(db.PipelineVersion).where(db.PipelineVersion.pipeline_id == pipeline_id)
    with database.read() as session:
        find_pipeline(session, pipeline_id)
        query = of_it.options(undefer(db.PipelineVersion.spec))
        return schemas.versions(list_page(session, query, VERSION_FIELDS, listing))


@router.get("/{pipeline_id}/versions/{version_id}")
def get_version(pipeline_id: str, version_id: str, database: FromDatabase) -> dict:
    with database.read() as session:
        row = find_version(session, pipeline_id, version_id)
        return schemas.version(row, row.spec)


@router.patch("/{pipeline_id}/versions/{version_id}", **takes(VERSION_CHANGE))
def update_version(pipeline_id: str, version_id: str, body: Body, database: FromDatabase) -> dict:
    asked = read_message(body, "V2beta1PipelineVersion", BODY)
    with database.write() as session:
        row = find_version(session, pipeline_id, version_id)
        _change(row, asked, LONGEST_OF_VERSION)
        return schemas.version(row, row.spec)


@router.delete("/{pipeline_id}/versions/{version_id}")
def delete_version(
    pipeline_id: str, version_id: str, database: FromDatabase, settings: WithSettings
) -> dict:
    """Runs that were made from it have a copy of the package, and stay."""
    with database.write() as session:
        if session.get(db.PipelineVersion, version_id) is None:
            raise invalid(f"pipeline version {version_id} not found")
        session.delete(find_version(session, pipeline_id, version_id))
    settings.version_file(version_id).unlink(missing_ok=True)
    return {}


def _change(row: db.Pipeline | db.PipelineVersion, asked: Message, longest: int) -> None:
    """Names it anew, and tags it: what a client does not speak of stays."""
    tags = read_tags(asked)
    row.display_name = read_text(asked, "display_name", longest=longest) or row.display_name
    row.tags = row.tags if tags is None else tags


def _read_package(fields: Message, settings: Settings) -> Package:
    if fields.get("pipeline_spec") is not None:
        return Package.from_spec(fields["pipeline_spec"])
    url = read_text(fields.get("package_url") or {}, "pipeline_url")
    if not url:
        raise invalid("neither pipeline_spec nor package_url says where the package is")
    return Package.from_upload(fetch_package(url, settings.package_origins))
