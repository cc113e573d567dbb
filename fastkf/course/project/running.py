"""Four points for the run: it went both ways, with this very notebook, to the same metrics."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastkf.base.errors import FastkfError, shorten
from fastkf.course.project.folder import LARGEST, Refused, as_number
from fastkf.course.project.project import Found, Project, read_notebook
from fastkf.notebook.model import Cell, Notebook
from fastkf.runs.compare import SAME, is_equal
from fastkf.runs.folder import FILE
from fastkf.runs.model import NotebookResult, PipelineResult, Run, State
from fastkf.runs.problems import clean_source, list_problems
from fastkf.runs.record import read_run

EXECUTED = "notebook.ipynb"
INJECTED = "injected-parameters"
BASELINE = "baseline_"
LONGEST_CAUSE = 300  # characters
EVER = datetime.min.replace(tzinfo=UTC)
RUN_IT = "fastkf run NOTEBOOK --output evidence/run (in the project's folder)"


def both_ways(project: Project) -> Found:
    """It ran as a notebook and as a pipeline, and every step succeeded."""
    run = find_run(project)
    where = name_of(project, run)
    notebook, pipeline = _ways(run, where)
    for way, result in (("as a notebook", notebook), ("as a pipeline", pipeline)):
        if result.state is not State.SUCCEEDED:
            raise Refused(where, f"{way} the run has {result.state}", f"correct it, then {RUN_IT}")
    ended = {step.name: step.state for step in pipeline.steps}
    for step in project.notebook.steps:
        if ended.get(step) is not State.SUCCEEDED:
            state = ended.get(step, "not in the run")
            raise Refused(where, f"the step {step} is {state}", f"run it again: {RUN_IT}")
    return Found(where, f"both ways succeeded, {len(ended)} steps in {pipeline.seconds:.0f} s")


def same_code(project: Project) -> Found:
    """What ran is the notebook of now, with the values of its own parameters."""
    run = find_run(project)
    where = name_of(project, run)
    executed = read_executed(run, where)
    now = list_code(project.notebook.code_cells)
    then = list_code(cell for cell in executed.code_cells if INJECTED not in cell.tags)
    if now != then:
        changed = next((code for code in now if code not in then), now[0] if now else "")
        label = project.notebook.cell_names.get(changed, "a cell that is gone")
        raise Refused(
            where, f"the notebook has changed since this run ({label})", f"run it again: {RUN_IT}"
        )
    failed = [one for one in executed.code_cells if any(map(_is_error, one.outputs))]
    if failed:
        raise Refused(where, f"the executed notebook has an error ({failed[0].label})", RUN_IT)
    for name, value in project.notebook.parameters.items():
        given = run.parameters.get(name)
        if not isinstance(value, str) and not is_equal(value, given, SAME):
            raise Refused(
                where, f"it ran with {name} = {given}, and the notebook says {value}", RUN_IT
            )
    return Found(where, "the code that ran is the code of now")


def equal_metrics(project: Project) -> Found:
    """Each metric that the notebook names has the same value both ways, and was printed."""
    run = find_run(project)
    where = name_of(project, run)
    notebook, pipeline = _ways(run, where)
    names = list(dict.fromkeys(project.notebook.metrics))
    if not names:
        raise Refused(where, "the notebook names no metric", "print one in a pipeline-metrics cell")
    printed = _read_printed(read_executed(run, where))
    for name in names:
        one, other = notebook.metrics.get(name), pipeline.metrics.get(name)
        if as_number(one) is None or not is_equal(one, other, SAME):
            raise Refused(
                where,
                f"{name} is {one} in the notebook and {other} in the pipeline",
                "look for what differs: a seed, a file, a name that is set in two cells",
            )
        if not is_equal(as_number(one), as_number(printed.get(name)), SAME):
            raise Refused(
                where,
                f"{FILE} has {name} = {one}, and the executed notebook printed {printed.get(name)}",
                f"hand in both as the run wrote them: {RUN_IT}",
            )
    return Found(where, f"{len(names)} metrics, equal both ways")


def baseline(project: Project) -> Found:
    """A metric of a baseline stands beside the model's, so that the number says something."""
    run = find_run(project)
    where = name_of(project, run)
    notebook, _ = _ways(run, where)
    for name in project.notebook.metrics:
        own = name.removeprefix(BASELINE)
        if name == own or own not in project.notebook.metrics:
            continue
        one, other = as_number(notebook.metrics.get(own)), as_number(notebook.metrics.get(name))
        if one is not None and other is not None and one != other:
            return Found(where, f"{own} = {one:g}, baseline {other:g}")
    raise Refused(
        where,
        f"no metric is called {BASELINE} and then as another one, with another value",
        f"score something simple, too, on the same rows: {BASELINE}test_auc beside test_auc",
    )


def find_run(project: Project) -> Run:
    """The newest run of the project's notebook.

    Raises:
        Refused: there is none, or none that can be read.
    """
    found, problems = [], []
    for folder in _list_folders(project):
        try:
            found.append(read_run(folder))
        except FastkfError as error:
            problems.append(error.problem)
    own = [run for run in found if run.name == project.notebook.name]
    if own:
        return max(own, key=lambda run: run.started or EVER)
    if found:
        raise Refused(
            name_of(project, found[0]), f"a run of {found[0].name}, another notebook", RUN_IT
        )
    raise Refused("evidence/run/", problems[0] if problems else f"there is no {FILE}", RUN_IT)


def name_of(project: Project, run: Run) -> str:
    try:
        return f"{run.folder.relative_to(project.folder.root).as_posix()}/{FILE}"
    except ValueError:
        return str(run.folder / FILE)


def _list_folders(project: Project) -> Iterator[Path]:
    for name in project.folder.named(FILE):
        yield (project.folder.root / name).parent
    yield from project.runs


def _ways(run: Run, where: str) -> tuple[NotebookResult, PipelineResult]:
    if run.notebook and run.pipeline is None and run.notebook.state is not State.SUCCEEDED:
        cause = " ".join(one.text for one in list_problems(run)[:1])
        said = f"as a notebook the run has {run.notebook.state}, so no pipeline ran: {cause}"
        raise Refused(where, shorten(said, LONGEST_CAUSE), f"correct it, then {RUN_IT}")
    if run.notebook is None or run.pipeline is None:
        missing = "as a notebook" if run.notebook is None else "as a pipeline"
        raise Refused(where, f"this run did not go {missing}", f"leave --only out: {RUN_IT}")
    return run.notebook, run.pipeline


def read_executed(run: Run, where: str) -> Notebook:
    """The executed notebook beside a run's record.

    Raises:
        Refused: it is not there, or is none.
    """
    path = run.folder / EXECUTED
    remedy = f"hand in the {EXECUTED} of the run, too, which stands beside its {FILE}"
    if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
        raise Refused(where, f"beside it there is no executed {EXECUTED} (at most 16 MB)", remedy)
    return read_notebook(path, where)


def _is_error(output: Mapping[str, Any]) -> bool:
    return output.get("output_type") == "error"


def list_code(cells: Iterable[Cell]) -> list[str]:
    """The code that takes part in the pipeline, cell by cell."""
    return [
        clean_source(cell.source) for cell in cells if cell.role != "skip" and cell.source.strip()
    ]


def _read_printed(executed: Notebook) -> Mapping[str, str]:
    """Metric to what the cells that print metrics have printed for it."""
    texts = [
        part
        for cell in executed.cells_with_role("pipeline-metrics")
        for output in cell.outputs
        if output.get("name") == "stdout"
        for part in output.get("text") or ""
        if isinstance(part, str)
    ]
    lines = (line for line in "".join(texts).splitlines() if line.strip())
    return dict(zip(executed.metrics, lines, strict=False))
