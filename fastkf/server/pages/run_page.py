"""What the page of one run shows: from its row, its record (run.json) and its folder."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from markupsafe import Markup

from fastkf.package.errors import PackageError
from fastkf.package.model import Package
from fastkf.runs.drawing.svg import draw_pipeline
from fastkf.runs.model import PipelineResult, Run, State, Step
from fastkf.runs.problems import Problem, list_problems
from fastkf.runs.report.classification import list_classifications
from fastkf.runs.report.rows import StepRow, list_rows, make_timeline
from fastkf.runs.text import show_values
from fastkf.server import database as db
from fastkf.server.executions import Execution, list_executions
from fastkf.server.pages import files
from fastkf.server.pages.executed import address_of, find_step, show_sides
from fastkf.server.pages.graph import Look, draw_run

MOST_LETTERS = 4_000  # of the folds in an address
# The state of a run: the icon's, and the word.
SHOWN = {
    "PENDING": ("pending", "waiting"),
    "RUNNING": ("running", "running"),
    "CANCELING": ("running", "ending"),
    "SUCCEEDED": ("succeeded", "succeeded"),
    "FAILED": ("failed", "failed"),
    "CANCELED": ("skipped", "canceled"),
}


def summarise(run: db.Run, kept: Run | None) -> dict:
    """What every list and page says of a run."""
    icon, word = SHOWN.get(run.state, ("pending", run.state.lower()))
    seconds = None
    if not run.is_going and run.started_at and run.finished_at:
        seconds = (run.finished_at - run.started_at).total_seconds()
    return {
        "id": run.id,
        "name": run.display_name,
        "icon": icon,
        "word": word,
        "live": run.is_going,
        "archived": run.storage_state == "ARCHIVED",
        "created": run.created_at,
        "started": run.started_at,
        "since": run.started_at if run.is_going else None,
        "seconds": seconds,
        "pipeline_id": run.pipeline_id,
        "version_id": run.pipeline_version_id,
        "pipeline": run.pipeline_name,
        "experiment_id": run.experiment_id,
        "parameters": (kept and kept.parameters) or run.parameters or {},
        "metrics": kept.pipeline.metrics if kept and kept.pipeline else {},
    }


def show_run(
    run: db.Run, kept: Run | None, package: Package | None, folder: Path, query: Mapping[str, str]
) -> dict:
    """All that the template of the page needs.

    Args:
        kept: what run.json tells, None when there is none.
        package: the run's; None when it cannot be read.
        folder: the run's folder.
        query: `step`, which the reader chose, otherwise it is the one that tells most; and `fold`,
            the groups of the graph that the reader has folded or unfolded.
    """
    summary = summarise(run, kept)
    executions = list_executions(run, _foresee_steps(run, kept, package))
    steps = _list_steps(executions, kept)
    step = _choose(steps, query.get("step"), summary["live"])
    home = f"#/runs/details/{run.id}"
    folds = read_folds(query)
    address = f"{make_address(home, None, folds)}{'&' if folds else '?'}step="
    return {
        "run": summary,
        "steps": steps,
        "step": step,
        "address": address,
        "attempt": _attempt(run),
        "graph": _draw_groups(run, executions, package, step, folds, home)
        or _draw(run, steps, step, address),
        "problems": _find_problems(run, kept),
        "not_applied": kept.not_applied if kept else (),
        "timeline": make_timeline(steps) if not summary["live"] else None,
        "metrics": show_values(summary["metrics"]),
        "parameters": show_values(summary["parameters"]),
        "classifications": list_classifications(kept.steps) if kept else [],
        "reports": files.list_reports(folder, steps),
        "artifacts": _name_steps(files.list_artifacts(folder), kept),
        "logs": files.list_logs(folder),
        "said": _say(summary, steps),
        **_show_step(run, executions, folder, step),
        "find": _find_text(step),
    }


def _foresee_steps(run: db.Run, kept: Run | None, package: Package | None) -> Run | None:
    """The record; before it has any steps, with those of the package."""
    if package is None or (kept and kept.steps):
        return kept
    try:
        after = package.tasks
    except PackageError:  # they wait for each other
        return kept
    names = {task: package.name_step(task) for task in after}
    labels = package.display_names
    steps = (
        Step(name, task, tuple(names[one] for one in after[task]), display_name=labels.get(name))
        for task, name in names.items()
    )
    foreseen = kept or Run(Path(), package.name, package.name)
    return replace(foreseen, pipeline=PipelineResult(State.PENDING, steps=tuple(steps)))


def _list_steps(executions: list[Execution], kept: Run | None) -> list[StepRow]:
    """The steps in the order of their start, each with what is inside it."""
    steps = [one.step for one in executions if one.parent is None]
    return list_rows(steps, kept.pipeline.started if kept and kept.pipeline else None)


def _choose(steps: list[StepRow], chosen: str | None, live: bool) -> StepRow | None:
    """The step whose log is shown: the reader's choice, what failed, what runs, what ran last."""
    for step in steps:
        if step.name == chosen:
            return step
    by_status = {step.status: step for step in reversed(steps) if not step.holds}
    if State.FAILED in by_status or State.RUNNING in by_status:
        return by_status.get(State.FAILED) or by_status[State.RUNNING]
    ran = [step for step in steps if step.started is not None and not step.holds]
    return ran[-1] if ran else (steps[0] if steps and live else None)


def _show_step(run: db.Run, executions: list[Execution], folder: Path, row: StepRow | None) -> dict:
    """What went into the step that is shown and came out of it, and its attempts."""
    found = find_step(executions, row.name if row else None)
    if found is None:
        return {"sides": None, "attempts": (), "execution": None}
    execution, step = found
    several = execution.step.attempts if len(execution.step.attempts) > 1 else ()
    return {
        "sides": None if step.steps else show_sides(folder, run.id, executions, step),
        "attempts": (execution.step, *several) if several else (),
        "execution": address_of(run.id, execution.node),
    }


def read_folds(query: Mapping[str, str]) -> frozenset[str]:
    given = query.get("fold", "")[:MOST_LETTERS]
    return frozenset(given.split(",")) - {""}


def make_address(home: str, step: str | None, folds: Collection[str]) -> str:
    """The address of a page with a graph: which step is shown, which groups are toggled."""
    folded = ",".join(files.quote(one) for one in sorted(folds))
    query = [f"fold={folded}"] if folds else []
    query += [f"step={files.quote(step)}"] if step else []
    return f"{home}?{'&'.join(query)}" if query else home


def _draw_groups(
    run: db.Run,
    executions: list[Execution],
    package: Package | None,
    current: StepRow | None,
    folds: frozenset[str],
    home: str,
) -> Markup | None:
    """The graph with the package's groups; None where the run's steps are not the package's."""
    look = Look(partial(make_address, home), folds, current.name if current else None)
    return draw_run(package, executions, f"Pipeline {run.pipeline_name}", look)


def _draw(
    run: db.Run, steps: list[StepRow], current: StepRow | None, address: str
) -> Markup | None:
    steps = [step for step in steps if not step.inside]
    if not steps:
        return None
    try:
        picture = draw_pipeline(
            {step.name: list(step.after) for step in sorted(steps, key=lambda one: one.name)},
            statuses={step.name: step.status for step in steps},
            seconds={s.name: s.seconds for s in steps if s.status is not State.RUNNING},
            names={step.name: step.label for step in steps},
            words={step.name: step.word for step in steps if step.cached_from},
            title=f"Pipeline {run.pipeline_name}",
            links={step.name: address + files.quote(step.name) for step in steps},
            current=current.name if current else None,
            style=False,
        )
    except ValueError:  # a package whose tasks wait for each other
        return None
    return Markup(picture)


def _find_problems(run: db.Run, kept: Run | None) -> list[Problem]:
    """What went wrong: the learner's own exceptions first, then what is not in them already."""
    problems: list[Problem] = []
    if kept:
        going = replace(kept, state=State.RUNNING, error=None)
        problems = list_problems(going if run.is_going else going.end(State.SUCCEEDED))
    for reason in (run.error, kept.error if kept else None):
        text = (reason or "").strip()
        if text and not any(one.text in text or text in one.text for one in problems):
            problems.append(Problem("run", text))
    if run.state == "FAILED" and not problems:
        problems.append(Problem("run", "The run failed; the logs say more."))
    return problems


def _name_steps(artifacts: list[dict], kept: Run | None) -> list[dict]:
    names = {step.task: step.name for step in kept.steps} if kept else {}
    return [{**one, "step": names.get(one["task"], one["task"])} for one in artifacts]


def _say(run: dict, steps: list[StepRow]) -> str:
    """One sentence for who cannot see the page; said again whenever it changes."""
    if not run["live"] or run["word"] != "running":
        return f"Run {run['name']}: {run['word']}."
    steps = [step for step in steps if not step.inside]
    running = [step.name for step in steps if step.status is State.RUNNING]
    done = sum(step.status is State.SUCCEEDED for step in steps)
    now = f" Running: {', '.join(running)}." if running else ""
    return f"Run {run['name']}: {done} of {len(steps)} steps done.{now}"


def _find_text(step: StepRow | None) -> str:
    """The words of the step's exception, as its log has them."""
    first = (step and step.error or "").strip().split("\n")[0]
    return first.split(" (line ")[0].split(" (in the code ")[0]


def _attempt(run: db.Run) -> str:
    return run.started_at.strftime("%Y%m%d%H%M%S%f") if run.started_at else "0"
