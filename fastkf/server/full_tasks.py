"""The tasks of a run as the release after Kubeflow Pipelines 2.17 tells them: `Run.tasks`.

The form is that of run.proto in its repository (August 2026). No such server has been asked.
"""

from collections.abc import Sequence
from typing import Any

from fastkf.base.clock import format_utc
from fastkf.server import database as db
from fastkf.server.artifacts import Artifact, describe_artifact, list_artifacts
from fastkf.server.executions import Execution
from fastkf.server.links import MADE, MADE_IN_LOOP, READ, list_inputs
from fastkf.server.runs import task_id, told_state
from fastkf.server.tree import Group, Tree

Json = dict[str, Any]
ROOT = "root"
VALUE = "RUNTIME_VALUE_INPUT"  # IOType, of a parameter


def full_tasks(row: db.Run, executions: Sequence[Execution], tree: Tree) -> list[Json]:
    """The root, the groups and the steps, with what each step has read and made."""
    made: dict[str, list[Artifact]] = {}
    of_file: dict[str, list[Artifact]] = {}
    for artifact in list_artifacts(row.id, executions):
        made.setdefault(artifact.node, []).append(artifact)
        of_file.setdefault(artifact.uri or "", []).append(artifact)
    read: dict[str, list[tuple[str, Artifact]]] = {}
    for one, key, artifact in list_inputs(executions, of_file):
        read.setdefault(one.node, []).append((key, artifact))
    tasks = [_describe_root(row)]
    tasks += [_describe_group(row, group) for group in tree.groups]
    for one in executions:
        if not one.is_group:
            outputs = [(artifact.output, artifact) for artifact in made.get(one.node, [])]
            parent = tree.around.get(one.node) or ROOT
            tasks.append(_describe_step(row, one, parent, read.get(one.node, []), outputs))
    children: dict[str, list[Json]] = {}
    for task in tasks:
        child = {"task_id": task["task_id"], "name": task["name"]}
        children.setdefault(task.get("parent_task_id") or "", []).append(child)
    for task in tasks:
        task["child_tasks"] = children.get(task["task_id"], [])
    return [{key: value for key, value in task.items() if value} for task in tasks]


def _describe_root(row: db.Run) -> Json:
    return {
        "name": ROOT,
        "display_name": ROOT,
        "task_id": task_id(row.id, ROOT),
        "run_id": row.id,
        "create_time": format_utc(row.created_at),
        "end_time": format_utc(row.finished_at) if row.finished_at else None,
        "state": told_state(row.state),
        "type": "ROOT",
        "inputs": _describe(row.parameters, [], VALUE),
    }


def _describe_group(row: db.Run, group: Group) -> Json:
    began, ended = group.times
    attributes = {"iteration_count": str(group.turns)} if group.is_loop else {}
    attributes |= {} if group.turn is None else {"iteration_index": str(group.turn)}
    return {
        "name": group.name,
        "display_name": group.label,
        "task_id": task_id(row.id, group.node),
        "run_id": row.id,
        "create_time": format_utc(began or row.created_at),
        "start_time": format_utc(began) if began else None,
        "end_time": format_utc(ended) if ended else None,
        "state": group.state.name,
        "type": "LOOP" if group.is_loop else "DAG",
        "type_attributes": attributes,
        "parent_task_id": task_id(row.id, group.parent or ROOT),
    }


def _describe_step(
    row: db.Run,
    one: Execution,
    parent: str,
    read: list[tuple[str, Artifact]],
    made: list[tuple[str, Artifact]],
) -> Json:
    step = one.step
    outcome = MADE if one.turn is None else MADE_IN_LOOP
    return {
        "name": one.name,
        "display_name": step.display_name or one.name,
        "task_id": task_id(row.id, one.node),
        "run_id": row.id,
        "pods": [{"name": one.node, "type": "EXECUTOR"}] if one.has_begun else None,
        "create_time": format_utc(step.started or row.created_at),
        "start_time": format_utc(step.started) if step.started else None,
        "end_time": format_utc(one.ended) if one.ended else None,
        "state": "CACHED" if step.cached_from else step.state.name,
        "status_metadata": {"message": step.error} if step.error else None,
        "type": "RUNTIME",
        "parent_task_id": task_id(row.id, parent),
        "inputs": _describe(step.inputs.parameters if step.inputs else {}, read, READ, VALUE),
        "outputs": _describe(step.outputs.parameters if step.outputs else {}, made, outcome),
    }


def _describe(
    parameters: Json, files: list[tuple[str, Artifact]], kind: str, of_values: str | None = None
) -> Json:
    """What goes into a task, or comes out of it (InputOutputs)."""
    values = [
        {"parameter_key": key, "value": value, "type": of_values or kind}
        for key, value in parameters.items()
    ]
    artifacts = [
        {
            "artifact_key": key,
            "artifacts": [describe_artifact(artifact)],
            "type": kind,
            "producer": {"task_name": artifact.task},
        }
        for key, artifact in files
    ]
    parts = {"parameters": values, "artifacts": artifacts}
    return {name: part for name, part in parts.items() if part}
