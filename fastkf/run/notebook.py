"""Runs a Kale notebook three ways, as `fastkf run` does, and compares the metrics."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from fastkf.base.clock import now
from fastkf.base.errors import FastkfError
from fastkf.base.files import shown_path
from fastkf.cli.display import Display
from fastkf.course import data, places
from fastkf.engine.notebook import execute_notebook
from fastkf.engine.run import run_package
from fastkf.engine.tasks import Executor, Kind
from fastkf.engine.tasks.python import PythonTasks
from fastkf.notebook import gate
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.model import Notebook, describe_error, find_cell
from fastkf.notebook.parameters import read_parameters
from fastkf.package.model import Package
from fastkf.runs.compare import SAME, is_equal
from fastkf.runs.folder import make_run_folder
from fastkf.runs.model import Failure, NotebookResult, PipelineResult, State, Step
from fastkf.runs.record import (
    describe_notebook,
    describe_pipeline,
    new_record,
    read_run,
    write_record,
)
from fastkf.runs.report import page


def run_notebook(
    notebook: Notebook,
    given: dict[str, str],
    display: Display,
    only: str | None = None,
    output: Path | None = None,
) -> dict:
    """Checks, executes, compiles and runs the notebook; returns the content of run.json.

    Args:
        notebook: a lab or any other Kale notebook.
        given: pipeline parameters, as text, that differ from the notebook's.
        display: where progress and results are shown.
        only: "notebook" or "pipeline" to leave the other out.
        output: the run's folder; runs/<name>/<time>/ when None.

    Raises:
        UsageError: an unknown parameter, a value that does not fit, a folder that is not empty.
        FastkfError: the notebook cannot be run at all.
    """
    parameters = read_parameters(notebook, given)
    gate.tell_findings(notebook, display)
    if "data_dir" not in given:
        data.fetch(notebook.course.needs, progress=display.say)
    folder = make_run_folder(notebook.name, output, places.RUNS)
    tolerance = SAME if notebook.course.tolerance is None else notebook.course.tolerance
    record = new_record(notebook.name, notebook.title, {**notebook.parameters, **parameters})
    with keep_record(record, folder, display, tolerance):
        _run_parts(notebook, parameters, only, folder, record, display)
    return record


@contextmanager
def keep_record(record: dict, folder: Path, display: Display, tolerance: float = SAME):
    """Keeps the record of the run that is done inside: run.json, report.html, the summary."""
    began = time.monotonic()
    _write(folder, record, error="the run did not end")
    error = None
    try:
        yield
    except KeyboardInterrupt:
        error = "interrupted; the processes of the run were ended"
    except FastkfError as failure:
        error = str(failure)
    record["seconds"] = round(time.monotonic() - began, 1)
    record["parity"] = compare(record, tolerance)
    record["status"] = "succeeded" if error is None and _succeeded(record) else "failed"
    _write(folder, record, error)
    run = read_run(folder)
    page.write_report(run)
    display.show_run(run)


def compare(record: dict, tolerance: float) -> dict:
    """Each metric of the notebook beside the pipeline's; equal within the relative tolerance."""
    if not (record["notebook"] and record["pipeline"]):
        return {}
    notebook, pipeline = record["notebook"]["metrics"], record["pipeline"]["metrics"]
    return {
        name: {
            "notebook": notebook.get(name),
            "pipeline": pipeline.get(name),
            "equal": is_equal(notebook.get(name), pipeline.get(name), tolerance),
        }
        for name in {**notebook, **pipeline}
    }


def _run_parts(notebook, parameters, only, folder: Path, record: dict, display: Display) -> None:
    with ExitStack() as stack:
        tasks = None
        if only != "notebook":
            began = time.monotonic()
            package = compile_notebook(notebook, folder / "pipeline.yaml")
            display.done(f"compiled {shown_path(package)}", time.monotonic() - began)
            # Before the notebook runs: the warm parent imports meanwhile, and is forked while this
            # process has no other threads.
            tasks = stack.enter_context(_python_tasks(notebook))
        if only != "pipeline":
            interrupted = NotebookResult(State.FAILED, error="interrupted")
            record["notebook"] = describe_notebook(interrupted)
            record["notebook"] = _run_as_notebook(notebook, parameters, folder, display)
        if tasks and (not record["notebook"] or record["notebook"]["status"] == "succeeded"):
            _run_as_pipeline(tasks, notebook, package, parameters, record, display)


def _run_as_notebook(notebook, parameters, folder: Path, display: Display) -> dict:
    cells = len(notebook.code_cells)
    with display.progress("notebook, cells", cells) as advance:
        result = execute_notebook(
            notebook, folder / "notebook.ipynb", parameters, lambda done, total: advance(done)
        )
    if result.state is State.SUCCEEDED:
        display.done(f"ran as a notebook, {cells} cells", result.seconds)
    return describe_notebook(result)


def _python_tasks(notebook: Notebook) -> PythonTasks:
    imports = "\n".join(cell.source for cell in notebook.cells_with_role("imports"))
    return PythonTasks(notebook.path.resolve().parent, imports)


def _run_as_pipeline(
    tasks: PythonTasks,
    notebook: Notebook,
    path: Path,
    parameters: dict,
    record: dict,
    display: Display,
) -> None:
    arguments = {name.lower(): value for name, value in parameters.items()}
    order = list(notebook.steps)
    try:
        run_pipeline(
            Package.load(path),
            arguments,
            path.parent,
            {"python": tasks},
            record,
            display,
            lambda failure: _explain(failure, notebook),
        )
    finally:
        record["pipeline"]["steps"].sort(
            key=lambda step: order.index(step["name"]) if step["name"] in order else len(order)
        )


def run_pipeline(
    package: Package,
    arguments: dict,
    folder: Path,
    executors: Mapping[Kind, Executor],
    record: dict,
    display: Display,
    explain: Callable[[Failure], str],
) -> None:
    """Runs a package with progress; the record gets the rest."""
    result = PipelineResult(State.FAILED, now())
    began, steps = time.monotonic(), _Steps(display)
    try:
        with display.progress("pipeline, steps", len(package.tasks)) as steps.advance:
            outcome = run_package(
                package,
                arguments,
                folder,
                executors=executors,
                on_step=steps.show,
            )
        state = State.SUCCEEDED if outcome.succeeded else State.FAILED
        result = replace(
            result,
            state=state,
            metrics=outcome.metrics,
            outputs=outcome.outputs,
            error=outcome.error,
        )
        if outcome.succeeded:
            display.done("ran as a pipeline", time.monotonic() - began)
    finally:
        explained = [
            replace(step, error=explain(step.failure) if step.failure else None)
            for step in steps.known.values()
        ]
        result = replace(result, seconds=time.monotonic() - began, steps=tuple(explained))
        record["pipeline"] = describe_pipeline(result.end(result.state))


class _Steps:
    """The steps of a run as they are now, shown as they end."""

    def __init__(self, display: Display):
        self.known: dict[str, Step] = {}
        self.advance: Callable[[int, str], None] = lambda done, note: None
        self._display = display

    def show(self, step: Step) -> None:
        known = self.known.get(step.name, step)
        if step.state in (State.SUCCEEDED, State.FAILED) and not known.state.has_ended:
            self._display.show_step(step)
        self.known[step.name] = step
        states = [one.state for one in self.known.values()]
        running = [one.name for one in self.known.values() if one.state is State.RUNNING]
        done = states.count(State.SUCCEEDED) + states.count(State.FAILED)
        self.advance(done, ", ".join(running))


def _explain(failure: Failure, notebook: Notebook) -> str:
    """The first exception of a step, in the words and places of the learner's notebook."""
    source, text = failure.source, failure.text
    described = describe_error(notebook, failure.name, failure.message, source, failure.line)
    if source and text and find_cell(notebook, source) is None:
        return f"{described} (in the code that Kale adds to pass data between steps: {text})"
    return described


def _write(folder: Path, record: dict, error: str | None) -> None:
    record.pop("error", None)
    if error:
        record["error"] = error
    write_record(folder, record)


def _succeeded(record: dict) -> bool:
    parts = [part for part in (record["notebook"], record["pipeline"]) if part]
    ran = bool(parts) and all(part["status"] == "succeeded" for part in parts)
    return ran and all(metric["equal"] for metric in record["parity"].values())
