"""Runs a pipeline's package on this machine."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastkf.base.masks import Mask
from fastkf.base.versions import check_version
from fastkf.engine import results
from fastkf.engine.board import Board
from fastkf.engine.cache import Cache
from fastkf.engine.memo import Memo
from fastkf.engine.orchestrator import Orchestrator
from fastkf.engine.pipeline import Identity, Pipeline
from fastkf.engine.scope import Surroundings
from fastkf.engine.tasks import Executor, Kind
from fastkf.engine.tasks.claims import ClaimTasks
from fastkf.engine.volumes import Volumes
from fastkf.package.given import Given, find_mask
from fastkf.package.graph import Place
from fastkf.package.model import Package
from fastkf.package.refusals import check_runs_here
from fastkf.package.settings import for_executors, list_not_root, list_settings
from fastkf.runs.cache import Store
from fastkf.runs.model import State, Step


@dataclass(frozen=True)
class Outcome:
    """How a run has ended.

    Attributes:
        succeeded: whether no step has failed; some may have been left out.
        metrics: name to value: as Kale's steps report them, or `<step>.<name>`.
        outputs: the pipeline's output parameters.
        error: why it has failed, where no step says it.
    """

    succeeded: bool
    steps: tuple[Step, ...]
    metrics: dict[str, float | str] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def state(self) -> State:
        return State.SUCCEEDED if self.succeeded else State.FAILED


def run_package(
    package: Package,
    arguments: Mapping[str, Any],
    folder: Path,
    *,
    executors: Mapping[Kind, Executor],
    on_step: Callable[[Step], None],
    memo: Memo | None = None,
    parallel: int | None = None,
    identity: Identity | None = None,
    workspace: str | None = None,
    store: Store | None = None,
    given: Given | None = None,
) -> Outcome:
    """Runs a package to its end.

    Args:
        arguments: pipeline parameter to value, of those that differ from the package's.
        folder: the run's; gets artifacts/, logs/ and outputs/.
        executors: for the kinds of components that the package has.
        on_step: called with each step at first, and when it has changed; by one thread at a time.
        memo: steps that need not run.
        parallel: how many steps run at a time; as many as processors when None.
        identity: of the run, where it has a name.
        workspace: the path at which the steps see the workspace, where it is another.
        store: the cache, from which equal steps are taken and in which they are kept.
        given: what the steps have in the place of a cluster, such as volumes.

    Raises:
        FastkfError: the installed KFP was not tested, or it cannot be run here.
        KeyboardInterrupt: the run was interrupted; its processes have ended.
    """
    _check(package)
    folder, steps = _make_folders(folder.resolve()), _list_steps(package)
    around = _look_around(package, identity, folder, workspace, given or Given())
    board, who = _show(steps, on_step, around.mask), around.identity
    cache = Cache(store, folder, who.job_id)
    every: dict[Kind, Executor] = {**executors, "claim": ClaimTasks()}
    run = Orchestrator(board, around, every, memo or Memo(), cache, parallel)
    return _run(run, _read_pipeline(package, who, executors.values()), arguments, around)


def _read_pipeline(package: Package, identity: Identity, executors: Iterable[Executor]) -> Pipeline:
    each = [one.honours for one in executors]
    honoured = each[0].intersection(*each) if each else frozenset[str]()
    return Pipeline(
        package.spec,
        identity,
        list_settings(package, honoured),
        list_not_root(package),
        for_executors(package),
    )


def _run(
    run: Orchestrator, pipeline: Pipeline, arguments: Mapping[str, Any], around: Surroundings
) -> Outcome:
    folder, mask = around.folder, around.mask
    try:
        ending = run.run_pipeline(pipeline, arguments)
    finally:
        shutil.rmtree(folder / "workspace", ignore_errors=True)
    results.write_pages(run.board.executions, folder, mask)
    metrics = results.read_metrics(run.board.executions)
    succeeded = ending.state is State.SUCCEEDED
    outputs = mask.hide(ending.made.parameters) if succeeded else {}
    error = mask.hide_text(run.error) if run.error else None
    return Outcome(succeeded, run.board.steps, metrics, outputs, error)


def _show(steps: Mapping[Place, Step], on_step: Callable[[Step], None], mask: Mask) -> Board:
    for step in steps.values():
        on_step(step)
    return Board(steps, on_step, mask)


def _check(package: Package) -> None:
    check_version("kfp")
    check_runs_here(package)


def _look_around(
    package: Package, identity: Identity | None, folder: Path, workspace: str | None, given: Given
) -> Surroundings:
    who = identity or Identity.of(package.name)
    claims, mask = Volumes(folder / "volumes", given.volumes), find_mask(package, given)
    return Surroundings(who, folder, workspace or str(folder / "workspace"), claims, mask)


def _make_folders(folder: Path) -> Path:
    for name in ("artifacts", "logs", "outputs", "workspace"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return folder


def _list_steps(package: Package) -> dict[Place, Step]:
    """The steps of a package before it runs, in an order that respects what each waits for."""
    places = {task: place for place, task in package.places.items()}
    names = package.display_names
    return {
        places[task]: Step(
            name=(name := package.name_step(task)),
            task=task,
            after=tuple(package.name_step(other) for other in after),
            display_name=names.get(name),
        )
        for task, after in package.tasks.items()
    }
