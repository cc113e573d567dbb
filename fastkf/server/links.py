"""Which step has read or put out which artifact: the lineage of a run's artifacts."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastkf.server.artifacts import Artifact, list_artifacts
from fastkf.server.executions import Execution, input_name
from fastkf.server.runs import task_id

Json = dict[str, Any]
READ, MADE, MADE_IN_LOOP = "TASK_OUTPUT_INPUT", "OUTPUT", "ITERATOR_OUTPUT"  # IOType


def list_links(run_id: str, executions: Sequence[Execution]) -> Iterator[Json]:
    """The links between the tasks and the artifacts of a run (ArtifactTask of artifact.proto)."""
    artifacts = list(list_artifacts(run_id, executions))
    of_file: dict[str, list[Artifact]] = {}
    for artifact in artifacts:
        yield _link(run_id, artifact, artifact.node, artifact.output, MADE)
        if artifact.uri:
            of_file.setdefault(artifact.uri, []).append(artifact)
    for one, key, artifact in list_inputs(executions, of_file):
        yield _link(run_id, artifact, one.node, key, READ)


def list_inputs(
    executions: Sequence[Execution], of_file: dict[str, list[Artifact]]
) -> Iterator[tuple[Execution, str, Artifact]]:
    """What each step has read of what others of the run have put out, by the name of the input."""
    for one in executions:
        taken = one.step.inputs.artifacts if one.step.inputs and not one.is_group else {}
        for key, file in taken.items():
            for artifact in of_file.get(file.uri, []):
                if artifact.node != one.node:
                    yield one, input_name(key), artifact


def _link(run_id: str, artifact: Artifact, node: str, key: str, kind: str) -> Json:
    producer: Json = {"task_name": artifact.task}
    if artifact.turn is not None:
        producer["iteration"] = str(artifact.turn)
        kind = MADE_IN_LOOP if kind == MADE else kind
    return {
        "id": f"{artifact.id}.{node}.{key}" if kind == READ else artifact.id,
        "artifact_id": artifact.id,
        "run_id": run_id,
        "task_id": task_id(run_id, node),
        "type": kind,
        "producer": producer,
        "key": key,
    }
