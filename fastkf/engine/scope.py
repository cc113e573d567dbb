"""The values of one DAG while it runs: what goes into its tasks, and what comes out of them.

What Kubeflow Pipelines' driver does for a task before it starts (backend/src/v2/driver).
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fastkf.base.errors import show_value
from fastkf.base.masks import Mask
from fastkf.engine.pipeline import Component, Identity, Task
from fastkf.engine.placeholders import Placeholders
from fastkf.engine.references import Resolve, list_references
from fastkf.engine.selection import select
from fastkf.engine.task_config import (
    TASK_CONFIG,
    VARIABLES,
    VOLUMES,
    WORKSPACE_VOLUME,
    describe_task_config,
    list_volumes,
    reaches_task,
)
from fastkf.engine.values import as_passed, fit
from fastkf.engine.volumes import Volumes
from fastkf.runs.model import State

Table = Mapping[str, Any]
PARAMETERS, ARTIFACTS = "parameters", "artifacts"
STATES = {State.SUCCEEDED: "COMPLETE", State.FAILED: "FAILED"}  # of a task, as metadata has them


class MissingInputError(ValueError):
    """A task takes what nothing has made."""


@dataclass(frozen=True)
class Values:
    """Parameters with their values, and artifacts as lists of the IR's RuntimeArtifacts."""

    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def of(self, kind: str) -> dict[str, Any]:
        return self.parameters if kind == PARAMETERS else self.artifacts


@dataclass(frozen=True)
class Arguments(Values):
    """What one execution of a task is given, and its number.

    Attributes:
        volumes, references: those with a name on a cluster, each with its mount; the variables that
            come from Secrets and ConfigMaps. As in a pod's manifest.
    """

    volumes: list[tuple[Table, Table]] = field(default_factory=list)
    references: list[Table] = field(default_factory=list)
    task_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True)
class Surroundings:
    """What all tasks of a run have in common.

    Attributes:
        folder: the run's.
        workspace: the path of the folder that the steps share, where they run.
        volumes: the folders of claims.
        mask: what nobody is to see in logs and records.
    """

    identity: Identity
    folder: Path
    workspace: str
    volumes: Volumes
    mask: Mask

    def placeholders(self, task: str, task_id: str) -> Placeholders:
        root = str(self.folder / "artifacts")
        return Placeholders(self.identity, task, task_id, root, self.workspace)


class Scope:
    """What a DAG was given, and what its tasks have made.

    Args:
        component: the group.
        given: its inputs; those that are missing get their defaults, or nothing.
    """

    def __init__(self, component: Component, given: Values, around: Surroundings):
        self._component, self._around = component, around
        self._made: dict[str, Values] = {}
        self._states: dict[str, State] = {}
        parameters = {name: as_passed(value) for name, value in given.parameters.items()}
        for name, described in component.input_parameters.items():
            if "defaultValue" in described:
                parameters.setdefault(name, as_passed(described["defaultValue"]))
            elif described.get("isOptional"):
                parameters.setdefault(name, None)
        self._given = Values(parameters, dict(given.artifacts))

    def keep(self, task: str, state: State, made: Values | None = None) -> None:
        """Keeps how a task has ended and what it has made, for those after it."""
        self._states[task], self._made[task] = state, made or Values()

    def state(self, task: str) -> State:
        return self._states[task]

    def arguments_of(self, task: Task) -> Arguments:
        """The arguments of a task, without those of its inputs that need none and have none.

        Raises:
            MissingInputError: it takes what no task has made.
            ValueError: a value does not fit.
        """
        arguments = Arguments()
        for kind in (ARTIFACTS, PARAMETERS):
            for name, described in (task.inputs.get(kind) or {}).items():
                value = self._find(task, kind, name, described)
                if value is not None:
                    arguments.of(kind)[name] = value
        self._fill_constants(task, arguments)
        self._describe_configs(task, arguments)
        self._fit(task, arguments.parameters)
        resolve, asked = self._resolver(task), task.component.kubernetes
        if reaches_task(task.component, VOLUMES):
            arguments.volumes.extend(list_volumes(asked, resolve, None))
        if reaches_task(task.component, VARIABLES):
            arguments.references.extend(list_references(asked, resolve))
        return arguments

    def _resolver(self, task: Task) -> Resolve:
        """For what a task asks of Kubernetes: an input that has no value there asks for nothing."""

        def resolve(described: Table) -> Any:
            outer = described.get("componentInputParameter")
            if outer in self._given.parameters and self._given.parameters[outer] is None:
                return None
            return self._find(task, PARAMETERS, "", described)

        return resolve

    def outputs(self) -> Values:
        """The outputs of the DAG, as far as the tasks that they come from have made them."""
        outputs = Values()
        for kind in (PARAMETERS, ARTIFACTS):
            for name, described in (self._component.group_outputs.get(kind) or {}).items():
                for task, key in _list_sources(described):
                    made = self._made.get(task, Values()).of(kind)
                    if key in made:
                        outputs.of(kind)[name] = made[key]
                        break
        return outputs

    def _find(self, task: Task, kind: str, name: str, described: Table) -> Any:
        """The value of an input; None where it has none and needs none."""
        component = task.component
        declared = component.input_parameters if kind == PARAMETERS else component.input_artifacts
        definition = declared.get(name) or {}
        can_miss = bool(definition.get("isOptional")) or "defaultValue" in definition
        if definition.get("parameterType") == TASK_CONFIG:
            return None
        if "taskFinalStatus" in described:
            return self._final_status(described["taskFinalStatus"].get("producerTask", ""))
        end = kind.removesuffix("s").capitalize()
        if source := described.get(f"taskOutput{end}"):
            key = source.get(f"output{end}Key", "")
            return self._find_output(task, source.get("producerTask", ""), kind, key, can_miss)
        if outer := described.get(f"componentInput{end}"):
            value = self._find_given(task, kind, outer, can_miss)
        else:
            value = (described.get("runtimeValue") or {}).get("constant")
        selector = described.get("parameterExpressionSelector")
        return select(value, selector) if selector and value is not None else value

    def _find_output(self, task: Task, producer: str, kind: str, key: str, can_miss: bool) -> Any:
        made = self._made.get(producer, Values()).of(kind)
        if key in made:
            return made[key]
        if can_miss and self._states.get(producer) is State.FAILED:
            return None
        said = f"task {task.name} takes the output {key} of task {producer}, which has not made it"
        maker = self._component.tasks.get(producer)
        if maker and maker.is_loop and self._states.get(producer) is State.SUCCEEDED:
            said += (
                ": no iteration of the loop has. Kubeflow Pipelines fails here too; leave the task "
                "out with dsl.If where the list may be empty"
            )
        raise MissingInputError(said)

    def _find_given(self, task: Task, kind: str, name: str, can_miss: bool) -> Any:
        given = self._given.of(kind)
        if given.get(name) is not None or (can_miss and (name in given or kind == ARTIFACTS)):
            return given.get(name)
        if name in given:
            raise MissingInputError(f"task {task.name} needs a value, and {name} has none")
        raise MissingInputError(
            f"task {task.name} takes {name}, which the group around it is not given. Kubeflow "
            "Pipelines fails here too: where a text holds several parts of a loop's item, as in "
            'f"{item.a}-{item.b}", KFP\'s compiler loses them. Pass each part as an input of its '
            "own, and join them in the step"
        )

    def _final_status(self, producer: str) -> dict[str, Any]:
        """A `dsl.PipelineTaskFinalStatus`, as Kubeflow Pipelines fills it in: without an error."""
        return {
            "state": STATES.get(self._states.get(producer, State.SUCCEEDED), "CANCELED"),
            "pipelineJobResourceName": self._around.identity.resource_name,
            "pipelineTaskName": producer,
            "error": {},
        }

    def _fill_constants(self, task: Task, arguments: Arguments) -> None:
        """Replaces the placeholders in what the pipeline's author has written."""
        words = self._around.placeholders(task.name, arguments.task_id)
        described = task.inputs.get(PARAMETERS) or {}
        constants = [name for name in arguments.parameters if "runtimeValue" in described[name]]
        others = {
            name: value for name, value in arguments.parameters.items() if name not in constants
        }
        artifacts = {name: {"artifacts": value} for name, value in arguments.artifacts.items()}
        message = {"inputs": {"parameterValues": others, "artifacts": artifacts}}
        for name in constants:
            filled = words.fill_in(arguments.parameters[name], message)
            arguments.parameters[name] = as_passed(filled)

    def _fit(self, task: Task, parameters: dict[str, Any]) -> None:
        items = task.iterator.get("itemInput")
        for name, described in task.component.input_parameters.items():
            if name in parameters:
                value = fit(f"input {name}", parameters[name], described.get("parameterType", ""))
                _check_literals(name, value, described.get("literals"))
                parameters[name] = value
            elif "defaultValue" in described:
                parameters[name] = as_passed(described["defaultValue"])
            elif not (described.get("isOptional") or task.component.is_group or name == items):
                raise MissingInputError(f"input {name} has neither a value nor a default")

    def _describe_configs(self, task: Task, arguments: Arguments) -> None:
        """Fills in each `dsl.TaskConfig`."""
        around, component = self._around, task.component
        inputs = component.input_parameters
        wanted = [name for name, one in inputs.items() if one.get("parameterType") == TASK_CONFIG]
        if not wanted:
            return
        words = around.placeholders(task.name, arguments.task_id)
        message = {"inputs": {"parameterValues": dict(arguments.parameters)}}
        uses_workspace = any(around.workspace in str(one) for one in arguments.parameters.values())
        claim = f"{around.identity.resource_name}-{WORKSPACE_VOLUME}" if uses_workspace else None
        fill = partial(words.fill, executor_input=message)
        config = describe_task_config(component, self._resolver(task), fill, claim)
        arguments.parameters.update(dict.fromkeys(wanted, config))


def _check_literals(name: str, value: Any, literals: Iterable[Any] | None) -> None:
    if literals and value not in list(literals):
        allowed = ", ".join(map(show_value, literals))
        raise ValueError(f"input {name} takes one of {allowed}, not {show_value(value)}")


def _list_sources(described: Table) -> list[tuple[str, str]]:
    """The tasks that an output of a DAG may come from, with the names it has there."""
    if "valueFromParameter" in described:
        sources = [described["valueFromParameter"]]
    elif "valueFromOneof" in described:
        sources = described["valueFromOneof"].get("parameterSelectors") or []
    else:
        sources = described.get("artifactSelectors") or []
    return [
        (
            one.get("producerSubtask", ""),
            one.get("outputParameterKey") or one.get("outputArtifactKey", ""),
        )
        for one in sources
    ]
