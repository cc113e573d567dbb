"""One execution of a task: what goes in, what runs. What comes out, `engine.job_outputs` reads.

What Kubeflow Pipelines' launcher does around a container (backend/src/v2/component).
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fastkf.base import expansion
from fastkf.base.files import folder_name
from fastkf.base.mounts import Mount
from fastkf.engine.pipeline import Task
from fastkf.engine.placeholders import expand
from fastkf.engine.references import check_named, find_variables
from fastkf.engine.scope import Arguments, Surroundings, Values
from fastkf.engine.task_config import VARIABLES, describe_resources, reaches_task
from fastkf.engine.volumes import list_mounts
from fastkf.package.given import Given
from fastkf.package.settings import TIME_LIMIT, words_of
from fastkf.runs import model

OUTPUT_FILE = "executor_output.json"


class Job:
    """An execution of a task that runs a container.

    Args:
        name: of the task, and of the iteration in a loop; folders are named so.

    Attributes:
        key: what its outputs follow from, where they may be taken from the cache.
        moved: paths as it has seen them to where they are now that it has ended.
    """

    key: str | None = None
    moved: Mapping[str, Path] = MappingProxyType({})

    def __init__(self, task: Task, arguments: Arguments, name: str, around: Surroundings):
        self.task, self.name = task, name
        self.run_folder, self.workspace = around.folder, around.folder / "workspace"
        self.arguments = arguments
        self.volumes, self.mask = around.volumes, around.mask
        self._words = around.placeholders(task.name, arguments.task_id)
        pipeline = folder_name(around.identity.resource_name)
        self.root = around.folder / "artifacts" / pipeline / name
        self.executor_input: dict[str, Any] = {
            "inputs": {
                "parameterValues": arguments.parameters,
                "artifacts": {
                    given: {"artifacts": artifacts}
                    for given, artifacts in arguments.artifacts.items()
                },
            },
            "outputs": self._describe_outputs(),
        }

    def _describe_outputs(self) -> dict[str, Any]:
        component = self.task.component
        return {
            "parameters": {
                name: {"outputFile": str(self.root / name)} for name in component.output_parameters
            },
            "artifacts": {
                name: {"artifacts": [self.new_artifact(name)]}
                for name in component.output_artifacts
            },
            "outputFile": str(self.root / OUTPUT_FILE),
        }

    def new_artifact(self, name: str) -> dict[str, Any]:
        """An artifact that the task puts out, before it has made it."""
        kind = dict(self.task.component.output_artifacts[name].get("artifactType") or {})
        return {"name": name, "type": kind, "uri": str(self.root / name), "metadata": {}}

    @property
    def image(self) -> str:
        return self._fill(str(self.task.component.container.get("image", "")))

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the pipeline sets."""
        if not reaches_task(self.task.component, VARIABLES):
            return {}
        variables: dict[str, str] = {}
        for one in self.task.component.container.get("env") or ():
            value = self._fill(str(one.get("value", "")))
            variables[one["name"]] = expansion.expand(value, variables)
        return variables

    def variables(self, given: Given | None) -> dict[str, str]:
        """Those, what Secrets and ConfigMaps are to bring, as far as they are given, and the pod's.

        Kubeflow Pipelines sets the two of the pod in every step.

        Raises:
            ValueError: one is not given whose name an input says, or another task.
        """
        asked, arguments, given = self.task.component.kubernetes, self.arguments, given or Given()
        check_named(asked, arguments.references, arguments.volumes, given)
        of_pod = {"KFP_POD_NAME": f"{self.root.parent.name}-{self.name}"}
        of_pod["KFP_POD_UID"] = arguments.task_id
        return {**of_pod, **self.environment, **find_variables(arguments.references, given)}

    @property
    def seconds(self) -> float | None:
        """How long it may run; None where the pipeline sets no limit."""
        return float(self.task.component.kubernetes.get(TIME_LIMIT) or 0) or None

    def list_mounts(
        self, given: Given | None, folder: Path, hidden: Iterable[str] = ()
    ) -> list[Mount]:
        """The folders that it sees at paths of its own, which are made.

        Args:
            folder: for what nobody else has; removed when the job has ended.
            hidden: folders in which it does not see what this machine has there.

        Raises:
            ValueError: a name or a path that Kubernetes does not take.
        """
        asked = self.task.component.kubernetes
        given = given or Given()
        return list_mounts(asked, self.arguments.volumes, self.volumes, given, folder, hidden)

    @property
    def limits(self) -> dict[str, str]:
        """How much it may use, as Kubernetes writes it: of `memory`, of `cpu`."""
        component = self.task.component
        if not reaches_task(component, "RESOURCES"):
            return {}
        return describe_resources(component.container.get("resources") or {}, self._fill).get(
            "limits", {}
        )

    @property
    def has_command(self) -> bool:
        """Whether it has a command of its own instead of the image's entrypoint."""
        return bool(self.task.component.container.get("command"))

    @property
    def script(self) -> list[str]:
        """The container's command and arguments, as the package has them."""
        return words_of(self.task.component.container)

    def command(
        self, variables: Mapping[str, str], executor_input: Mapping[str, Any] | None = None
    ) -> list[str]:
        """The container's command and arguments, their placeholders replaced.

        As words of a pod, all of them and what the step is given: the kubelet puts variables in the
        place of $(NAME), and $ in that of $$.

        Args:
            variables: those of the step.
            executor_input: in place of the job's own.
        """
        there = {**self.arguments.artifacts, **self.arguments.parameters}
        message = self.executor_input if executor_input is None else executor_input
        values = expansion.expand_inside(message["inputs"]["parameterValues"], variables)
        message = {**message, "inputs": {**message["inputs"], "parameterValues": values}}
        return [
            self._words.fill(expansion.expand(part, variables), message)
            for word in self.script
            for part in expand(word, there)
        ]

    def _fill(self, text: str) -> str:
        return self._words.fill(text, self.executor_input)

    def fill_in(self, value: Any) -> Any:
        """A JSON value with the placeholders in its words replaced."""
        return self._words.fill_in(value, self.executor_input)

    def make_folders(self) -> None:
        """Makes the folder that the task writes to, empty: nothing of an earlier attempt counts."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)

    @property
    def inputs(self) -> model.Values:
        return describe(self.arguments, self.run_folder)


def describe(values: Values, run_folder: Path) -> model.Values:
    """Values as the data of a step; of a list of artifacts, NAME, NAME[1], NAME[2], ..."""
    return model.Values(
        dict(values.parameters),
        {
            f"{name}[{number}]" if number else name: _describe_artifact(artifact, run_folder)
            for name, artifacts in values.artifacts.items()
            for number, artifact in enumerate(artifacts)
        },
    )


def restore(kept: model.Values, run_folder: Path) -> Values:
    """The outputs of a step that has ended, as values for other tasks."""
    return Values(
        kept.parameters,
        {
            name: [
                {
                    "name": name,
                    "type": {"schemaTitle": artifact.type},
                    "uri": _absolute(artifact.uri, run_folder),
                    "metadata": artifact.metadata,
                }
            ]
            for name, artifact in kept.artifacts.items()
        },
    )


def _absolute(uri: str, run_folder: Path) -> str:
    return uri if "://" in uri else str(run_folder / uri)


def _describe_artifact(artifact: Mapping[str, Any], run_folder: Path) -> model.Artifact:
    return model.Artifact(
        str((artifact.get("type") or {}).get("schemaTitle", "")),
        str(artifact.get("uri", "")).removeprefix(f"{run_folder}{os.sep}"),
        dict(artifact.get("metadata") or {}),
    )
