"""The tasks of a pipeline, those of the pipelines inside it too, and what each waits for."""

import graphlib
from collections.abc import Iterable, Mapping
from typing import Any

from fastkf.package.errors import PackageError


def list_tasks(spec: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Task to the tasks it waits for, in an order that respects that, of a PipelineSpec.

    Only tasks that run something are listed. A task after a nested pipeline is after all of its
    tasks; the first tasks of a nested pipeline are after what the pipeline is after.

    Raises:
        PackageError: tasks wait for each other.
    """
    after: dict[str, tuple[str, ...]] = {}
    _flatten(spec, spec.get("root") or {}, (), after, ())
    return {task: after[task] for task in sort_tasks(after)}


def sort_tasks(after: Mapping[str, Iterable[str]]) -> list[str]:
    """The tasks, each after those it waits for; by name where the graph leaves the choice.

    Raises:
        PackageError: tasks wait for each other.
    """
    order = graphlib.TopologicalSorter(after)
    try:
        order.prepare()
    except graphlib.CycleError as error:
        circle = " -> ".join(error.args[1])
        raise PackageError(f"its tasks wait for each other: {circle}") from error
    found: list[str] = []
    while order.is_active():
        ready = sorted(order.get_ready())
        found += [task for task in ready if task in after]
        order.done(*ready)
    return found


def find_dependencies(task: Mapping[str, Any]) -> list[str]:
    """The tasks beside it that a task waits for: those named, and those whose outputs it takes."""
    found = dict.fromkeys(task.get("dependentTasks") or [])
    inputs = task.get("inputs") or {}
    for values, source in (
        (inputs.get("parameters"), "taskOutputParameter"),
        (inputs.get("artifacts"), "taskOutputArtifact"),
    ):
        for value in (values or {}).values():
            if producer := (value.get(source) or {}).get("producerTask"):
                found[producer] = None
    return list(found)


def _flatten(
    spec: dict[str, Any],
    component: dict[str, Any],
    above: tuple[str, ...],
    after: dict[str, tuple[str, ...]],
    around: tuple[str, ...],
) -> list[str]:
    """Adds a DAG's tasks to `after`; returns the names of those that run something.

    Args:
        above: what the first tasks of the DAG wait for.
        around: the components that the DAG is inside of; one in itself is never run.
    """
    tasks = (component.get("dag") or {}).get("tasks") or {}
    beside = {task: find_dependencies(content) for task, content in tasks.items()}
    ends: dict[str, list[str]] = {}  # what is over when the task is
    found: list[str] = []
    for task in sort_tasks(beside):
        waits_for = {name for other in beside[task] for name in ends.get(other, [other])}
        names = tuple(sorted(waits_for)) or above
        component_name = (tasks[task].get("componentRef") or {}).get("name", "")
        part = (spec.get("components") or {}).get(component_name) or {}
        if "dag" in part and component_name not in around:
            inner = _flatten(spec, part, names, after, (*around, component_name))
            ends[task] = inner or list(names)
            found += inner
        else:
            after[task] = names
            ends[task] = [task]
            found.append(task)
    return found
