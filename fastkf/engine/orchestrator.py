"""Which tasks of a pipeline run, in which order, on what data: groups, loops, conditions."""

import os
from collections.abc import Mapping
from concurrent import futures
from pathlib import Path
from typing import Any

from fastkf.engine.board import Board
from fastkf.engine.conditions import holds
from fastkf.engine.kfp_local import Scope
from fastkf.engine.memo import Memo
from fastkf.engine.pipeline import Component, Pipeline, Task
from fastkf.engine.scheduler import run_in_order
from fastkf.engine.step_runner import StepRunner
from fastkf.engine.tasks import Executor, Kind
from fastkf.package.graph import Place
from fastkf.runs.model import Failure, State
from fastkf.runs.turns import Turns


class Orchestrator:
    """Runs the tasks of one pipeline, once.

    Args:
        board: its steps.
        folder: the run's.
        executors: for each kind of component that the pipeline has.
        memo: steps that need not run.
        parallel: how many steps run at a time; as many as there are processors when None.

    Attributes:
        error: why the run has failed, where no step says it.
    """

    def __init__(
        self,
        board: Board,
        folder: Path,
        executors: Mapping[Kind, Executor],
        memo: Memo,
        parallel: int | None,
    ):
        self.board = board
        self.error: str | None = None
        self._parallel = parallel or os.cpu_count() or 1
        self._steps = StepRunner(board, folder, executors, memo, self._parallel)

    def run_pipeline(
        self, pipeline: Pipeline, arguments: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Runs a pipeline; returns its outputs, None when it has failed."""
        try:
            return self._run_group(pipeline.root, Scope(pipeline.root, arguments), (), ())
        except ValueError as error:
            self.error = str(error)
            return None

    def _run_group(
        self, group: Component, scope: Scope, above: Place, turns: Turns
    ) -> dict[str, Any] | None:
        """Runs the tasks of a DAG; returns its outputs, None when a task has failed.

        Args:
            above: the names of the tasks around it.
            turns: the numbers of the iterations around it.
        """
        fine: dict[str, bool] = {}

        def execute(name: str) -> None:
            task = group.tasks[name]
            blocked = not all(fine[other] for other in task.after)
            if self._steps.has_ended or (blocked and not task.runs_after_failures):
                self.board.skip(_places(task, above), turns)
                made = None
            else:
                made = self._run_task(task, scope, above, turns)
            scope.keep(name, made or {}, made is not None)
            fine[name] = made is not None

        def fail(name: str, error: BaseException) -> None:
            """A task could not be started, or its outputs not be read."""
            self._note_error(group.tasks[name], above, turns, error)
            scope.keep(name, {}, succeeded=False)
            fine[name] = False

        after = {name: task.after for name, task in group.tasks.items()}
        run_in_order(after, execute, on_error=fail, on_interrupt=self._steps.end)
        return scope.outputs() if all(fine.values()) else None

    def _run_task(
        self, task: Task, scope: Scope, above: Place, turns: Turns
    ) -> dict[str, Any] | None:
        """Runs what a task is; returns its outputs, None when it has failed."""
        arguments = scope.arguments_of(task)
        if task.condition and not holds(task.condition, arguments):
            self.board.skip(_places(task, above), turns)
            return {}
        place = (*above, task.name)
        if task.is_loop:
            return self._run_loop(task, scope, arguments, above, turns)
        if task.component.is_group:
            inside = Scope(task.component, arguments, scope)
            return self._run_group(task.component, inside, place, turns)
        if task.component.is_importer:
            return self._steps.run_importer(task, arguments, place, turns)
        return self._steps.run(task, arguments, place, turns)

    def _run_loop(
        self,
        task: Task,
        scope: Scope,
        arguments: Mapping[str, Any],
        above: Place,
        turns: Turns,
    ) -> dict[str, Any] | None:
        """Runs the iterations of a loop; its outputs are the lists of theirs."""
        iterations = task.iterations(arguments)
        places = _places(task, above)
        if not iterations:
            self.board.skip(places, turns)
            return {}
        self.board.repeat(places, turns, len(iterations))
        at_a_time = min(task.parallel_iterations or self._parallel, self._parallel)
        with futures.ThreadPoolExecutor(at_a_time) as pool:
            running = [
                pool.submit(
                    self._run_group,
                    task.component,
                    Scope(task.component, one, scope),
                    (*above, task.name),
                    (*turns, number),
                )
                for number, one in enumerate(iterations)
            ]
        made = [one.result() for one in running]
        done = [one for one in made if one is not None]
        if len(done) < len(made):
            return None
        return {name: [one[name] for one in done] for name in done[0]}

    def _note_error(self, task: Task, above: Place, turns: Turns, error: BaseException) -> None:
        if task.component.is_group:
            self.error = f"task {task.name}: {error}"
            self.board.skip(_places(task, above), turns)
        else:
            failure = Failure(type(error).__name__, str(error))
            self.board.change((*above, task.name), turns, state=State.FAILED, failure=failure)


def _places(task: Task, above: Place) -> list[Place]:
    """The steps that a task has: itself, or those inside it."""
    here = (*above, task.name)
    return list(task.component.leaves(here)) if task.component.is_group else [here]
