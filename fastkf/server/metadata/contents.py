"""What ML Metadata would hold of one run: its context, executions, artifacts and events.

The numbers of things are made of the run's own number and of what names them in the run, so they
stay the same while the run goes on, and tell which run they are of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastkf.runs.model import State
from fastkf.server import database as db
from fastkf.server.columns import EPOCH
from fastkf.server.executions import Execution, input_name, number_of
from fastkf.server.metadata.messages import make, make_properties
from fastkf.server.runs import NAMESPACE
from fastkf.server.tree import Group, Tree

OF_RUN = 32  # bits of a number that say which thing of a run it is
CONTEXT, GROUP, STEP = "system.PipelineRun", "system.DAGExecution", "system.ContainerExecution"
CONTEXT_TYPES = ("system.Pipeline", CONTEXT)
EXECUTION_TYPES = (GROUP, STEP)
ARTIFACT_TYPES = (
    "system.Artifact",
    "system.Dataset",
    "system.Model",
    "system.Metrics",
    "system.ClassificationMetrics",
    "system.SlicedClassificationMetrics",
    "system.HTML",
    "system.Markdown",
)
LIVE = 2  # Artifact.State
READ, MADE = 3, 4  # Event.Type: INPUT, OUTPUT
STATES = {  # Execution.State; a step that was left out is one of a condition that did not hold
    State.PENDING: 1,
    State.RUNNING: 2,
    State.SUCCEEDED: 3,
    State.FAILED: 4,
    State.SKIPPED: 6,
    State.CANCELED: 6,
}
CACHED = 5  # Execution.State


@dataclass
class Contents:
    """The messages of a run, by their numbers."""

    context: Any
    executions: dict[int, Any]
    artifacts: dict[int, Any]
    events: list[Any]


def type_number(name: str, names: tuple[str, ...]) -> int:
    return names.index(name) + 10 if name in names else 9


def describe_run(
    number: int, row: db.Run, executions: list[Execution], tree: Tree, numbers: Mapping[str, int]
) -> Contents:
    """What there is of a run.

    Args:
        number: the run's own.
        numbers: of other runs, from which steps were taken, by their ids.
    """
    contents = Contents(_context(number, row), {}, {}, [])
    root = _number(number, "root")
    contents.executions[root] = _execution(
        root,
        "",
        GROUP,
        State[row.state] if row.state in State.__members__ else State.RUNNING,
        (row.started_at or row.created_at, row.finished_at),
        {"inputs": row.parameters},
        name=f"run/{row.id}",
    )
    for group in tree.groups:
        parent = _number(number, group.parent or "root")
        id = _number(number, group.node)
        contents.executions[id] = _describe_group(id, parent, group)
    for one in executions:
        if one.has_begun and not one.is_group:
            around = _number(number, tree.around.get(one.node) or "root")
            _add_step(contents, number, one, around, numbers)
    return contents


def _add_step(
    contents: Contents, number: int, one: Execution, parent: int, numbers: Mapping[str, int]
) -> None:
    step = one.step
    id = _number(number, one.node)
    contents.executions[id] = _describe_step(id, parent, one, numbers)
    for kind, values in ((READ, step.inputs), (MADE, step.outputs)):
        for name, made in values.artifacts.items() if values else ():
            key = input_name(name)
            artifact = _number(number, f"artifact:{made.uri}")
            moment = _milliseconds(one.ended or step.started)
            contents.artifacts.setdefault(
                artifact,
                make(
                    "Artifact",
                    id=artifact,
                    type_id=type_number(made.type, ARTIFACT_TYPES),
                    uri=made.uri,
                    custom_properties=make_properties({"display_name": key, **made.metadata}),
                    state=LIVE,
                    type=made.type,
                    create_time_since_epoch=moment,
                    last_update_time_since_epoch=moment,
                ),
            )
            path = make("Path", steps=[make("PathStep", key=key)])
            contents.events.append(
                make(
                    "Event",
                    artifact_id=artifact,
                    execution_id=id,
                    path=path,
                    type=kind,
                    milliseconds_since_epoch=moment,
                )
            )


def _describe_step(id: int, parent: int, one: Execution, numbers: Mapping[str, int]) -> Any:
    step = one.step
    properties: dict[str, Any] = {"parent_dag_id": parent, "pod_name": one.node}
    properties |= {"namespace": NAMESPACE, "image": step.image or ""}
    properties |= {"display_name": step.display_name or one.name}
    properties["inputs"] = step.inputs.parameters if step.inputs else {}
    properties["outputs"] = step.outputs.parameters if step.outputs else {}
    if step.fingerprint:
        properties["cache_fingerprint"] = step.fingerprint
    if step.cached_node and (earlier := numbers.get(step.cached_from or "")):
        # As text, though the numbers of executions are numbers: so the driver writes it.
        properties["cached_execution_id"] = str(_number(earlier, step.cached_node))
    times = (step.started, one.ended)
    execution = _execution(id, one.name, STEP, step.state, times, properties)
    if step.cached_from:
        execution.last_known_state = CACHED
    return execution


def _describe_group(id: int, parent: int, group: Group) -> Any:
    properties: dict[str, Any] = {"parent_dag_id": parent, "display_name": group.label}
    if group.is_loop:
        properties["iteration_count"] = group.turns
    if group.turn is not None:
        properties["iteration_index"] = group.turn
    return _execution(id, group.name, GROUP, group.state, group.times, properties)


def _execution(
    id: int,
    task: str,
    kind: str,
    state: State,
    times: tuple[datetime | None, datetime | None],
    properties: dict[str, Any],
    name: str = "",
) -> Any:
    began, ended = times
    return make(
        "Execution",
        id=id,
        type_id=type_number(kind, EXECUTION_TYPES) + 10,
        last_known_state=STATES[state],
        custom_properties=make_properties({"task_name": task, "display_name": task, **properties}),
        name=name,
        type=kind,
        create_time_since_epoch=_milliseconds(began),
        last_update_time_since_epoch=_milliseconds(ended or began),
    )


def _context(number: int, row: db.Run) -> Any:
    created = _milliseconds(row.created_at)
    return make(
        "Context",
        id=number,
        type_id=type_number(CONTEXT, CONTEXT_TYPES) + 20,
        name=row.id,
        custom_properties=make_properties(
            {"namespace": NAMESPACE, "resource_name": "run-resource", "pipeline_root": row.id}
        ),
        type=CONTEXT,
        create_time_since_epoch=created,
        last_update_time_since_epoch=created,
    )


def _number(run: int, name: str) -> int:
    return (run << OF_RUN) | number_of(name)


def _milliseconds(moment: datetime | None) -> int:
    return int((moment - EPOCH).total_seconds() * 1000) if moment else 0
