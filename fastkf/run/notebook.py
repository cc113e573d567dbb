"""Runs a Kale notebook as a notebook and as a pipeline, and compares the metrics."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from fastkf.base.errors import UsageError
from fastkf.base.files import shown_path
from fastkf.engine.environments import Environments
from fastkf.engine.layer import Layer
from fastkf.engine.own_places import texts_in, warn_of_shared
from fastkf.engine.step_folder import Provisions, texts_of
from fastkf.engine.tasks.python import PythonTasks
from fastkf.engine.volumes import take_folders_here
from fastkf.notebook import gate
from fastkf.notebook.brought import brought_files
from fastkf.notebook.model import Notebook
from fastkf.notebook.packages import list_missing_packages
from fastkf.notebook.parameters import compiled, read_parameters
from fastkf.package import warnings
from fastkf.package.asked import Asked, ask_for_kernel, list_asked
from fastkf.package.given import Given
from fastkf.package.pins import Pins
from fastkf.run.compared import say_what_is_compared
from fastkf.run.pipeline import run_pipeline
from fastkf.run.reasons import Reasons
from fastkf.runs.compare import EXACT, Tolerance
from fastkf.runs.folder import make_run_folder
from fastkf.runs.keeper import Keeper, keep
from fastkf.runs.model import NotebookResult, Run, State
from fastkf.runs.progress import Progress

DATA = "data_dir"  # the parameter of a notebook that says where its data are


@dataclass(frozen=True)
class Options:
    """How a notebook is run.

    Attributes:
        home: the folder of all runs, in which a run without `output` gets a folder of its own.
        output: the run's folder.
        only: the one way in which it is run.
        bring: fetches the data sets that a notebook needs, where its data are not elsewhere.
        pins: the versions that its steps install; those that are installed here when None.
        tolerance: of its metrics, which may have one of the notebook's own.
        offline: nothing is fetched that is not here.
        given: what its steps take from a cluster, such as Secrets.
    """

    home: Path
    output: Path | None = None
    only: Literal["notebook", "pipeline"] | None = None
    bring: Callable[[Sequence[str]], None] | None = None
    pins: Pins | None = None
    tolerance: Tolerance = EXACT
    offline: bool = False
    given: Given = field(default_factory=Given)


def run_notebook(
    notebook: Notebook, given: Mapping[str, str], options: Options, progress: Progress
) -> Run:
    """Checks, executes, compiles and runs the notebook.

    Args:
        notebook: a lab or any other Kale notebook.
        given: pipeline parameters, as text, that differ from the notebook's.

    Raises:
        UsageError: an unknown parameter, a value that does not fit, a folder that is not empty.
        FastkfError: the notebook cannot be run at all.
    """
    together = gate.tell_findings(notebook, progress)
    brought = brought_files(together)  # or it says what is wrong with them before anything runs
    parameters = read_parameters(notebook, given)
    _check_tolerance(options.tolerance, together.metrics)
    if options.bring and DATA not in given:
        options.bring(notebook.course.needs)
    folder = make_run_folder(notebook.name, options.output, options.home)
    run = Run(folder, notebook.name, notebook.title, {**notebook.parameters, **parameters})
    tolerance = options.tolerance
    if tolerance.usual is None:
        tolerance = replace(tolerance, usual=notebook.course.tolerance)
    with keep(run, tolerance) as keeper:
        _run_both_ways(together, parameters, brought, options, keeper, progress)
        keeper.update(compared=say_what_is_compared(keeper.run))
    return keeper.run


def _check_tolerance(tolerance: Tolerance, metrics: Sequence[str]) -> None:
    """Without metrics, what the steps print is compared, and its names are known only later."""
    unknown = sorted(set(tolerance.named) - set(metrics)) if metrics else []
    if unknown:
        there = ", ".join(metrics)
        raise UsageError(f"--tolerance {unknown[0]}=...: no such metric; there are: {there}")


def _run_both_ways(
    notebook: Notebook,
    parameters: Mapping[str, Any],
    brought: tuple[str, ...],
    options: Options,
    keeper: Keeper,
    progress: Progress,
) -> None:
    folder, given, asked = keeper.run.folder, options.given, list[Asked]()
    environments, explain = Environments(options.offline), Reasons(notebook).explain
    package = None
    with ExitStack() as stack:
        if options.only != "notebook":
            # First of all: its parent is forked before there are threads, and imports meanwhile.
            home, texts = notebook.path.resolve().parent, texts_of(keeper.run.parameters)
            provisions = Provisions(home, texts, brought, given=tuple(texts_in(parameters)))
            tasks = PythonTasks(provisions, notebook.imports, environments=environments)
            stack.enter_context(tasks)
        missing = list_missing_packages(notebook) if options.only != "pipeline" else []
        if options.only != "notebook":
            from fastkf.notebook.compile import compile_package  # while the warm parent imports

            began = time.monotonic()
            package = compile_package(notebook, folder / "pipeline.yaml", pins=options.pins)
            progress.done(f"compiled {shown_path(folder)}/pipeline.yaml", time.monotonic() - began)
            told = *warn_of_shared(package, parameters), *warnings.of_references(package, given)
            for warning in (*told, *warnings.of_stores(package, compiled(parameters))):
                progress.warn(warning)
            asked = list_asked(package)
        kernel = ask_for_kernel(asked, missing, options.pins)
        if package:
            given = take_folders_here(package, given)
            tasks.prepare(given, warm=not asked)
        below = environments.provide_all([*asked, kernel], folder, progress).get(kernel)
        has_run = options.only == "pipeline" or _run_as_notebook(
            notebook, parameters, below, options, keeper, progress
        )
        if package and has_run:
            how = partial(run_pipeline, order=list(notebook.steps), given=given)
            how(package, compiled(parameters), {"python": tasks}, keeper, progress, explain)


def _run_as_notebook(
    notebook: Notebook,
    parameters: Mapping[str, Any],
    below: Layer | None,
    options: Options,
    keeper: Keeper,
    progress: Progress,
) -> bool:
    """Whether it has succeeded; the keeper's run gets what became of it, whatever is raised."""
    from fastkf.engine.notebook import execute_notebook  # Jupyter's client, only where it is used

    cells, output = len(notebook.code_cells), keeper.run.folder / "notebook.ipynb"
    # Failed until the notebook has run: why, the keeper says, whatever is raised.
    result = NotebookResult(State.FAILED)
    try:
        with progress.progress("notebook, cells", cells) as advance:
            result = execute_notebook(
                notebook,
                output,
                parameters,
                lambda done, _: advance(done),
                below=below,
                offline=options.offline,
            )
    finally:
        keeper.update(notebook=result)
    if result.state is State.SUCCEEDED:
        progress.done(f"ran as a notebook, {cells} cells", result.seconds)
    return result.state is State.SUCCEEDED
