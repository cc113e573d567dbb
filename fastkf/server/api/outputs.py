"""What the steps of a run have put out: logs and artifacts.

The paths are those of the API after Kubeflow Pipelines 2.17: `GetArtifact` of its ArtifactService,
and the log of a node, which is a step here.
"""

from fastapi import APIRouter
from fastapi.responses import FileResponse

from fastkf.server import runs
from fastkf.server.api.context import FromDatabase, WithSettings
from fastkf.server.api.runs import find_run
from fastkf.server.errors import not_found

router = APIRouter()
TYPES = {
    "system.Model": "Model",
    "system.Dataset": "Dataset",
    "system.HTML": "HTML",
    "system.Markdown": "Markdown",
    "system.Metrics": "Metric",
}


@router.get("/artifacts/{artifact_id}")
def get_artifact(artifact_id: str, database: FromDatabase, settings: WithSettings) -> dict:
    run_id, _, rest = artifact_id.partition(":")
    name, _, key = rest.partition(":")
    step = _find_step(run_id, name, database, settings)
    artifact = step.get("outputs", {}).get("artifacts", {}).get(key)
    if artifact is None:
        raise not_found("artifact", artifact_id)
    return {
        "artifact_id": artifact_id,
        "name": key,
        "type": TYPES.get(artifact["type"], "Artifact"),
        "uri": artifact["uri"],
        "metadata": artifact.get("metadata") or {},
    }


@router.get("/runs/{run_id}/nodes/{node_id}/log")
def get_log(run_id: str, node_id: str, database: FromDatabase, settings: WithSettings):
    step = _find_step(run_id, node_id, database, settings)
    log = settings.run_folder(run_id) / "logs" / f"{step['name']}.log"
    if not log.is_file():
        raise not_found("log of the step", node_id)
    return FileResponse(log, media_type="text/plain; charset=utf-8")


def _find_step(run_id: str, name: str, database, settings) -> dict:
    """Raises ApiError when there is no such run, or it has no such step."""
    with database.read() as session:
        find_run(session, run_id)
    record = runs.read_record(settings, run_id) or {}
    steps = (record.get("pipeline") or {}).get("steps", [])
    found = next((step for step in steps if step["name"] == name), None)
    if found is None:
        raise not_found("step", name)
    return found
