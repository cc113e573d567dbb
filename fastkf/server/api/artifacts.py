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

from fastkf.base.clock import format_utc
from fastkf.base.files import open_inside
from fastkf.server import runs
from fastkf.server.api.context import FromDatabase, WithSettings
from fastkf.server.api.runs import find_run
from fastkf.server.artifacts import METRICS, Artifact, list_artifacts
from fastkf.server.errors import invalid, not_found

router = APIRouter()
CHUNK = 3 * 2**16  # of base64: a multiple of three bytes has no padding
MOST_RUNS = 100


@router.get("/artifacts/{artifact_id}")
def get_artifact(artifact_id: str, database: FromDatabase, settings: WithSettings) -> dict:
    run_id = artifact_id.partition(".")[0]
    with database.read() as session:
        created_at = find_run(session, run_id).created_at
    for artifact in list_artifacts(run_id, runs.read_run(settings, run_id)):
        if artifact.id == artifact_id:
            return {**_as_answer(artifact), "created_at": format_utc(created_at)}
    raise not_found("artifact", artifact_id)


@router.get("/artifact_tasks")
def list_artifact_tasks(
    database: FromDatabase,
    settings: WithSettings,
    run_ids: Annotated[list[str] | None, Query()] = None,
    task_ids: Annotated[list[str] | None, Query()] = None,
) -> dict:
    """Which step of a run has put out which artifact; for the runs that are named."""
    if not run_ids or len(run_ids) > MOST_RUNS:
        raise invalid(f"run_ids: name 1 to {MOST_RUNS} runs")
    links = []
    for run_id in run_ids:
        with database.read() as session:
            find_run(session, run_id)
        for artifact in list_artifacts(run_id, runs.read_run(settings, run_id)):
            task_id = runs.task_id(run_id, artifact.task)
            if not task_ids or task_id in task_ids:
                links.append(
                    {
                        "id": artifact.id,
                        "artifact_id": artifact.id,
                        "run_id": run_id,
                        "task_id": task_id,
                        "type": "OUTPUT",
                        "producer": {"task_name": artifact.task},
                        "key": artifact.output,
                    }
                )
    return {"artifact_tasks": links, "total_size": len(links)}


@router.get("/runs/{run_id}/nodes/{node_id}/artifacts/{artifact_name}:read")
def read_artifact(
    run_id: str, node_id: str, artifact_name: str, database: FromDatabase, settings: WithSettings
) -> StreamingResponse:
    """The bytes of an artifact, as {"data": BASE64}."""
    with database.read() as session:
        find_run(session, run_id)
    for artifact in list_artifacts(run_id, runs.read_run(settings, run_id)):
        if (artifact.task, artifact.output) == (node_id, artifact_name) and artifact.uri:
            file = open_inside(settings.run_folder(run_id), artifact.uri)
            if file is not None:
                return StreamingResponse(_encode(file), media_type="application/json")
    raise not_found(f"a file of artifact {artifact_name} of node", node_id)


def _as_answer(artifact: Artifact) -> dict:
    kind = "Metric" if artifact.type == METRICS else artifact.type.removeprefix("system.")
    answer = {"artifact_id": artifact.id, "name": artifact.name, "type": kind}
    if artifact.number is not None:
        return {**answer, "number_value": artifact.number}
    return {**answer, "uri": artifact.uri, "metadata": artifact.metadata}


def _encode(file: BinaryIO) -> Iterator[bytes]:
    yield b'{"data":"'
    with file:
        while chunk := file.read(CHUNK):
            yield base64.b64encode(chunk)
    yield b'"}'
