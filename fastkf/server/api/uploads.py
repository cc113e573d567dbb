"""Uploads of pipeline packages, as multipart forms with one file."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from fastkf.base.errors import shorten
from fastkf.package.model import Package
from fastkf.server import database as db
from fastkf.server import schemas
from fastkf.server.api.context import FromDatabase, WithSettings
from fastkf.server.api.document import UPLOAD, takes_form
from fastkf.server.api.pipelines import add_pipeline, add_version
from fastkf.server.api.requests import LONGEST_OF_GROUP, LONGEST_OF_VERSION, Labels
from fastkf.server.errors import invalid, read_json

router = APIRouter(prefix="/pipelines")
FIELD = "uploadfile"
# As a Kubeflow takes them: what is named as text is read as text, all else is an archive.
TEXTS = (".yaml", ".yml", ".json")
ARCHIVES = (b"PK", b"\x1f\x8b")
UNKNOWN = "is neither named .yaml, .yml or .json nor a .zip or .tar.gz by its content"
MISNAMED = "has the name of a text and the content of an archive: name it .zip or .tar.gz"


@dataclass(frozen=True)
class Upload:
    """A package, and the name of the file that it came in."""

    package: Package
    file_name: str


async def read_upload(request: Request) -> Upload:
    """What the form holds.

    Raises:
        ApiError: there is no file, or its name says that it is another kind of file.
        PackageError: it is no package.
    """
    async with request.form(max_files=1, max_fields=10) as form:
        file = form.get(FIELD)
        if not isinstance(file, UploadFile):
            raise invalid(f"no file in the form's field {FIELD}")
        content, name = await file.read(), file.filename or ""
    is_text = name.endswith(TEXTS)
    if is_text == content.startswith(ARCHIVES):
        raise invalid(f"{shorten(name, 60)!r} {MISNAMED if is_text else UNKNOWN}")
    package = await run_in_threadpool(Package.from_upload, content)
    return Upload(package, PurePosixPath(name).name or package.name)


def read_fields(
    name: str = "",
    display_name: str = "",
    description: str = "",
    namespace: str = "",
    tags: str = "",
) -> dict:
    fields = {"name": name, "display_name": display_name, "description": description}
    return {**fields, "namespace": namespace, "tags": read_json(tags or "{}", "tags")}


Uploaded = Annotated[Upload, Depends(read_upload)]
Fields = Annotated[dict, Depends(read_fields)]


@router.post("/upload", **takes_form(UPLOAD))
def upload_pipeline(
    upload: Uploaded, fields: Fields, database: FromDatabase, settings: WithSettings
) -> dict:
    """A new pipeline, and its first version under the same name."""
    labels = _label(fields, upload, LONGEST_OF_GROUP)
    with database.write() as session:
        pipeline = add_pipeline(session, labels)
        add_version(session, settings, pipeline, labels, upload.package)
        return schemas.pipeline(pipeline)


@router.post("/upload_version", **takes_form(UPLOAD))
def upload_version(
    upload: Uploaded,
    fields: Fields,
    database: FromDatabase,
    settings: WithSettings,
    pipelineid: str = "",
) -> dict:
    if not pipelineid:
        raise invalid("pipelineid is missing")
    labels = _label(fields, upload, LONGEST_OF_VERSION)
    with database.write() as session:
        pipeline = session.get(db.Pipeline, pipelineid)
        if pipeline is None:
            raise invalid(f"pipeline {pipelineid} not found")
        row = add_version(session, settings, pipeline, labels, upload.package)
        return schemas.version(row, row.spec)


def _label(fields: dict, upload: Upload, longest: int) -> Labels:
    """What the client calls it, or else the file."""
    name = fields["name"] or fields["display_name"] or upload.file_name
    return Labels.read({**fields, "name": name}, longest)
