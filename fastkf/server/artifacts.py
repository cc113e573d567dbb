"""The artifacts of a run's steps, from run.json.

An artifact's id is RUN.NODE.OUTPUT; the values of a metrics artifact (system.Metrics) are artifacts
of their own, RUN.NODE.OUTPUT.NAME, each with a number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastkf.runs.model import Artifact as Made
from fastkf.server.columns import EPOCH
from fastkf.server.executions import Execution
from fastkf.server.runs import tell_time

METRICS = "system.Metrics"


@dataclass(frozen=True)
class Artifact:
    """One output of a step.

    Attributes:
        node: of the execution that has put it out.
        task: the same as its package calls it.
        uri: its file, as a path from the run's folder; None of a metric.
        number: the value of a metric, else None.
    """

    id: str
    node: str
    task: str
    turn: int | None
    output: str
    name: str
    type: str
    created_at: datetime
    uri: str | None = None
    metadata: dict = field(default_factory=dict)
    number: float | None = None


def list_artifacts(run_id: str, executions: Sequence[Execution]) -> Iterator[Artifact]:
    """The artifacts that the steps of a run have made until now."""
    for one in executions:
        made = one.step.outputs.artifacts if one.step.outputs and not one.is_group else {}
        for output, artifact in made.items():
            yield from _split(run_id, one, output, artifact)


def describe_artifact(artifact: Artifact) -> dict:
    """An artifact of the API (artifact.proto)."""
    kind = "Metric" if artifact.type == METRICS else artifact.type.removeprefix("system.")
    answer: dict[str, Any] = {"artifact_id": artifact.id, "name": artifact.name, "type": kind}
    if artifact.number is not None:
        answer |= {"number_value": artifact.number}
    else:
        answer |= {"uri": artifact.uri, "metadata": artifact.metadata}
    return {**answer, "created_at": tell_time(artifact.created_at)}


def _split(run_id: str, one: Execution, output: str, made: Made) -> Iterator[Artifact]:
    """The artifact, or each value of it."""
    id = f"{run_id}.{one.node}.{output}"
    place: dict[str, Any] = {"node": one.node, "task": one.name, "turn": one.turn}
    place |= {"output": output, "created_at": one.ended or one.step.started or EPOCH}
    if made.type != METRICS:
        yield Artifact(
            id=id, name=output, type=made.type, uri=made.uri, metadata=made.metadata, **place
        )
        return
    for name, value in made.metadata.items():
        if isinstance(value, int | float):
            yield Artifact(id=f"{id}.{name}", name=name, type=made.type, number=value, **place)
