"""The tasks of a run as Kubeflow Pipelines 2.17 lists them in `task_details`.

There they are the nodes of a workflow: for each step its driver, the step, its executor, and of
each of them one attempt, `NAME(0)`; above them the root and the workflow itself. Clients look for
the step by its name. What Kubeflow leaves empty there and is known here is told: a step's error,
the artifacts that it has put out, and `pod_name`, by which its log is found.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from fastkf.base.clock import format_utc
from fastkf.runs.model import State, Step
from fastkf.server import database as db
from fastkf.server.artifacts import Artifact
from fastkf.server.executions import Execution, number_of
from fastkf.server.runs import task_id, told_state
from fastkf.server.tree import Tree

Json = dict[str, Any]
Times = tuple[datetime | None, datetime | None]
ENDED_BY_ERROR = 13  # google.rpc.Code.INTERNAL
SHORT = 5  # characters of the run's id, in a workflow's name


def describe_tasks(
    row: db.Run, executions: Sequence[Execution], artifacts: Sequence[Artifact], tree: Tree
) -> list[Json]:
    """The tasks of a run whose steps are known, each node before those inside it."""
    if not executions:
        return []
    nodes, inside = _Nodes(row), _list_inside(executions, tree)
    times = (row.started_at, row.finished_at)
    workflow = f"{row.pipeline_name}-{row.id[:SHORT]}"
    nodes.add_pair(workflow, "workflow", told_state(row.state), times, ["root-driver", "root"])
    nodes.add_driver("root", row.started_at)
    nodes.add_pair("root", "root", told_state(row.state), times, inside.get("", []))
    for group in tree.groups:
        children = inside.get(group.node, [])
        if group.turn is not None:
            name = f"iteration-iterations({group.turn}:{group.turn})"
            nodes.add_pair(name, group.node, group.state.name, group.times, children)
            continue
        nodes.add_driver(group.node, group.times[0], group.name)
        nodes.add_pair(group.name, group.node, group.state.name, group.times, children)
    made: dict[str, list[Artifact]] = {}
    for artifact in artifacts:
        made.setdefault(artifact.node, []).append(artifact)
    for one in executions:
        if not one.is_group:
            _add_step(nodes, one, made.get(one.node, []))
    return nodes.tasks


def _list_inside(executions: Sequence[Execution], tree: Tree) -> dict[str, list[str]]:
    """Group, "" for the root, to the drivers of what is in it; an iteration of a loop has none."""
    inside: dict[str, list[str]] = {}
    for group in tree.groups:
        node = group.node if group.turn is not None else f"{group.node}-driver"
        inside.setdefault(group.parent, []).append(node)
    for one in executions:
        if one.has_begun and not one.is_group:
            inside.setdefault(tree.around.get(one.node, ""), []).append(f"{one.node}-driver")
    return inside


def _add_step(nodes: "_Nodes", one: Execution, made: list[Artifact]) -> None:
    step, outputs = one.step, _list_outputs(made)
    times = (step.started, one.ended)
    extra: Json = {"pod_name": one.node}
    extra |= {"outputs": outputs} if outputs else {}
    extra |= {"error": {"code": ENDED_BY_ERROR, "message": step.error}} if step.error else {}
    if not one.has_begun:
        nodes.add(one.name, one.node, step.state.name, times, [], **extra)
        return
    nodes.add_driver(one.node, step.started, one.name)
    executor = f"{one.node}.executor"
    nodes.add_pair(one.name, one.node, step.state.name, times, [executor], **extra)
    if step.cached_from:  # its driver has found the outputs, and there was nothing to execute
        nodes.add("executor", executor, State.SKIPPED.name, times, [])
        return
    attempts = [(other.state.name, _times(other)) for _, other in one.attempts]
    nodes.add_attempts("executor", executor, step.state.name, times, attempts)


def _times(step: Step) -> Times:
    ended = step.started and step.started + timedelta(seconds=step.seconds)
    return step.started, ended


def _list_outputs(made: list[Artifact]) -> Json:
    outputs: dict[str, list[str]] = {}
    for artifact in made:
        outputs.setdefault(artifact.output, []).append(artifact.id)
    return {name: {"artifact_ids": ids} for name, ids in outputs.items()}


class _Nodes:
    """The tasks that a run has until now."""

    def __init__(self, row: db.Run):
        self._row = row
        self.tasks: list[Json] = []

    def add_pair(
        self, name: str, node: str, state: str, times: Times, children: list[str], **extra: Any
    ) -> None:
        """A node, and its one attempt, which has the children."""
        self.add(name, node, state, times, [f"{node}(0)"], **extra)
        self.add(f"{name}(0)", f"{node}(0)", state, times, children)

    def add_attempts(
        self, name: str, node: str, state: str, times: Times, attempts: list[tuple[str, Times]]
    ) -> None:
        """A node and its attempts; one is told of the same way as several."""
        attempts = attempts or [(state, times)]
        self.add(name, node, state, times, [f"{node}({n})" for n in range(len(attempts))])
        for number, (outcome, moments) in enumerate(attempts):
            self.add(f"{name}({number})", f"{node}({number})", outcome, moments, [])

    def add_driver(self, node: str, moment: datetime | None, name: str | None = None) -> None:
        """The driver of a node, which takes no time here."""
        name, times = f"{name or node}-driver", (moment, moment)
        state = State.SUCCEEDED.name if moment else State.PENDING.name
        self.add_pair(name, f"{node}-driver", state, times, [node])

    def add(
        self, name: str, node: str, state: str, times: Times, children: list[str], **extra: Any
    ) -> None:
        began, ended = times
        history = [("RUNNING", began)] if began else []
        if state != "RUNNING":
            history.append((state, ended or began or self._row.created_at))
        task: Json = {
            "run_id": self._row.id,
            "task_id": task_id(self._row.id, node),
            "display_name": name,
            "create_time": format_utc(self._row.created_at),
            "start_time": format_utc(began) if began else None,
            "end_time": format_utc(ended) if ended else None,
            "state": state,
            "state_history": [
                {"update_time": format_utc(moment), "state": one} for one, moment in history
            ],
            "child_tasks": [{"pod_name": self._name_pod(child)} for child in children],
            **extra,
        }
        self.tasks.append({key: value for key, value in task.items() if value})

    def _name_pod(self, node: str) -> str:
        return f"{self._row.pipeline_name}-{self._row.id[:SHORT]}-{number_of(node)}"
