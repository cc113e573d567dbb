"""Runs a compiled package on this machine through `kfp.local`, isolated from all other runs."""

import contextlib
import graphlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from unittest import mock

from fastkf.engine.warm import interpreter, parent

KALE_METRICS = "kale_metrics_artifact"
SECONDS_TO_END = 5.0
KERNEL_CONFIGURATION = """\
c.IPKernelApp.quiet = False
c.HistoryManager.enabled = False
c.InteractiveShellApp.extensions = ["fastkf.engine.warm.kernel"]
"""


@dataclass
class Step:
    """One task of the run.

    Attributes:
        status: "pending", "running", "succeeded", "failed" or "skipped".
        started: seconds since the pipeline's start.
        error: what `interpreter.write_error` kept, or None.
    """

    name: str
    after: list[str] = field(default_factory=list)
    status: str = "pending"
    started: float | None = None
    seconds: float = 0.0
    error: dict | None = None


class LocalRun:
    """One run of one package.

    `kfp.local` keeps its settings and its hooks in module globals, so a process has one at a time.

    Args:
        run_folder: gets artifacts/, logs/ and outputs/.
        working_folder: where the steps run; relative paths among the arguments start there.
        imports: source of the imports the steps share, to be imported ahead of them.
        warm_parent: fork the steps' interpreters from a warm parent (see `engine.warm.parent`).
        parallel: how many steps run at a time; as many as there are processors when None.
        name_step: from a task's name to the name that its step, log and output get.
    """

    def __init__(
        self,
        run_folder: Path,
        working_folder: Path,
        imports: str = "",
        warm_parent: bool = parent.CAN_FORK,
        parallel: int | None = None,
        name_step: Callable[[str], str] = str,
    ):
        self.run_folder = run_folder
        self.working_folder = working_folder
        self.parallel = parallel or os.cpu_count() or 1
        self.steps: dict[str, Step] = {}
        self.metrics: dict[str, float] = {}
        self.outputs: dict = {}
        self.began = time.monotonic()
        self._name = name_step
        self._imports = imports
        self._warm_parent = warm_parent
        self._processes: set[subprocess.Popen] = set()
        self._ended = threading.Event()
        self._has_failed = False
        self._task = threading.local()
        self._on_change: Callable[[], None] = lambda: None

    def __enter__(self):
        self._resources = contextlib.ExitStack()
        folder = Path(tempfile.mkdtemp(prefix="fastkf-"))
        self.scratch = folder
        self._python = self._resources.enter_context(
            parent.python_for_steps(folder, self._imports, self._warm_parent)
        )
        return self

    def __exit__(self, *_):
        self.end()
        self._resources.close()

    def run(self, package: Path, arguments: dict, on_change: Callable[[], None]) -> bool:
        """Runs the package; True when it succeeded: no step failed, some may have been left out.

        Args:
            package: the KFP v2 package (YAML).
            arguments: pipeline input name to value.
            on_change: called, from any thread, when a step starts or ends.
        """
        from kfp import components, local

        self._on_change = on_change
        self.began = time.monotonic()
        for folder in ("artifacts", "logs", "outputs"):
            (self.run_folder / folder).mkdir(parents=True, exist_ok=True)
        pipeline = components.load_component_from_file(str(package))
        self._list_steps(pipeline.pipeline_spec)
        with (
            (self.run_folder / "logs" / "kfp.log").open("w") as log,
            contextlib.redirect_stdout(log),
            contextlib.redirect_stderr(log),
            self._kfp_hooks(),
        ):
            local.init(
                self._make_runner(),
                pipeline_root=str(self.run_folder / "artifacts"),
                workspace_root=str(self.scratch / "workspace"),
                raise_on_error=False,
            )
            self.outputs = dict(pipeline(**arguments).outputs)
        self._collect_outputs()
        for step in self.steps.values():
            if step.status == "pending":  # what it waited for failed, or its condition did not hold
                step.status = "skipped"
        return not self._has_failed

    def end(self) -> None:
        """Ends the processes of the steps that still run, and starts no more."""
        self._ended.set()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in list(self._processes):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            deadline = time.monotonic() + SECONDS_TO_END
            while self._processes and time.monotonic() < deadline:
                time.sleep(0.05)

    def _list_steps(self, spec, dag=None, above: tuple[str, ...] = ()) -> list[str]:
        """Lists the tasks that run something, those of nested pipelines too; returns their names.

        A task after a nested pipeline is after all of its tasks; the first tasks of a nested
        pipeline are after what the pipeline is after.
        """
        tasks = (dag or spec.root.dag).tasks
        components = {task: spec.components[tasks[task].component_ref.name] for task in tasks}
        nested = {task: part.dag for task, part in components.items() if part.HasField("dag")}
        inside = {
            task: self._list_steps(spec, part, tuple(tasks[task].dependent_tasks) or above)
            for task, part in nested.items()
        }
        for task in tasks:
            if task not in nested:
                after = list(tasks[task].dependent_tasks) or above
                names = {name for other in after for name in inside.get(other, [other])}
                self.steps[task] = Step(self._name(task), sorted(map(self._name, names)))
        return [name for task in tasks for name in inside.get(task, [task])]

    @contextlib.contextmanager
    def _kfp_hooks(self):
        """Has `kfp.local` start steps through this run, in parallel, and log without globals.

        `kfp.local` offers no hooks: its runner runs one task after the other, prints the tasks'
        output through a replaced `print`, and asks pip in every step.
        """
        with contextlib.ExitStack() as stack:
            for module, name, replacement in self._patches():
                stack.enter_context(mock.patch.object(module, name, replacement))
            yield

    def _patches(self) -> list[tuple]:
        """What replaces what in `kfp.local`: module, name, replacement."""
        from kfp.local import logging_utils, pipeline_orchestrator, subprocess_task_handler
        from kfp.local.orchestrator import dag_orchestrator

        return [
            (pipeline_orchestrator, "log_and_maybe_raise_for_failure", self._note_failure),
            (subprocess_task_handler, "SubprocessTaskHandler", self._make_task_handler()),
            (dag_orchestrator, "run_dag", self._run_dag),
            (logging_utils, "local_logger_context", contextlib.nullcontext),
            (logging_utils, "indented_print", contextlib.nullcontext),
        ]

    def _note_failure(self, **_) -> None:
        """What `kfp.local` calls when a pipeline has failed."""
        self._has_failed = True

    def _make_runner(self):
        from kfp import local

        return local.SubprocessRunner(use_venv=False)

    def _make_task_handler(self) -> Callable:
        """What `kfp.local` calls for the handler of a task."""
        from kfp.local import subprocess_task_handler
        from kfp.local.status import Status

        run = self

        class TaskHandler(subprocess_task_handler.SubprocessTaskHandler):
            def run(self):
                succeeded = run._run_task(
                    subprocess_task_handler.replace_python_executable(
                        self.full_command, str(run._python)
                    ),
                    self.env_vars,
                )
                return Status.SUCCESS if succeeded else Status.FAILURE

        return TaskHandler

    def _run_dag(
        self,
        pipeline_resource_name,
        dag_component_spec,
        executors,
        components,
        dag_arguments,
        pipeline_root,
        runner,
        unique_pipeline_id,
        fail_stack,
        parent_io_store=None,
    ):
        """`kfp.local`'s run_dag for a flat DAG, with independent tasks in parallel."""
        from kfp.local import io
        from kfp.local.orchestrator import task_executor
        from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils
        from kfp.local.status import Status

        io_store = io.IOStore(parent=parent_io_store)
        arguments = OrchestratorUtils.join_user_inputs_and_defaults(
            dag_arguments=dag_arguments, dag_inputs_spec=dag_component_spec.input_definitions
        )
        for name, value in arguments.items():
            io_store.put_parent_input(name, value)
        tasks = dag_component_spec.dag.tasks

        def execute(name: str) -> bool:
            self._task.name = name
            recalled = self._recall(name)
            if recalled is not None:
                for key, output in recalled.items():
                    io_store.put_task_output(name, key, output)
                return True
            outputs, status = task_executor.execute_single_task(
                task_name=name,
                task_spec=tasks[name],
                pipeline_resource_name=pipeline_resource_name,
                components=components,
                executors=executors,
                io_store=io_store,
                pipeline_root=pipeline_root,
                runner=runner,
                unique_pipeline_id=unique_pipeline_id,
                fail_stack=fail_stack,
            )
            for key, output in outputs.items():
                io_store.put_task_output(name, key, output)
            return status == Status.SUCCESS

        failed = self._run_in_parallel(execute)
        if failed:
            fail_stack.extend(failed)
            return {}, Status.FAILURE
        outputs = OrchestratorUtils.get_dag_outputs(
            dag_outputs_spec=dag_component_spec.dag.outputs, io_store=io_store
        )
        return outputs, Status.SUCCESS

    def _recall(self, task: str) -> dict | None:
        """The outputs of a task that need not run; None when it must."""
        return None

    def _run_in_parallel(self, execute: Callable[[str], bool]) -> list[str]:
        """Executes the tasks as their dependencies allow; returns those that failed."""
        dependencies = {step.name: step.after for step in self.steps.values()}
        tasks = {step.name: task for task, step in self.steps.items()}
        order = graphlib.TopologicalSorter(dependencies)
        order.prepare()
        failed, running = [], {}
        with futures.ThreadPoolExecutor(self.parallel) as pool:
            try:
                while order.is_active():
                    for name in order.get_ready():
                        running[pool.submit(execute, tasks[name])] = name
                    if not running:
                        break
                    done, _ = futures.wait(running, return_when=futures.FIRST_COMPLETED)
                    for future in done:
                        name = running.pop(future)
                        if self._has_succeeded(future, self.steps[tasks[name]]):
                            order.done(name)
                        else:
                            failed.append(tasks[name])
            except BaseException:
                self.end()
                pool.shutdown(cancel_futures=True)
                raise
        return failed

    def _has_succeeded(self, future: futures.Future, step: Step) -> bool:
        error = future.exception()
        if error is not None:  # KFP could not start the task, or not read its outputs
            step.status = "failed"
            step.error = {"name": type(error).__name__, "message": str(error)}
        return error is None and future.result()

    def _run_task(self, command: list[str], environment: dict[str, str]) -> bool:
        """Runs a task's command, its output to the step's log; True when it succeeded."""
        task = getattr(self._task, "name", None) or _task_in(command)
        return self._track(
            task,
            lambda folder, log: self._run_process(
                [self._isolate(word, folder) for word in command],
                self._environment(environment, folder),
                log,
                self.working_folder,
            ),
        )

    def _track(self, task: str, execute: Callable[[Path, Path], int]) -> bool:
        """Executes a task and keeps its step's state; True when it succeeded.

        Args:
            task: its name in the package.
            execute: called with a folder of the step's own and the path of its log; returns the
                exit code.
        """
        step = self.steps.setdefault(task, Step(self._name(task)))
        folder, log = self._make_step_folder(task), self.run_folder / "logs" / f"{step.name}.log"
        began = time.monotonic()
        step.status, step.started = "running", began - self.began
        self._on_change()
        code = execute(folder, log)
        step.seconds = time.monotonic() - began
        if code != 0 and self._ended.is_set():
            step.error = {"name": "interrupted", "message": ""}
        else:
            step.error = self._find_error(folder, log, code)
        step.status = "failed" if step.error else "succeeded"
        self._on_change()
        return step.error is None

    def _find_error(self, folder: Path, log: Path, code: int) -> dict | None:
        """Why a step has failed; None when it has not."""
        return _read_error(folder, code) if code else None

    def _run_process(
        self, command: list[str], environment: dict, log: Path, working_folder: Path
    ) -> int:
        if self._ended.is_set():
            return 1
        with log.open("w") as output:
            process = self._start_process(command, environment, output, working_folder)
            self._processes.add(process)
            try:
                return process.wait()
            finally:
                self._processes.discard(process)
                if process.stdin:
                    process.stdin.close()

    def _start_process(
        self, command: list[str], environment: dict, output: IO, working_folder: Path
    ) -> subprocess.Popen:
        return subprocess.Popen(
            command,
            cwd=working_folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _make_step_folder(self, task: str) -> Path:
        steps = self.scratch / "steps"
        steps.mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{task}-", dir=steps))
        profile = folder / "ipython" / "profile_default"
        for path in (folder / "tmp", profile):
            path.mkdir(parents=True)
        (profile / "ipython_kernel_config.py").write_text(KERNEL_CONFIGURATION)
        return folder

    def _isolate(self, word: str, folder: Path) -> str:
        """Leads the fixed folder of Kale's generated code to the step's own.

        The metadata of an input artifact names the file in the folder of the step that made it.
        """
        word = re.sub(rf"{re.escape(str(self.scratch))}/steps/[^/\"]+/", f"{folder}/", word)
        return word.replace("/tmp/marshal", f"{folder}/marshal")

    def _environment(self, environment: dict[str, str], folder: Path) -> dict[str, str]:
        own = {name: str(folder / "tmp") for name, value in environment.items() if value == "/tmp"}
        return {
            **os.environ,
            **environment,
            **own,
            "TMPDIR": str(folder / "tmp"),
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(folder / "jupyter"),
            interpreter.STEP_FOLDER: str(folder),
            interpreter.STUB: str(self._python),
        }

    def _collect_outputs(self) -> None:
        """Copies the steps' HTML reports to outputs/ and reads Kale's metrics."""
        for output in (self.run_folder / "artifacts").glob("*/*/executor_output.json"):
            step = self._name(output.parent.name)
            for report in output.parent.glob("*_html_report"):
                shutil.copyfile(report, self.run_folder / "outputs" / f"{step}.html")
            artifacts = json.loads(output.read_text()).get("artifacts", {})
            for artifact in artifacts.get(KALE_METRICS, {}).get("artifacts", []):
                for name, value in artifact.get("metadata", {}).items():
                    self.metrics[name.replace("-", "_")] = value


def _task_in(command: list[str]) -> str:
    """The task that a KFP executor's command is for, from the folder of its outputs."""
    executor_input = json.loads(command[command.index("--executor_input") + 1])
    return Path(executor_input["outputs"]["outputFile"]).parent.name


def _read_error(folder: Path, code: int) -> dict:
    path = folder / interpreter.ERROR_FILE
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    reason = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return {"name": "StepError", "message": f"the step's process {reason}"}
