"""Uploads of pipeline packages, as multipart forms with one file."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from fastkf.package.model import Package
from fastkf.server import schemas
from fastkf.server.api.context import FromDatabase, WithSettings
from fastkf.server.api.document import UPLOAD, takes_form
from fastkf.server.api.pipelines import add_pipeline, add_version, find_pipeline
from fastkf.server.api.requests import Labels
from fastkf.server.errors import invalid, read_json

router = APIRouter(prefix="/pipelines")
FIELD = "uploadfile"


async def read_package(request: Request) -> Package:
    """The package in the form's file.

    Raises:
        ApiError: there is no file.
        PackageError: it is no package.
    """
    async with request.form(max_files=1, max_fields=10) as form:
        file = form.get(FIELD)
        if not isinstance(file, UploadFile):
            raise invalid(f"no file in the form's field {FIELD}")
        content = await file.read()
    return await run_in_threadpool(Package.from_upload, content)


def read_fields(
    name: str = "",
    display_name: str = "",
    description: str = "",
    namespace: str = "",
    tags: str = "",
) -> dict:
    fields = {"name": name, "display_name": display_name, "description": description}
    return {**fields, "namespace": namespace, "tags": read_json(tags or "{}", "tags")}


Uploaded = Annotated[Package, Depends(read_package)]
Fields = Annotated[dict, Depends(read_fields)]


@router.post("/upload", **takes_form(UPLOAD))
def upload_pipeline(
    package: Uploaded, fields: Fields, database: FromDatabase, settings: WithSettings
) -> dict:
    """A new pipeline, and its first version under the same name."""
    labels = _label(fields, package)
    with database.write() as session:
        pipeline = add_pipeline(session, labels)
        add_version(session, settings, pipeline, labels, package)
        return schemas.pipeline(pipeline)


@router.post("/upload_version", **takes_form(UPLOAD))
def upload_version(
    package: Uploaded,
    fields: Fields,
    database: FromDatabase,
    settings: WithSettings,
    pipelineid: str = "",
) -> dict:
    if not pipelineid:
        raise invalid("pipelineid is missing")
    labels = _label(fields, package)
    with database.write() as session:
        pipeline = find_pipeline(session, pipelineid)
        row = add_version(session, settings, pipeline, labels, package)
        return schemas.version(row, row.spec)


def _label(fields: dict, package: Package) -> Labels:
    """What the client calls it, or else the package."""
    name = fields["name"] or fields["display_name"] or package.name
    return Labels.read({**fields, "name": name})
