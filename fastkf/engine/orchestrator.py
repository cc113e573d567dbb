"""Which tasks of a pipeline run, in which order, on what data: groups, loops, conditions."""

import os
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import dataclass
from typing import Any

from fastkf.base.errors import FastkfError
from fastkf.engine.board import Board
from fastkf.engine.cache import Cache
from fastkf.engine.conditions import holds
from fastkf.engine.memo import Memo
from fastkf.engine.pipeline import Component, Pipeline, Task
from fastkf.engine.scheduler import run_in_order
from fastkf.engine.scope import Scope, Surroundings, Values
from fastkf.engine.step_runner import StepRunner
from fastkf.engine.tasks import Executor, Kind
from fastkf.package.graph import Place
from fastkf.runs.model import Failure, State
from fastkf.runs.turns import Turns


@dataclass(frozen=True)
class Ending:
    """How a task has ended, and what it has made."""

    state: State
    made: Values


SKIPPED = Ending(State.SKIPPED, Values())
FAILED = Ending(State.FAILED, Values())


class Orchestrator:
    """Runs the tasks of one pipeline, once.

    Args:
        board: its steps.
        around: what all tasks of the run have in common.
        executors: for each kind of component that the pipeline has.
        memo: steps that need not run.
        cache: steps of earlier runs.
        parallel: how many steps run at a time; as many as there are processors when None.

    Attributes:
        error: why the run has failed, where no step says it.
    """

    def __init__(
        self,
        board: Board,
        around: Surroundings,
        executors: Mapping[Kind, Executor],
        memo: Memo,
        cache: Cache,
        parallel: int | None,
    ):
        self.board = board
        self.error: str | None = None
        self._around = around
        self._parallel = parallel or os.cpu_count() or 1
        self._steps = StepRunner(board, around, executors, memo, cache, self._parallel)

    def run_pipeline(self, pipeline: Pipeline, arguments: Mapping[str, Any]) -> Ending:
        """Runs a pipeline to its end."""
        given = Values(dict(arguments))
        try:
            return self._run_group(pipeline.root, given, (), ())
        except ValueError as error:
            self.error = str(error)
            return FAILED

    def _run_group(self, group: Component, given: Values, above: Place, turns: Turns) -> Ending:
        """Runs the tasks of a DAG.

        It has failed when one of them has; those that were left out do not matter.

        Args:
            above: the names of the tasks around it.
            turns: the numbers of the iterations around it.
        """
        scope = Scope(group, given, self._around)

        def execute(name: str) -> None:
            task = group.tasks[name]
            if self._steps.has_ended or not _may_run(task, scope.state):
                self.board.skip(_places(task, above), turns)
                ending = SKIPPED
            else:
                ending = self._run_task(task, scope, above, turns)
            scope.keep(name, ending.state, ending.made)

        def fail(name: str, error: BaseException) -> None:
            """A task could not be started, or its outputs not be read."""
            self._note_error(group.tasks[name], above, turns, error)
            scope.keep(name, State.FAILED)

        after = {name: task.after for name, task in group.tasks.items()}
        run_in_order(after, execute, on_error=fail, on_interrupt=self._steps.end)
        failed = self._steps.has_ended or State.FAILED in map(scope.state, group.tasks)
        return Ending(State.FAILED if failed else State.SUCCEEDED, scope.outputs())

    def _run_task(self, task: Task, scope: Scope, above: Place, turns: Turns) -> Ending:
        """Runs what a task is."""
        arguments = scope.arguments_of(task)
        if task.condition and not holds(task.condition, arguments.parameters):
            self.board.skip(_places(task, above), turns)
            return SKIPPED
        place = (*above, task.name)
        if task.is_loop:
            return self._run_loop(task, arguments, above, turns)
        if task.component.is_group:
            return self._run_group(task.component, arguments, place, turns)
        if task.component.is_importer:
            return Ending(State.SUCCEEDED, self._steps.run_importer(task, arguments, place, turns))
        made = self._steps.run(task, arguments, place, turns)
        return FAILED if made is None else Ending(State.SUCCEEDED, made)

    def _run_loop(self, task: Task, arguments: Values, above: Place, turns: Turns) -> Ending:
        """Runs the iterations of a loop; its outputs are the lists of theirs."""
        items = task.items(arguments.parameters)
        places = _places(task, above)
        if not items:
            self.board.skip(places, turns)
            return Ending(State.SUCCEEDED, Values())
        self.board.repeat(places, turns, len(items))
        at_a_time = min(task.parallel_iterations or self._parallel, self._parallel, len(items))
        with futures.ThreadPoolExecutor(at_a_time) as pool:
            running = [
                pool.submit(
                    self._run_group,
                    task.component,
                    _add_item(task, arguments, item),
                    (*above, task.name),
                    (*turns, number),
                )
                for number, item in enumerate(items)
            ]
        endings = [one.result() for one in running]
        failed = any(one.state is State.FAILED for one in endings)
        return Ending(State.FAILED if failed else State.SUCCEEDED, _collect(endings))

    def _note_error(self, task: Task, above: Place, turns: Turns, error: BaseException) -> None:
        if task.component.is_group:
            said = str(error)
            self.error = said if said.startswith("task ") else f"task {task.name}: {said}"
            self.board.skip(_places(task, above), turns)
        else:
            is_ours = isinstance(error, FastkfError | ValueError)
            failure = Failure("" if is_ours else type(error).__name__, str(error))
            self.board.change((*above, task.name), turns, state=State.FAILED, failure=failure)


def _may_run(task: Task, state: Callable[[str], State]) -> bool:
    """Whether those before a task have ended so that it runs, as Argo's `depends` says."""
    states = [state(other) for other in task.after]
    if task.runs_after_failures:
        return not states or any(one is not State.SKIPPED for one in states)
    return all(one is State.SUCCEEDED for one in states)


def _add_item(task: Task, arguments: Values, item: Any) -> Values:
    """What one iteration of a loop is given."""
    parameters = {**arguments.parameters, task.iterator["itemInput"]: item}
    return Values(parameters, arguments.artifacts)


def _collect(endings: list[Ending]) -> Values:
    """The outputs of a loop: the lists of what those iterations have made that have made it."""
    collected = Values()
    for ending in endings:
        for name, value in ending.made.parameters.items():
            collected.parameters.setdefault(name, []).append(value)
        for name, artifacts in ending.made.artifacts.items():
            collected.artifacts.setdefault(name, []).extend(artifacts)
    return collected


def _places(task: Task, above: Place) -> list[Place]:
    """The steps that a task has: itself, or those inside it."""
    here = (*above, task.name)
    return list(task.component.leaves(here)) if task.component.is_group else [here]
