"""One run of a compiled package whose containers' commands run as processes."""

import graphlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

from fastkf.base import processes
from fastkf.engine.run import KALE_METRICS, LocalRun, Step

METRICS, HTML = "system.Metrics", "system.HTML"
LINES_OF_AN_ERROR = 6


class ContainerRun(LocalRun):
    """One run of a package of container components, their commands as processes.

    Args:
        run_folder: gets artifacts/, logs/ and outputs/.
        components: the folder of the components' folders; it is on their PYTHONPATH.
        folders: from image to the folder of its component.
        options: of `LocalRun`.

    Attributes:
        executions: task to what ran, what went in and what came out, as run.json keeps it.
    """

    def __init__(
        self,
        run_folder: Path,
        components: Path,
        folders: dict[str, Path],
        **options,
    ):
        super().__init__(run_folder, components, **options)
        self.executions: dict[str, dict] = {}
        self._folders = folders

    def _patches(self) -> list[tuple]:
        from kfp.local import executor_input_utils, executor_output_utils

        construct = executor_input_utils.construct_executor_input

        def construct_executor_input(component_spec, **arguments):
            self._task.input = construct(component_spec=component_spec, **arguments)
            self._prepare(component_spec)
            return self._task.input

        return [
            *super()._patches(),
            (executor_input_utils, "construct_executor_input", construct_executor_input),
            (executor_output_utils, "get_outputs_for_task", self._read_outputs),
        ]

    def _prepare(self, component_spec) -> None:
        """Makes the folders that a task writes to, as Kubeflow Pipelines' launcher does."""
        from kfp.local.executor_input_utils import executor_input_to_dict

        described = executor_input_to_dict(self._task.input, component_spec).get("inputs", {})
        parameters = described.get("parameterValues", {})
        self._note(inputs=self._describe(parameters, self._task.input.inputs.artifacts))
        outputs = self._task.input.outputs
        written = [outputs.output_file, *(p.output_file for p in outputs.parameters.values())]
        written += [a.uri for named in outputs.artifacts.values() for a in named.artifacts]
        for path in written:
            Path(path).parent.mkdir(parents=True, exist_ok=True)

    def _read_outputs(self, executor_input, component_spec) -> dict:
        """The outputs of a task, with the artifacts that it has not mentioned.

        Kubeflow Pipelines' launcher completes them so; `kfp.local` leaves them out.
        """
        from kfp.local import executor_output_utils as utils
        from kfp.pipeline_spec.pipeline_spec_pb2 import ArtifactList

        executor_output = utils.load_executor_output(executor_input.outputs.output_file)
        for name, declared in executor_input.outputs.artifacts.items():
            whole = ArtifactList()
            whole.CopyFrom(declared)
            said = executor_output.artifacts[name]
            for artifact, changes in zip(whole.artifacts, said.artifacts, strict=False):
                artifact.MergeFrom(changes)
            said.CopyFrom(whole)
        outputs = utils.get_outputs_from_executor_output(
            executor_output=executor_output,
            executor_input=executor_input,
            component_spec=component_spec,
        )
        names = component_spec.output_definitions.parameters
        parameters = {name: value for name, value in outputs.items() if name in names}
        self._note(outputs=self._describe(parameters, executor_output.artifacts))
        return outputs

    def _current_task(self) -> str:
        name = getattr(self._task, "name", None)  # `kfp.local` alone walks nested pipelines
        return name or Path(self._task.input.outputs.output_file).parent.name

    def _note(self, **facts) -> None:
        self.executions.setdefault(self._current_task(), {}).update(facts)

    def _describe(self, parameters: dict, artifacts) -> dict:
        """Parameters and artifacts as run.json keeps them, with paths from the run's folder."""
        from kfp.local.executor_output_utils import pb2_struct_to_python

        root = f"{self.run_folder}{os.sep}"
        return {
            "parameters": parameters,
            "artifacts": {
                name: {
                    "type": artifact.type.schema_title,
                    "uri": artifact.uri.removeprefix(root),
                    "metadata": pb2_struct_to_python(artifact.metadata),
                }
                for name, named in artifacts.items()
                for artifact in named.artifacts[:1]
            },
        }

    def _make_task_handler(self) -> Callable:
        from kfp.dsl.component_factory import EXECUTOR_MODULE
        from kfp.local.status import Status
        from kfp.local.task_handler_interface import ITaskHandler

        make_python_handler, run = super()._make_task_handler(), self

        class ProcessHandler(ITaskHandler):
            def __init__(self, image, full_command, pipeline_root, runner, env_vars=None):
                self.image, self.command = image, full_command
                self.variables = env_vars or {}

            def get_volumes_to_mount(self):
                return {}

            def run(self):
                succeeded = run._run_container(self.image, self.command, self.variables)
                return Status.SUCCESS if succeeded else Status.FAILURE

        def make_handler(*, full_command, **arguments):
            is_python = any(EXECUTOR_MODULE in word for word in full_command)
            make = make_python_handler if is_python else ProcessHandler
            return make(full_command=full_command, **arguments)

        return make_handler

    def _run_container(self, image: str, command: list[str], variables: dict[str, str]) -> bool:
        component = self._folders[image]
        self._note(image=image, command=command)
        return self._track(
            self._current_task(),
            lambda folder, log: self._run_process(
                command, self._container_environment(variables, folder), log, component
            ),
        )

    def _container_environment(self, variables: dict[str, str], folder: Path) -> dict[str, str]:
        """This environment with its own `python3`, a home of the step's own, and `variables`."""
        home = folder / "home"
        home.mkdir()
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        own = {"HOME": str(home), "PATH": path, "PYTHONPATH": str(self.working_folder)}
        return {**self._environment({}, folder), **own, "PYTHONUNBUFFERED": "1", **variables}

    def _start_process(
        self, command: list[str], environment: dict, output: IO, working_folder: Path
    ) -> subprocess.Popen:
        return processes.start(command, output, working_folder, environment)

    def _find_error(self, folder: Path, log: Path, code: int) -> dict | None:
        error = super()._find_error(folder, log, code)
        if error is None:
            return self._find_missing_output()
        if error["name"] == "StepError":
            message = f"the container's command ended with exit code {code}"
            error = {"name": "", "message": "\n".join([message, *_last_lines(log)])}
        return error

    def _find_missing_output(self) -> dict | None:
        from kfp.local.executor_output_utils import load_executor_output

        outputs = self._task.input.outputs
        said = load_executor_output(outputs.output_file).parameter_values
        for name, parameter in outputs.parameters.items():
            if name not in said and not Path(parameter.output_file).exists():
                return {"name": "", "message": f"it has not written its output parameter {name}"}
        return None

    def _collect_outputs(self) -> None:
        """Takes over the metrics and the HTML pages among the artifacts."""
        super()._collect_outputs()
        for task in in_order(self.steps):
            step = self.steps[task].name
            outputs = self.executions.get(task, {}).get("outputs", {})
            for key, artifact in outputs.get("artifacts", {}).items():
                if artifact["type"] == METRICS and key != KALE_METRICS:
                    for name, value in sorted(artifact["metadata"].items()):
                        self.metrics.setdefault(f"{step}.{name}", value)
                page = self.run_folder / artifact["uri"]
                if artifact["type"] == HTML and page.is_file():
                    shutil.copyfile(page, self.run_folder / "outputs" / f"{step}.html")


def _last_lines(log: Path) -> list[str]:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return [line for line in lines if line.strip()][-LINES_OF_AN_ERROR:]


def in_order(steps: dict[str, Step]) -> list[str]:
    """The tasks, each after those it waits for; by name where the graph leaves the choice."""
    tasks = {step.name: task for task, step in steps.items()}
    order = graphlib.TopologicalSorter({step.name: step.after for step in steps.values()})
    order.prepare()
    found = []
    while order.is_active():
        ready = sorted(order.get_ready())
        found += [tasks[name] for name in ready]
        order.done(*ready)
    return found
