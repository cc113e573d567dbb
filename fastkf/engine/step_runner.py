"""Runs single tasks of a pipeline and keeps the state of their steps.

As what a task runs is its executor's matter (`fastkf.engine.tasks`); what it is passed and what is
taken from it, Kubeflow Pipelines' (`fastkf.engine.kfp_local`).
"""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastkf.base.clock import now
from fastkf.base.errors import FastkfError
from fastkf.engine.board import Board
from fastkf.engine.kfp_local import Job, import_artifact, restore_outputs
from fastkf.engine.memo import Memo
from fastkf.engine.pipeline import Task
from fastkf.engine.tasks import Executor, Kind
from fastkf.package.graph import Place
from fastkf.runs.model import Failure, State
from fastkf.runs.turns import Turns, name_turn


class StepRunner:
    """Runs the tasks of one pipeline that run something, from the threads that wait for them.

    Args:
        board: the steps.
        folder: the run's.
        executors: for each kind of component that the pipeline has.
        memo: steps that need not run.
        parallel: how many steps run at a time.
    """

    def __init__(
        self,
        board: Board,
        folder: Path,
        executors: Mapping[Kind, Executor],
        memo: Memo,
        parallel: int,
    ):
        self._board = board
        self._folder = folder
        self._executors = executors
        self._memo = memo
        self._slots = threading.BoundedSemaphore(parallel)
        self._ended = threading.Event()

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set()

    def end(self) -> None:
        """Ends what runs and starts no more."""
        self._ended.set()
        for executor in self._executors.values():
            executor.end()

    def run_importer(
        self, task: Task, arguments: Mapping[str, Any], place: Place, turns: Turns
    ) -> dict[str, Any]:
        """Runs a task that is an importer; returns its output."""
        self._board.change(place, turns, state=State.RUNNING, started=now())
        made = import_artifact(task, arguments, self._folder)
        self._board.change(place, turns, state=State.SUCCEEDED)
        return made

    def run(
        self, task: Task, arguments: Mapping[str, Any], place: Place, turns: Turns
    ) -> dict[str, Any] | None:
        """Runs a task that is a container, as often as it may be tried.

        Returns:
            Its outputs; None when it has failed.

        Raises:
            ValueError: its input cannot be made, or its outputs not be read.
            FastkfError: there is no executor for it.
        """
        step = self._board.step(place, turns)
        kept = self._memo.recall(step)
        if kept is not None and kept.outputs is not None:
            self._board.change(place, turns, **vars(kept))
            return restore_outputs(kept.outputs, self._folder)
        name = name_turn(step.task, turns)
        job = Job(task, arguments, name, self._folder, self._folder / "workspace")
        job.make_folders()
        log = self._folder / "logs" / f"{step.name}.log"
        log.unlink(missing_ok=True)
        with self._slots:
            if self._ended.is_set():
                return None
            began = time.monotonic()
            self._board.change(place, turns, state=State.RUNNING, started=now(), inputs=job.inputs)
            failure = self._execute(job, log, place, turns)
            for delay in task.delays:
                if failure is None or self._ended.wait(delay):
                    break
                failure = self._execute(job, log, place, turns)
        return self._note_end(job, place, turns, time.monotonic() - began, failure)

    def _execute(self, job: Job, log: Path, place: Place, turns: Turns) -> Failure | None:
        """Runs a container once; returns why it has failed."""

        def show(image: str, command: list[str]) -> None:
            self._board.change(place, turns, image=image, command=tuple(command))

        failure = self._executor(job.task).execute(job, log, show)
        missing = None if failure else job.missing_output()
        if missing:
            return Failure("", f"it has not written its output parameter {missing}")
        return failure

    def _executor(self, task: Task) -> Executor:
        kind: Kind = "python" if task.component.is_python else "container"
        if kind not in self._executors:
            raise FastkfError(f"task {task.name} is a {kind} component, and none can be run here")
        return self._executors[kind]

    def _note_end(
        self, job: Job, place: Place, turns: Turns, seconds: float, failure: Failure | None
    ) -> dict[str, Any] | None:
        if failure is None:
            made, outputs = job.read_outputs()
            self._board.change(
                place, turns, state=State.SUCCEEDED, seconds=seconds, outputs=outputs
            )
            return made
        # What an interruption has cut off goes on as "running", until the run ends it as
        # interrupted: that its process was killed is no failure of its own.
        state = State.RUNNING if self._ended.is_set() else State.FAILED
        shown = None if self._ended.is_set() else failure
        self._board.change(place, turns, state=state, seconds=seconds, failure=shown)
        return None
