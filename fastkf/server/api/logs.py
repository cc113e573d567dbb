"""The logs of steps, where a Kubeflow has them: a node is what `task_details` call `pod_name`."""

from fastapi import APIRouter
from fastapi.responses import Response

from fastkf.base.files import open_inside, read_ends
from fastkf.server.api.context import FromDatabase, WithSettings
from fastkf.server.api.runs import find_run
from fastkf.server.errors import not_found
from fastkf.server.executions import read_executions

router = APIRouter()


@router.get("/runs/{run_id}/nodes/{node_id}/log")
def read_log(run_id: str, node_id: str, database: FromDatabase, settings: WithSettings) -> Response:
    """What a step has printed until now; of a long log, its beginning and its end."""
    with database.read() as session:
        executions = read_executions(settings, find_run(session, run_id))
    steps = [pair for one in executions for pair in ((one.node, one.step), *one.attempts)]
    for node, step in steps:
        folder, name = settings.run_folder(run_id), f"{step.name}.log"
        if node == node_id and (file := open_inside(folder, "logs", name)):
            with file:
                head, left_out, tail = read_ends(file)
            if left_out:
                note = f"\n… {left_out:,} bytes are left out; the whole: {folder}/logs/{name} …\n"
                head += note.encode("utf-8", "replace")
            return Response(head + tail, media_type="text/plain; charset=utf-8")
    raise not_found("a log of node", node_id)
