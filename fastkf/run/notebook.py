"""Runs a Kale notebook three ways, as `fastkf run` does, and compares the metrics."""

import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from fastkf.base.errors import FastkfError
from fastkf.base.files import shown_path
from fastkf.cli.display import Display
from fastkf.course import data, places
from fastkf.engine.notebook import NotebookRun, execute_notebook
from fastkf.engine.run import LocalRun
from fastkf.notebook import gate
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.model import Notebook, describe_error, find_cell
from fastkf.notebook.parameters import read_parameters
from fastkf.package.kale import name_step
from fastkf.runs.compare import SAME, is_equal
from fastkf.runs.folder import make_run_folder
from fastkf.runs.model import State, Step
from fastkf.runs.record import ended_step_record, new_record, read_run, write_record
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
    check_tags(notebook, display)
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


def check_tags(notebook: Notebook, display: Display) -> None:
    """Shows the findings of the checks.

    Raises:
        FastkfError: one of them means that the pipeline is not what the notebook looks like.
    """
    try:
        findings = gate.check_tags(notebook)
    except gate.NotAPipelineError as error:
        for finding in error.findings:
            display.failed(str(finding))
        raise
    for finding in findings:
        display.failed(str(finding))
    display.done(f"{notebook.name}: {len(notebook.steps)} steps, tags checked")


def _run_parts(notebook, parameters, only, folder: Path, record: dict, display: Display) -> None:
    with ExitStack() as stack:
        local_run = None
        if only != "notebook":
            began = time.monotonic()
            package = compile_notebook(notebook, folder / "pipeline.yaml")
            display.done(f"compiled {shown_path(package)}", time.monotonic() - began)
            local_run = stack.enter_context(_prepare_local_run(notebook, folder))
        if only != "pipeline":
            record["notebook"] = asdict(NotebookRun("failed", 0.0, error="interrupted"))
            record["notebook"] = _run_as_notebook(notebook, parameters, folder, display)
        if local_run and (not record["notebook"] or record["notebook"]["status"] == "succeeded"):
            _run_as_pipeline(local_run, notebook, package, parameters, record, display)


def _run_as_notebook(notebook, parameters, folder: Path, display: Display) -> dict:
    cells = len(notebook.code_cells)
    with display.progress("notebook, cells", cells) as advance:
        result = execute_notebook(
            notebook, folder / "notebook.ipynb", parameters, lambda done, total: advance(done)
        )
    if result.status == "succeeded":
        display.done(f"ran as a notebook, {cells} cells", result.seconds)
    return {**asdict(result), "seconds": round(result.seconds, 1)}


def _prepare_local_run(notebook: Notebook, folder: Path) -> LocalRun:
    imports = "\n".join(cell.source for cell in notebook.cells_with_role("imports"))
    return LocalRun(folder.resolve(), notebook.path.resolve().parent, imports, name_step=name_step)


def _run_as_pipeline(local_run, notebook, package, parameters, record, display) -> None:
    arguments = {name.lower(): value for name, value in parameters.items()}
    order = list(notebook.steps)
    try:
        run_pipeline(local_run, package, arguments, len(order), record, display)
    finally:
        steps = sorted(
            local_run.steps.values(),
            key=lambda step: order.index(step.name) if step.name in order else len(order),
        )
        record["pipeline"]["steps"] = [
            ended_step_record(step, _explain(step.error, notebook)) for step in steps
        ]


def run_pipeline(
    local_run: LocalRun, package: Path, arguments: dict, total: int, record: dict, display: Display
) -> None:
    """Runs a package of `total` steps with progress; all but the steps goes to the record."""
    began = time.monotonic()
    result = record["pipeline"] = {"status": "failed", "seconds": 0, "steps": [], "metrics": {}}
    shown: set[str] = set()
    try:
        with display.progress("pipeline, steps", total) as advance:
            succeeded = local_run.run(
                package, arguments, lambda: _show_steps(local_run, shown, display, advance)
            )
        result["status"] = "succeeded" if succeeded else "failed"
        if succeeded:
            display.done("ran as a pipeline", time.monotonic() - began)
    finally:
        local_run.end()
        result["seconds"] = round(time.monotonic() - began, 1)
        result["metrics"] = local_run.metrics


def _show_steps(local_run: LocalRun, shown: set[str], display: Display, advance) -> None:
    steps = list(local_run.steps.values())
    ended = [step for step in steps if step.status in ("succeeded", "failed")]
    for step in ended:
        if step.name not in shown:
            shown.add(step.name)
            state = State(step.status)
            display.show_step(Step(step.name, step.name, state=state, seconds=step.seconds))
    advance(len(ended), ", ".join(step.name for step in steps if step.status == "running"))


def _explain(error: dict | None, notebook: Notebook) -> str | None:
    """The first exception of a step, in the words and places of the learner's notebook."""
    if error is None:
        return None
    source, text = error.get("source"), error.get("text")
    described = describe_error(notebook, error["name"], error["message"], source, error.get("line"))
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
