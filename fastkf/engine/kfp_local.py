"""The only door to `kfp.local`: its helpers are called here, and nothing of it is replaced.

The helpers say what Kubeflow Pipelines passes to a task and takes from it. In which order the tasks
run, and as what, is decided in this package: `kfp.local` runs one after the other, and keeps its
settings in module globals. Each name that is called here and is not public stands in
tests/unit/test_upstream.py.

An *argument* is a plain value, a `kfp.dsl.Artifact`, or a list of them.
"""

import copy
import json
import os
import uuid
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from fastkf.base.files import folder_name
from fastkf.engine.pipeline import Component, Message, Task
from fastkf.runs.model import Artifact, Values

WORKSPACE = "/kfp-workspace"  # where Kubeflow Pipelines mounts the workspace


class Scope:
    """The values of one DAG while it runs: what it was given, and what its tasks have made.

    Args:
        component: the group.
        arguments: input to value; those that are missing get their defaults.
        around: the scope of the DAG that it stands in.
    """

    def __init__(
        self, component: Component, arguments: Mapping[str, Any], around: "Scope | None" = None
    ):
        from kfp.local.executor_output_utils import pb2_value_to_python
        from kfp.local.io import IOStore

        self._component = component
        self.store: Any = IOStore(parent=around.store if around else None)
        given = dict(arguments)
        for name, described in component.spec.input_definitions.parameters.items():
            if described.HasField("default_value"):
                given.setdefault(name, pb2_value_to_python(described.default_value))
            elif described.is_optional:
                given.setdefault(name, None)
        for name, value in given.items():
            self.store.put_parent_input(name, value)

    def arguments_of(self, task: Task) -> dict[str, Any]:
        """The arguments of a task, without those that nobody has given.

        Raises:
            ValueError: it takes what no task has made.
        """
        from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils

        arguments = OrchestratorUtils.make_task_arguments(task.spec.inputs, self.store)
        return {name: value for name, value in arguments.items() if value is not None}

    def keep(self, task: str, outputs: Mapping[str, Any], succeeded: bool) -> None:
        """Keeps what a task has made, for those after it."""
        self.store.put_task_status(task, "SUCCEEDED" if succeeded else "FAILED")
        for name, value in outputs.items():
            self.store.put_task_output(task, name, value)

    def outputs(self) -> dict[str, Any]:
        """The outputs of the DAG, once its tasks have ended.

        Raises:
            ValueError: one of them comes from a task that did not run.
        """
        from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils

        return dict(
            OrchestratorUtils.get_dag_outputs(
                dag_outputs_spec=self._component.spec.dag.outputs, io_store=self.store
            )
        )


class Job:
    """One execution of a task that runs a container: what goes in, what runs, what comes out.

    Args:
        task: the task.
        arguments: input to value, as `Scope.arguments_of` returns them.
        name: of the task, and of the iteration in a loop; folders are named so.
        run_folder: artifacts are kept below it.
        workspace: the folder that `dsl.WORKSPACE_PATH_PLACEHOLDER` stands for.
    """

    def __init__(
        self, task: Task, arguments: Mapping[str, Any], name: str, run_folder: Path, workspace: Path
    ):
        from kfp.local.executor_input_utils import construct_executor_input

        self.task, self.name, self.workspace = task, name, workspace
        self.run_folder = run_folder
        self.container = task.component.executor.container
        pipeline = folder_name(task.component.pipeline.resource_name)
        self.root = run_folder / "artifacts" / pipeline / name
        self._id = str(uuid.uuid4())
        self.message = construct_executor_input(
            component_spec=task.component.spec,
            arguments=dict(arguments),
            task_root=str(self.root),
            block_input_artifact=False,
        )

    @property
    def image(self) -> str:
        return str(self.container.image)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the pipeline sets."""
        return {variable.name: variable.value for variable in self.container.env}

    @property
    def has_command(self) -> bool:
        """Whether it has a command of its own instead of the image's entrypoint."""
        return bool(self.container.command)

    @cached_property
    def executor_input(self) -> dict[str, Any]:
        """The ExecutorInput message, as JSON."""
        from kfp.local.executor_input_utils import executor_input_to_dict

        return dict(executor_input_to_dict(self.message, self.task.component.spec))

    def command(
        self, executor_input: Mapping[str, Any] | None = None, workspace: str | None = None
    ) -> list[str]:
        """The container's command and arguments, their placeholders replaced.

        Args:
            executor_input: in place of the job's own.
            workspace: the path of the workspace where the command runs, if it is another there.
        """
        from kfp.local import placeholder_utils as utils

        described = copy.deepcopy(dict(executor_input or self.executor_input))
        where = workspace or str(self.workspace)
        parameters = described.get("inputs", {}).get("parameterValues", {})
        for name, value in parameters.items():
            if isinstance(value, str):
                parameters[name] = self._replace(value, described, where)
        provided = utils.get_provided_inputs(described)
        words = [*self.container.command, *self.container.args]
        flat = utils.flatten_list(
            [utils.resolve_struct_placeholders(word, provided) for word in words]
        )
        return [self._replace(word, described, where) for word in flat]

    def _replace(self, text: str, executor_input: dict[str, Any], workspace: str) -> str:
        """What `placeholder_utils.resolve_individual_placeholder` does, without global settings."""
        from kfp import dsl
        from kfp.local.placeholder_utils import resolve_io_placeholders

        pipeline = self.task.component.pipeline
        output_file = executor_input["outputs"]["outputFile"]
        values = {
            dsl.WORKSPACE_PATH_PLACEHOLDER: workspace,
            "{{$.outputs.output_file}}": output_file,
            "{{$.outputMetadataUri}}": output_file,
            "{{$}}": json.dumps(executor_input),
            dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER: pipeline.resource_name,
            dsl.PIPELINE_JOB_NAME_PLACEHOLDER: pipeline.resource_name,
            dsl.PIPELINE_JOB_ID_PLACEHOLDER: pipeline.job_id,
            dsl.PIPELINE_TASK_NAME_PLACEHOLDER: self.task.name,
            dsl.PIPELINE_TASK_ID_PLACEHOLDER: self._id,
            dsl.PIPELINE_ROOT_PLACEHOLDER: str(self.run_folder / "artifacts"),
        }
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        return str(resolve_io_placeholders(executor_input, text))

    def fill_in(self, value: Any) -> Any:
        """A JSON value with the placeholders in its words replaced."""
        if isinstance(value, str):
            return self._replace(value, self.executor_input, str(self.workspace))
        if isinstance(value, list):
            return [self.fill_in(one) for one in value]
        if isinstance(value, dict):
            return {self.fill_in(key): self.fill_in(one) for key, one in value.items()}
        return value

    def make_folders(self) -> None:
        """Makes the folders that the task writes to, as Kubeflow Pipelines' launcher does."""
        outputs = self.message.outputs
        written = [outputs.output_file, *(one.output_file for one in outputs.parameters.values())]
        written += [one.uri for named in outputs.artifacts.values() for one in named.artifacts]
        for path in written:
            Path(path).parent.mkdir(parents=True, exist_ok=True)

    @property
    def inputs(self) -> Values:
        parameters = self.executor_input.get("inputs", {}).get("parameterValues", {})
        return self._describe(parameters, self.message.inputs.artifacts)

    def missing_output(self) -> str | None:
        """The name of an output parameter that the task has not written."""
        from kfp.local.executor_output_utils import load_executor_output

        outputs = self.message.outputs
        said = load_executor_output(outputs.output_file).parameter_values
        for name, parameter in outputs.parameters.items():
            if name not in said and not Path(parameter.output_file).exists():
                return str(name)
        return None

    def read_outputs(self) -> tuple[dict[str, Any], Values]:
        """The outputs as arguments for other tasks, and as data.

        Artifacts that the task has not mentioned are among them: Kubeflow Pipelines' launcher
        completes them so, and `kfp.local` leaves them out.

        Raises:
            ValueError: an output parameter is not of its type.
        """
        from kfp.local import executor_output_utils as utils
        from kfp.pipeline_spec.pipeline_spec_pb2 import ArtifactList

        output = utils.load_executor_output(self.message.outputs.output_file)
        for name, declared in self.message.outputs.artifacts.items():
            whole = ArtifactList()
            whole.CopyFrom(declared)
            said = output.artifacts[name]
            for artifact, changes in zip(whole.artifacts, said.artifacts, strict=False):
                artifact.MergeFrom(changes)
            said.CopyFrom(whole)
        component = self.task.component.spec
        values = utils.get_outputs_from_executor_output(
            executor_output=output, executor_input=self.message, component_spec=component
        )
        names = component.output_definitions.parameters
        parameters = {name: value for name, value in values.items() if name in names}
        return dict(values), self._describe(parameters, output.artifacts)

    def _describe(self, parameters: Mapping[str, Any], artifacts: Message) -> Values:
        return Values(
            dict(parameters),
            {
                name: _describe_artifact(named.artifacts[0], self.run_folder)
                for name, named in artifacts.items()
                if named.artifacts
            },
        )


def restore_outputs(outputs: Values, run_folder: Path) -> dict[str, Any]:
    """The outputs of a step that has ended, as arguments for other tasks."""
    from kfp.dsl.executor import create_artifact_instance

    artifacts = {
        name: create_artifact_instance(
            {
                "name": name,
                "type": {"schemaTitle": artifact.type},
                "uri": str(run_folder / artifact.uri),
                "metadata": artifact.metadata,
            }
        )
        for name, artifact in outputs.artifacts.items()
    }
    return {**outputs.parameters, **artifacts}


def import_artifact(task: Task, arguments: Mapping[str, Any], run_folder: Path) -> dict[str, Any]:
    """What `dsl.importer` gives: an artifact that lies where it says."""
    from google.protobuf import json_format
    from kfp.local import importer_handler

    job = Job(task, arguments, task.name, run_folder, run_folder)
    importer = task.component.executor.importer
    artifact_class = importer_handler.get_artifact_class_from_schema_title(
        importer.type_schema.schema_title
    )
    return {
        "artifact": artifact_class(
            name="artifact",
            uri=importer_handler.get_importer_uri(importer, job.message),
            metadata=job.fill_in(json_format.MessageToDict(importer.metadata)),
        )
    }


def _describe_artifact(artifact: Message, run_folder: Path) -> Artifact:
    from kfp.local.executor_output_utils import pb2_struct_to_python

    return Artifact(
        artifact.type.schema_title,
        artifact.uri.removeprefix(f"{run_folder}{os.sep}"),
        pb2_struct_to_python(artifact.metadata),
    )
