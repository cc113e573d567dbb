"""The artifacts of a run's steps, from run.json.

An artifact's id is RUN.TASK.OUTPUT; the values of a metrics artifact (system.Metrics) are artifacts
of their own, RUN.TASK.OUTPUT.NAME, each with a number.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from fastkf.runs.model import Run

METRICS = "system.Metrics"


@dataclass(frozen=True)
class Artifact:
    """One output of a step.

    Attributes:
        uri: its file, as a path from the run's folder; None of a metric.
        number: the value of a metric, else None.
    """

    id: str
    task: str
    step: str
    output: str
    name: str
    type: str
    uri: str | None = None
    metadata: dict = field(default_factory=dict)
    number: float | None = None


def list_artifacts(run_id: str, run: Run | None) -> Iterator[Artifact]:
    """The artifacts that the steps of a run have made until now."""
    for step in run.steps if run else ():
        for output, made in step.outputs.artifacts.items() if step.outputs else ():
            identity = f"{run_id}.{step.task}.{output}"
            if made.type != METRICS:
                yield Artifact(
                    id=identity,
                    task=step.task,
                    step=step.name,
                    output=output,
                    name=output,
                    type=made.type,
                    uri=made.uri,
                    metadata=made.metadata,
                )
                continue
            for name, value in made.metadata.items():
                if isinstance(value, int | float):
                    yield Artifact(
                        id=f"{identity}.{name}",
                        task=step.task,
                        step=step.name,
                        output=output,
                        name=name,
                        type=made.type,
                        number=value,
                    )
