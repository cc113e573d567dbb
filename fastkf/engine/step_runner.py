"""Runs single tasks of a pipeline and keeps the state of their steps.

As what a task runs is its executor's matter (`fastkf.engine.tasks`); what it is passed and what is
taken from it, that of `fastkf.engine.job`.
"""

import contextlib
import json
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from fastkf.base.clock import format_utc, now
from fastkf.base.errors import FastkfError
from fastkf.base.masks import SHOWN
from fastkf.engine.board import Board, name_attempt
from fastkf.engine.cache import Cache
from fastkf.engine.importer import import_artifact
from fastkf.engine.job import Job, describe, restore
from fastkf.engine.job_outputs import read_outputs
from fastkf.engine.memo import Memo
from fastkf.engine.pipeline import Task
from fastkf.engine.scope import Arguments, Surroundings, Values
from fastkf.engine.tasks import Executor, Kind, tell_lost_signs
from fastkf.package.graph import Place
from fastkf.runs import model
from fastkf.runs.hidden import hides
from fastkf.runs.model import Failure, State
from fastkf.runs.turns import Turns, name_turn


class StepRunner:
    """Runs the tasks of one pipeline that run something, from the threads that wait for them.

    Args:
        board: the steps.
        around: what all tasks of the run have in common.
        executors: for each kind of component that the pipeline has.
        memo: steps that need not run.
        cache: steps of earlier runs.
        parallel: how many steps run at a time.
    """

    def __init__(
        self,
        board: Board,
        around: Surroundings,
        executors: Mapping[Kind, Executor],
        memo: Memo,
        cache: Cache,
        parallel: int,
    ):
        self._board = board
        self._around, self._folder, self._mask = around, around.folder, around.mask
        self._executors = executors
        self._memo, self._cache = memo, cache
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

    def run_importer(self, task: Task, arguments: Arguments, place: Place, turns: Turns) -> Values:
        """Runs a task that is an importer; returns its output.

        Raises:
            ValueError: there is nothing to import.
            OSError: it cannot be copied into the workspace.
        """
        began = time.monotonic()
        inputs = describe(arguments, self._folder)
        step = self._board.change(place, turns, state=State.RUNNING, started=now(), inputs=inputs)
        name = name_turn(step.task, turns)
        log = self._folder / "logs" / f"{step.name}.log"
        made = import_artifact(Job(task, arguments, name, self._around), log)
        for artifacts in made.artifacts.values():
            again = bool(task.component.executor["importer"].get("reimport"))
            self._cache.note_import(artifacts[0], again)
        self._board.change(
            place,
            turns,
            state=State.SUCCEEDED,
            seconds=time.monotonic() - began,
            outputs=describe(made, self._folder),
        )
        return made

    def run(self, task: Task, arguments: Arguments, place: Place, turns: Turns) -> Values | None:
        """Runs a task that is a container, or takes what an equal one has made.

        Returns:
            Its outputs; None when it has failed.

        Raises:
            FastkfError: there is no executor for it.
        """
        step = self._board.step(place, turns)
        kept = self._memo.recall(step)
        if kept is not None and kept.outputs is not None and not self._lacks(kept.outputs):
            self._board.change(place, turns, **vars(kept))
            return restore(kept.outputs, self._folder)
        job = Job(task, arguments, name_turn(step.task, turns), self._around)
        log = self._folder / "logs" / f"{step.name}.log"
        _begin_log(log, task)
        key = job.key = self._cache.key(job, self._executor(task))
        made = self._recall(key, job, log, place, turns) if key else None
        if made is None:
            made = self._run(job, log, place, turns)
            if key and made is not None and not hides(describe(made, self._folder), self._mask):
                with contextlib.suppress(OSError):  # a full disk: this run has what it needs
                    self._cache.keep(key, job, step.name, job.name, made)
        return made

    def _lacks(self, kept: model.Values) -> bool:
        """Whether a record, from which a value was hidden, is not enough for the steps after it."""
        told = [kept.parameters, [one.metadata for one in kept.artifacts.values()]]
        return bool(self._mask) and SHOWN in json.dumps(told)

    def _recall(self, key: str, job: Job, log: Path, place: Place, turns: Turns) -> Values | None:
        """Takes the outputs of an equal step; None when there are none to take."""
        began, moment = time.monotonic(), now()
        with self._slots:
            found = None if self._ended.is_set() else self._cache.recall(key, job)
        if found is None:
            return None
        entry, made = found
        with log.open("a", encoding="utf-8") as file:
            file.write(
                f"fastkf: not run again: its outputs are those of {entry.step} in the run "
                f"{entry.run}, of {format_utc(entry.made, 'seconds')}\n"
            )
        self._board.change(
            place,
            turns,
            state=State.SUCCEEDED,
            started=moment,
            seconds=time.monotonic() - began,
            inputs=job.inputs,
            outputs=describe(made, self._folder),
            cached_from=entry.run,
            cached_node=entry.node or None,
            fingerprint=key,
        )
        return made

    def _run(self, job: Job, log: Path, place: Place, turns: Turns) -> Values | None:
        """Runs a job, as often as it may be tried; None when it has failed."""
        began = time.monotonic()
        made: Values | Failure | None = None
        for delay in (0.0, *job.task.delays):
            # Outside of the slot: while one step waits for its next attempt, another may run.
            if isinstance(made, Values) or self._ended.wait(delay):
                break
            with self._slots:
                if self._ended.is_set():
                    break
                if made is None:
                    began = time.monotonic()
                    running = {"state": State.RUNNING, "started": now(), "inputs": job.inputs}
                    self._board.change(place, turns, **running, fingerprint=job.key)
                made = self._try(job, log, place, turns)
        if made is None:
            return None
        return self._note_end(made, place, turns, time.monotonic() - began)

    def _try(self, job: Job, log: Path, place: Place, turns: Turns) -> Values | Failure:
        """One attempt; what it has made, or why it has failed."""
        began, moment = time.monotonic(), now()
        start = log.stat().st_size if log.exists() else 0
        job.make_folders()
        made = self._execute(job, log, place, turns)
        if job.task.delays and not self._ended.is_set():
            number = len(self._board.step(place, turns).attempts) + 1
            _copy_from(log, start, log.with_name(f"{name_attempt(log.stem, number)}.log"))
            failure = made if isinstance(made, Failure) else None
            self._board.attempt(
                place,
                turns,
                state=State.FAILED if failure else State.SUCCEEDED,
                started=moment,
                seconds=time.monotonic() - began,
                failure=failure,
                outputs=None if isinstance(made, Failure) else describe(made, self._folder),
            )
        return made

    def _execute(self, job: Job, log: Path, place: Place, turns: Turns) -> Values | Failure:
        def show(image: str, command: list[str]) -> None:
            self._board.change(place, turns, image=image, command=tuple(command))

        tell_lost_signs(job, log)
        failure = self._executor(job.task).execute(job, log, show)
        if failure:
            return failure
        try:
            return read_outputs(job)
        except ValueError as error:
            return Failure("", str(error))
        except OSError as error:
            return Failure(type(error).__name__, str(error))

    def _executor(self, task: Task) -> Executor:
        kind: Kind = "python" if task.component.is_python else "container"
        kind = "claim" if task.component.is_claim else kind
        if kind not in self._executors:
            raise FastkfError(f"task {task.name} is a {kind} component, and none can be run here")
        return self._executors[kind]

    def _note_end(
        self, made: Values | Failure, place: Place, turns: Turns, seconds: float
    ) -> Values | None:
        if isinstance(made, Values):
            outputs = describe(made, self._folder)
            self._board.change(
                place, turns, state=State.SUCCEEDED, seconds=seconds, outputs=outputs
            )
            return made
        # What an interruption has cut off goes on as "running", until the run ends it as
        # interrupted: that its process was killed is no failure of its own.
        state = State.RUNNING if self._ended.is_set() else State.FAILED
        shown = None if self._ended.is_set() else made
        self._board.change(place, turns, state=state, seconds=seconds, failure=shown)
        return None


def _begin_log(log: Path, task: Task) -> None:
    """A log of its own for each run of a step; it says first what is not as on a cluster."""
    log.unlink(missing_ok=True)
    if left_out := task.component.left_out:
        log.write_text(f"fastkf: not applied here: {', '.join(left_out)}\n", encoding="utf-8")


def _copy_from(log: Path, start: int, target: Path) -> None:
    """Copies what stands in a log from a place on."""
    target.touch()
    if log.exists():
        with log.open("rb") as source, target.open("wb") as copy:
            source.seek(start)
            shutil.copyfileobj(source, copy)
