"""Runs a Kale notebook as a notebook and as a pipeline, and compares the metrics."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from fastkf.base.errors import FastkfError
from fastkf.base.files import shown_path
from fastkf.engine.environments import Environments
from fastkf.engine.layer import Layer
from fastkf.engine.step_folder import Provisions, texts_of
from fastkf.engine.tasks import Executor, Kind
from fastkf.engine.tasks.python import PythonTasks
from fastkf.engine.volumes import check_mounts, list_claims
from fastkf.notebook import gate
from fastkf.notebook.brought import brought_files
from fastkf.notebook.composition import whole
from fastkf.notebook.model import Notebook
from fastkf.notebook.parameters import read_parameters
from fastkf.package.asked import Asked, list_asked
from fastkf.package.given import Given, check_given
from fastkf.package.model import Package
from fastkf.package.pins import Pins
from fastkf.run.compared import say_what_is_compared
from fastkf.run.packages import ask_for_kernel, provide
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
        tolerance: of its metrics.
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
    gate.tell_findings(notebook, progress)
    parameters = read_parameters(notebook, given)
    brought_files(notebook)  # or it says what is wrong with them before anything runs
    if options.bring and DATA not in given:
        options.bring(notebook.course.needs)
    folder = make_run_folder(notebook.name, options.output, options.home)
    run = Run(folder, notebook.name, notebook.title, {**notebook.parameters, **parameters})
    with keep(run, options.tolerance) as keeper:
        _run_both_ways(notebook, parameters, options, keeper, progress)
        keeper.update(compared=say_what_is_compared(notebook, keeper.run))
    return keeper.run


def _run_both_ways(
    notebook: Notebook,
    parameters: Mapping[str, Any],
    options: Options,
    keeper: Keeper,
    progress: Progress,
) -> None:
    environments = Environments(options.offline)
    with ExitStack() as stack:
        package, asked = None, list[Asked]()
        if options.only != "notebook":
            # Before all else: the warm parent imports meanwhile, and is forked while this process
            # has no other threads.
            tasks = _make_tasks(notebook, keeper.run.parameters, environments, options)
            stack.enter_context(tasks)
            package = _compile(notebook, keeper.run.folder, options.pins, progress)
            _tell_not_given(package, options.given, progress)
            options = replace(options, given=_with_folders_here(package, options.given))
            check_mounts(package, options.given)
            asked = list_asked(package)
            tasks.prepare(options.given, warm=not asked)
        kernel = None
        if options.only != "pipeline":
            kernel = ask_for_kernel(notebook, asked, options.pins)
        below = provide(environments, asked, kernel, keeper.run.folder, progress)
        if options.only != "pipeline":
            result = _run_as_notebook(notebook, parameters, below, options, keeper, progress)
            if result.state is not State.SUCCEEDED:
                return
        if package:
            arguments = {name.lower(): value for name, value in parameters.items()}
            executors: dict[Kind, Executor] = {"python": tasks}
            order = list(whole(notebook).steps)
            explain = Reasons(notebook).explain
            start = partial(run_pipeline, given=options.given)
            start(package, arguments, executors, keeper, progress, explain, order)


def _tell_not_given(package: Package, given: Given, progress: Progress) -> None:
    """The data may be here, and then the steps need no keys to a store."""
    try:
        check_given(package, given)
    except FastkfError as error:
        progress.warn(str(error))


def _with_folders_here(package: Package, given: Given) -> Given:
    """The same, with volumes whose paths are there on this machine: the notebook sees these."""
    paths = {name: Path(path) for name, path in list_claims(package)}
    here = {name: path for name, path in paths.items() if path.is_dir()}
    return replace(given, volumes={**here, **given.volumes}, places={**here, **given.places})


def _make_tasks(
    notebook: Notebook,
    parameters: Mapping[str, Any],
    environments: Environments,
    options: Options,
) -> PythonTasks:
    """What runs its steps."""
    home = notebook.path.resolve().parent
    provisions = Provisions(home, texts_of(parameters), brought_files(notebook))
    imports = whole(notebook).imports
    return PythonTasks(provisions, imports, environments=environments, given=options.given)


def _compile(notebook: Notebook, folder: Path, pins: Pins | None, progress: Progress) -> Package:
    from fastkf.notebook.compile import compile_notebook  # while the warm parent imports

    began = time.monotonic()
    path = compile_notebook(notebook, folder / "pipeline.yaml", pins=pins)
    progress.done(f"compiled {shown_path(path)}", time.monotonic() - began)
    return Package.load(path)


def _run_as_notebook(
    notebook: Notebook,
    parameters: Mapping[str, Any],
    below: Layer | None,
    options: Options,
    keeper: Keeper,
    progress: Progress,
) -> NotebookResult:
    from fastkf.engine.notebook import execute_notebook  # Jupyter's client, only where it is used

    cells, output = len(whole(notebook).code_cells), keeper.run.folder / "notebook.ipynb"
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
    return result
