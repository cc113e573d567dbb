"""The logs of steps, where a Kubeflow has them: a node is what `task_details` call `pod_name`."""

from fastapi import APIRouter
from fastapi.responses import FileResponse

from fastkf.server import runs
from fastkf.server.api.context import FromDatabase, WithSettings
from fastkf.server.api.runs import find_run
from fastkf.server.errors import not_found

router = APIRouter()


@router.get("/runs/{run_id}/nodes/{node_id}/log")
def read_log(
    run_id: str, node_id: str, database: FromDatabase, settings: WithSettings
) -> FileResponse:
    """What a step has printed until now."""
    with database.read() as session:
        find_run(session, run_id)
    run = runs.read_run(settings, run_id)
    for step in run.steps if run else ():
        path = settings.run_folder(run_id) / "logs" / f"{step.name}.log"
        if step.task == node_id and path.is_file():
            return FileResponse(path, media_type="text/plain; charset=utf-8")
    raise not_found("a log of node", node_id)
