"""The commands that look at runs that are there."""

import json
import webbrowser
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer
from rich import filesize

from fastkf.base import clock
from fastkf.base.errors import UsageError
from fastkf.base.files import shown_path
from fastkf.base.plain_data import spell_numbers
from fastkf.cli.command import command
from fastkf.cli.completion import offer_runs
from fastkf.cli.display import Display
from fastkf.cli.options import AsJson, Tolerances, ask, parse_days, parse_tolerance
from fastkf.course import places
from fastkf.runs.cleaning import choose, look_at, measure
from fastkf.runs.compare import ComparedStep, ComparedValue, RunsComparison, compare_runs
from fastkf.runs.folder import find_run_folder, list_run_folders, remove_run_folder
from fastkf.runs.model import Run, State
from fastkf.runs.progress import Cell
from fastkf.runs.record import read_run
from fastkf.runs.text import format_seconds, format_time, show_row, show_value

SAY_YES = "say --yes to remove these runs"

RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's folder; or a lab's name, of which the newest run is meant.",
        autocompletion=offer_runs,
    ),
]

NewestRun = Annotated[
    str,
    typer.Argument(
        metavar="[RUN]",
        help="A run's folder, or what ran; the newest run of all.",
        show_default=False,
        autocompletion=offer_runs,
    ),
]


@command()
def compare(
    one: RunName,
    other: RunName,
    tolerance: Tolerances = None,
    as_json: AsJson = False,
    *,
    display: Display,
) -> bool:
    """Hold two runs against each other: metric by metric, step by step.

    Takes runs of notebooks and of pipelines, of this machine and of a cluster. The exit code is 0
    when all metrics agree and every step ended in the same state, 1 when something differs or there
    is nothing to compare.

    Examples: `fastkf compare runs/02_titanic/2026-11-29_10-00-00 runs/02_titanic/from_the_cluster`
    · `fastkf compare titanic_a titanic_b --tolerance 0.01 --tolerance accuracy=0.02 --json`
    """
    allowed = parse_tolerance(tolerance or [])
    first, second = (read_run(find_run_folder(name, places.RUNS)) for name in (one, other))
    runs, found = (first, second), compare_runs(first, second, allowed)
    if unknown := sorted(set(allowed.named) - {row.name for row in found.values}):
        names = ", ".join(row.name for row in found.values) or "none"
        raise UsageError(f"--tolerance {unknown[0]}=...: no such metric; there are: {names}")
    if as_json:
        print(json.dumps(spell_numbers(_as_data(runs, found)), indent=2, allow_nan=False))
    else:
        _show(runs, found, display)
    return found.equal


@command(name="open")
def open_report(run: NewestRun = "", *, display: Display) -> bool:
    """Show the report of a run in the browser: the newest one's, or the one that is named.

    Example: `fastkf open 02_titanic`
    """
    report = find_run_folder(run, places.RUNS) / "report.html"
    if not report.is_file():
        display.failed(f"{shown_path(report)}: the run has no report, it has not ended")
        return False
    display.say(f"Report: {shown_path(report)}")
    if not webbrowser.open(report.resolve().as_uri()):
        display.say("No browser was found here: open the file yourself.")
    return True


@command()
def clean(
    name: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Of these notebooks or pipelines; of all.",
            autocompletion=offer_runs,
        ),
    ] = None,
    older_than: Annotated[
        float | None,
        typer.Option(parser=parse_days, metavar="DAYS", help="Only runs that are older."),
    ] = None,
    last: Annotated[
        int, typer.Option(min=0, metavar="N", help="Leave the last N runs of each name.")
    ] = 1,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them without asking.")] = False,
    *,
    display: Display,
) -> bool:
    """Remove old runs below runs/, with their logs and artifacts, and say what that frees.

    Of each name the last run stays (`--last`). A run that is going stays, and one with a file
    `keep` in its folder: `touch runs/02_titanic/2026-11-29_10-00-00/keep`.

    Examples: `fastkf clean --older-than 30` · `fastkf clean 02_titanic --last 0 --yes`
    """
    now = clock.now()
    age = None if older_than is None else timedelta(days=older_than)
    found = [look_at(folder, now) for folder in list_run_folders(places.RUNS, name or ())]
    for unknown in sorted(set(name or ()) - {one.folder.parent.name for one in found}):
        display.warn(f"no run of {unknown} is in {shown_path(places.RUNS)}/")
    chosen = choose(found, now, age, last)
    for one in chosen:
        display.say(f"{shown_path(one.folder)}  {filesize.decimal(measure(one.folder))}")
    freed = filesize.decimal(sum(measure(one.folder) for one in chosen))
    if not chosen:
        display.say(f"Nothing to remove; runs that are there: {len(found)}")
        return True
    if not (yes or ask(f"Remove {len(chosen)} of {len(found)} runs, {freed}?", SAY_YES)):
        display.say("Nothing was removed.")
        return False
    for one in chosen:
        remove_run_folder(one.folder)
    display.done(f"runs removed: {len(chosen)}, {freed}")
    return True


def _show(runs: Sequence[Run], found: RunsComparison, display: Display) -> None:
    for number, run in enumerate(runs, start=1):
        when = f", {format_time(run.started)}" if run.started else ""
        display.say(f"{number}: {run.name}, {run.state}{when}, {shown_path(run.folder)}")
    for row in found.parameters:
        given = " and ".join(show_value(value) for value in row.values)
        display.warn(f"the parameter {row.name} is not the same: {given}")
    _show_values(found, display)
    _show_steps(found, display)
    if not found.values:
        display.failed("nothing was compared: neither run has a metric or an output")
        return
    differing = [row.name for row in found.values if not row.equal]
    differing += [row.name for row in found.steps if not row.equal]
    text = f"{len(differing)} differ: {', '.join(differing)}" if differing else "equal"
    display.conclude(text, found.equal)


def _show_values(found: RunsComparison, display: Display) -> None:
    if found.values:
        headings = ["metric", *[f"{way.run}, {way.kind}" for way in found.ways], "equal"]
        display.show_table(headings, map(_value_cells, found.values), title="Metrics")


def _show_steps(found: RunsComparison, display: Display) -> None:
    if found.steps:
        runs = [way.run for way in found.ways if way.kind == "pipeline"]
        headings = ["step", *[f"{run}, {what}" for run in runs for what in ("state", "time")]]
        display.show_table([*headings, "equal"], map(_step_cells, found.steps), title="Steps")


def _value_cells(row: ComparedValue) -> list[Cell]:
    return [row.name, *show_row(row.values), _mark(row.equal)]


def _step_cells(row: ComparedStep) -> list[Cell]:
    cells: list[Cell] = [row.name]
    for step in row.steps:
        cells += [step.state.value, format_seconds(step.seconds)] if step else ["–", "–"]
    return [*cells, _mark(row.equal)]


def _mark(equal: bool) -> State:
    return State.SUCCEEDED if equal else State.FAILED


def _as_data(runs: Iterable[Run], found: RunsComparison) -> dict:
    return {
        "equal": found.equal,
        "runs": [{"name": run.name, "folder": str(run.folder), "state": run.state} for run in runs],
        "ways": [{"run": way.run, "kind": way.kind, "state": way.state} for way in found.ways],
        "parameters": [asdict(row) for row in found.parameters],
        "metrics": [asdict(row) for row in found.values],
        "steps": [
            {
                "name": row.name,
                "states": [step and step.state for step in row.steps],
                "seconds": [step and step.seconds for step in row.steps],
                "equal": row.equal,
            }
            for row in found.steps
        ],
    }
