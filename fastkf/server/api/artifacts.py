"""What the steps of a run have made: artifacts, and the metrics among them.

Where a client reads the metrics of a run
-----------------------------------------
`task_details` of the run's answer names the artifacts that each step has put out:
`task.outputs["kale_metrics_artifact"].artifact_ids`. `GET /apis/v2beta1/artifacts/ID` answers each:
`type` is Metric, `name` the metric's name, with `-` where the notebook has `_`, `number_value` its
value. These are the messages of artifact.proto in the Kubeflow Pipelines API.

Kubeflow Pipelines 2.17 and older have neither: their `task_details` name no artifacts, and the
metrics are in a metadata store that speaks gRPC-web at the address of the user interface
(`/ml_metadata.MetadataStoreService/`), not REST. A client shows the link of the run's page there.
What a step has printed is in its log, on both (see `logs`).
"""

import base64
from collections.abc import Iterator
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from fastkf.base.files import open_inside
from fastkf.server import database as db
from fastkf.server.api.context import FromDatabase, Listing, WithSettings
from fastkf.server.api.runs import find_run
from fastkf.server.artifacts import Artifact, describe_artifact, list_artifacts
from fastkf.server.errors import invalid, not_found
from fastkf.server.executions import read_executions
from fastkf.server.links import list_links
from fastkf.server.newest import list_newest
from fastkf.server.pagination import DEFAULT_SIZE, LARGEST_SIZE, read_place, write_place
from fastkf.server.settings import Settings

router = APIRouter()
CHUNK = 3 * 2**16  # of base64: a multiple of three bytes has no padding
MOST_RUNS = 100
MOST_READ = 1000  # runs whose record is read for one page


@router.get("/artifacts")
def list_all_artifacts(
    listing: Listing, database: FromDatabase, settings: WithSettings, namespace: str = ""
) -> dict:
    """Those of the newest runs first; the token says from which run, and which of its artifacts."""
    if listing.filter or listing.sort_by.lower() not in ("", "created_at", "created_at desc"):
        raise invalid("artifacts are listed without a filter, newest first (created_at desc)")
    size = min(listing.page_size or DEFAULT_SIZE, LARGEST_SIZE)
    found: list[dict] = []
    with database.read() as session:
        run_id, number = read_place(listing.page_token) if listing.page_token else ("", 0)
        first = find_run(session, run_id) if run_id else None
        rows = list_newest(session, first, MOST_READ)
    for row in rows:
        for artifact in [*_artifacts(settings, row)][number:]:
            if len(found) == size:
                return {"artifacts": found, "next_page_token": write_place(row.id, number)}
            found.append(describe_artifact(artifact))
            number += 1
        number = 0
    if len(rows) < MOST_READ:
        return {"artifacts": found} if found else {}
    return {"artifacts": found, "next_page_token": write_place(rows[-1].id, LARGEST_SIZE**2)}


def _artifacts(settings: Settings, row: db.Run) -> Iterator[Artifact]:
    return list_artifacts(row.id, read_executions(settings, row))


@router.get("/artifacts/{artifact_id}")
def get_artifact(artifact_id: str, database: FromDatabase, settings: WithSettings) -> dict:
    with database.read() as session:
        row = session.get(db.Run, artifact_id.partition(".")[0])
    for artifact in _artifacts(settings, row) if row else ():
        if artifact.id == artifact_id:
            return describe_artifact(artifact)
    raise not_found("artifact", artifact_id)


@router.get("/artifact_tasks")
def list_artifact_tasks(
    database: FromDatabase,
    settings: WithSettings,
    run_ids: Annotated[list[str] | None, Query()] = None,
    task_ids: Annotated[list[str] | None, Query()] = None,
    artifact_ids: Annotated[list[str] | None, Query()] = None,
    type: str = "",
) -> dict:
    """Which step of a run has read or put out which artifact: the lineage, in both directions."""
    wanted = list(run_ids or [])
    wanted += [id.partition(".")[0] for id in (*(task_ids or []), *(artifact_ids or []))]
    wanted = list(dict.fromkeys(wanted))
    if not wanted or len(wanted) > MOST_RUNS:
        raise invalid(f"run_ids: name 1 to {MOST_RUNS} runs")
    links = []
    for run_id in wanted:
        with database.read() as session:
            row = find_run(session, run_id)
        for link in list_links(run_id, read_executions(settings, row)):
            if task_ids and link["task_id"] not in task_ids:
                continue
            if artifact_ids and link["artifact_id"] not in artifact_ids:
                continue
            if not type or link["type"] == type:
                links.append(link)
    return {"artifact_tasks": links, "total_size": len(links)} if links else {}


@router.get("/runs/{run_id}/nodes/{node_id}/artifacts/{artifact_name}:read")
def read_artifact(
    run_id: str, node_id: str, artifact_name: str, database: FromDatabase, settings: WithSettings
) -> StreamingResponse:
    """The bytes of an artifact, as {"data": BASE64}."""
    with database.read() as session:
        row = find_run(session, run_id)
    for artifact in _artifacts(settings, row):
        if (artifact.node, artifact.output) == (node_id, artifact_name) and artifact.uri:
            file = open_inside(settings.run_folder(run_id), artifact.uri)
            if file is not None:
                return StreamingResponse(_encode(file), media_type="application/json")
    raise not_found(f"a file of artifact {artifact_name} of node", node_id)


def _encode(file: BinaryIO) -> Iterator[bytes]:
    yield b'{"data":"'
    with file:
        while chunk := file.read(CHUNK):
            yield base64.b64encode(chunk)
    yield b'"}'
