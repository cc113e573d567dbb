"""The pipeline's part of a run: shown while it goes, each failure in its author's words."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fastkf.base import clock
from fastkf.engine.run import Outcome, run_package
from fastkf.engine.tasks import Executor, Kind
from fastkf.package.given import Given
from fastkf.package.model import Package
from fastkf.runs.cache import Store
from fastkf.runs.keeper import Keeper
from fastkf.runs.model import PipelineResult, State, Step
from fastkf.runs.progress import Advance, Progress


def run_pipeline(
    package: Package,
    arguments: Mapping[str, Any],
    executors: Mapping[Kind, Executor],
    keeper: Keeper,
    progress: Progress,
    explain: Callable[[Step], Step],
    order: Sequence[str] = (),
    workspace: str | None = None,
    store: Store | None = None,
    given: Given | None = None,
) -> None:
    """Runs a package to its end; the keeper's run gets what became of it, whatever is raised.

    Args:
        arguments: pipeline parameter to value.
        explain: gives a step that has failed the error that its author is told.
        order: the names of the steps as their author has written them, where that is known.
        workspace: where the steps see the workspace, if they see it elsewhere than it is.
        store: the cache, if the run has one.
        given: what the steps have in the place of a cluster.

    Raises:
        FastkfError: it cannot be run here.
    """
    began = time.monotonic()
    # Failed until the engine says otherwise: what it raises passes through.
    result = PipelineResult(State.FAILED, clock.now())
    with progress.progress("pipeline, steps", len(package.tasks)) as advance:
        steps = _Steps(progress, advance, explain)
        try:
            run = partial(run_package, executors=executors, on_step=steps.note)
            run = partial(run, store=store, workspace=workspace, given=given)
            result = _complete(result, run(package, arguments, keeper.run.folder))
        finally:
            seconds = time.monotonic() - began
            result = replace(result, seconds=seconds, steps=steps.in_order(order))
            keeper.update(pipeline=result.end(result.state))
    if result.state is State.SUCCEEDED:
        progress.done("ran as a pipeline", seconds)


def _complete(result: PipelineResult, outcome: Outcome) -> PipelineResult:
    made = replace(result, metrics=outcome.metrics, outputs=outcome.outputs)
    return replace(made, state=outcome.state, error=outcome.error)


class _Steps:
    """The steps of a pipeline as they are now, shown as they end."""

    def __init__(self, progress: Progress, advance: Advance, explain: Callable[[Step], Step]):
        self._known: dict[str, Step] = {}
        self._running: dict[str, None] = {}
        self._ended: set[str] = set()
        self._progress, self._advance, self._explain = progress, advance, explain

    def note(self, step: Step) -> None:
        """Takes a step that has changed; called from any thread, by one at a time."""
        known = self._known.get(step.name)
        step = self._explain(step)
        self._known[step.name] = step
        if _has_run(step) and not (known and known.state.has_ended):
            self._progress.show_step(step)
        self._running.pop(step.name, None)
        if step.state is State.RUNNING:
            self._running[step.name] = None
        if _has_run(step):
            self._ended.add(step.name)
        self._advance(len(self._ended), ", ".join(self._running))

    def in_order(self, order: Sequence[str]) -> tuple[Step, ...]:
        """All of them: those that are named in that order, then the others."""
        places = {name: place for place, name in enumerate(order)}
        known = self._known.values()
        return tuple(sorted(known, key=lambda step: places.get(step.name, len(places))))


def _has_run(step: Step) -> bool:
    return step.state in (State.SUCCEEDED, State.FAILED)
