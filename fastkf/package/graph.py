"""The tasks of a pipeline, those of the pipelines inside it too, and what each waits for."""

import graphlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from fastkf.package.errors import PackageError

# The names of the tasks that lead to a task, from the pipeline's own.
Place = tuple[str, ...]


def list_tasks(spec: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Task to the tasks it waits for, in an order that respects that, of a PipelineSpec.

    Only tasks that run something are listed. A task after a nested pipeline is after all of its
    tasks; the first tasks of a nested pipeline are after what the pipeline is after.

    Raises:
        PackageError: tasks wait for each other.
    """
    places = list_places(spec)
    names = name_places(places)
    after = {
        names[place]: tuple(sorted(names[other] for other in others))
        for place, others in places.items()
    }
    return {task: after[task] for task in sort_tasks(after)}


def list_places(spec: Mapping[str, Any]) -> dict[Place, tuple[Place, ...]]:
    """The places of the same tasks, with the places that each waits for.

    Raises:
        PackageError: tasks wait for each other.
    """
    after: dict[Place, tuple[Place, ...]] = {}
    _flatten(spec, spec.get("root") or {}, (), (), after, ())
    return after


def list_display_names(spec: Mapping[str, Any]) -> dict[Place, str]:
    """The names that `set_display_name` and the like give to tasks and groups, by their places."""
    found: dict[Place, str] = {}
    _add_display_names(spec, spec.get("root") or {}, (), (), found)
    return found


def name_places(places: Iterable[Place]) -> dict[Place, str]:
    """The name of the task in each place: its own, after those around it where there are two."""
    places = list(places)
    names = Counter(place[-1] for place in places)
    return {place: place[-1] if names[place[-1]] == 1 else "-".join(place) for place in places}


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


def is_loop(task: Mapping[str, Any]) -> bool:
    """Whether a task's content is a `dsl.ParallelFor`."""
    return "parameterIterator" in task or "artifactIterator" in task


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


def _add_display_names(
    spec: Mapping[str, Any],
    component: Mapping[str, Any],
    here: Place,
    around: tuple[str, ...],
    found: dict[Place, str],
) -> None:
    for task, content in ((component.get("dag") or {}).get("tasks") or {}).items():
        place = (*here, task)
        name = (content.get("taskInfo") or {}).get("name")
        if isinstance(name, str) and name and name != task:
            found[place] = name
        inner = (content.get("componentRef") or {}).get("name", "")
        if inner not in around:
            part = (spec.get("components") or {}).get(inner) or {}
            _add_display_names(spec, part, place, (*around, inner), found)


def _flatten(
    spec: Mapping[str, Any],
    component: Mapping[str, Any],
    here: Place,
    above: tuple[Place, ...],
    after: dict[Place, tuple[Place, ...]],
    around: tuple[str, ...],
) -> list[Place]:
    """Adds a DAG's tasks to `after`; returns the places of those that run something.

    Args:
        here: the place of the DAG.
        above: what the first tasks of the DAG wait for.
        around: the components that the DAG is inside of; one in itself is never run.
    """
    tasks = (component.get("dag") or {}).get("tasks") or {}
    beside = {task: find_dependencies(content) for task, content in tasks.items()}
    ends: dict[str, list[Place]] = {}  # what is over when the task is
    found: list[Place] = []
    for task in sort_tasks(beside):
        place = (*here, task)
        waits_for = {one for other in beside[task] for one in ends.get(other, [])}
        before = tuple(sorted(waits_for)) or above
        component_name = (tasks[task].get("componentRef") or {}).get("name", "")
        part = (spec.get("components") or {}).get(component_name) or {}
        if "dag" in part and component_name not in around:
            inner = _flatten(spec, part, place, before, after, (*around, component_name))
            ends[task] = inner or list(before)
            found += inner
        else:
            after[place] = before
            ends[task] = [place]
            found.append(place)
    return found
