"""The commands `fastkf project ...`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.files import shown_path
from fastkf.cli.command import command
from fastkf.cli.commands import Subcommands
from fastkf.cli.display import Display, open_console
from fastkf.cli.options import AsJson
from fastkf.course import places
from fastkf.runs.model import State

if TYPE_CHECKING:
    from fastkf.course.project.rubric import Point

project = typer.Typer(
    cls=Subcommands,
    help="Begin the course's project, or see how many of its twenty points a folder has.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@project.command("new")
@command(name="project new")
def new(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder.")],
    data: Annotated[
        str, typer.Option(metavar="SET", help="flights, titanic, diabetes, or own.")
    ] = "own",
    *,
    display: Display,
) -> None:
    """Begin a project: a README to fill, project.toml, and a notebook that loads the data.

    Nothing is overwritten. labs/project/README.md has the milestones and the rubric.

    Example: `fastkf project new my_flights --data flights`
    """
    from fastkf.course.project.start import begin

    for path in begin(folder, data):
        display.done(f"wrote {shown_path(path)}")
    display.say(f"Next: open the notebook; then fastkf project check {shown_path(folder)}")


@project.command("check")
@command(name="project check")
def check(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A project's folder.")],
    run: Annotated[
        bool,
        typer.Option("--run", help="Run its notebook first, both ways: this runs its code."),
    ] = False,
    as_json: AsJson = False,
    *,
    display: Display,
) -> bool:
    """Give a project its points, twenty at most: what was looked for, where, what to do.

    It reads the folder and runs nothing in it, unless --run is given: then the notebook runs in
    runs/, and that run counts. What a program cannot see is listed at the end, for an instructor.

    The exit code is 0 with 14 points or more, 1 with fewer, 2 when the folder is no project.

    Examples: `fastkf project check labs/project/example` · `fastkf project check my_flights --json`
    """
    from fastkf.course.project.rubric import BY_HAND, PASS_MARK, check_project

    # Standard output is for the points: with --json, a program reads it.
    runs = run_project(folder, Display(open_console(sys.stderr))) if run else []
    points = check_project(folder, runs)
    reached = sum(point.given for point in points)
    has_passed = reached >= PASS_MARK
    if as_json:
        content = {
            "points": reached,
            "of": len(points),
            "pass_mark": PASS_MARK,
            "passed": has_passed,
            "criteria": [point.as_dict() for point in points],
            "by_hand": list(BY_HAND),
        }
        print(json.dumps(content, indent=2))
        return has_passed
    show(points, display)
    display.conclude(f"{reached} of {len(points)} points", has_passed, f"({PASS_MARK} to pass)")
    display.say("By hand, since a program cannot see it:")
    for text in BY_HAND:
        display.say(f"- {text}")
    return has_passed


def show(points: Sequence["Point"], display: Display) -> None:
    """A line for each point; below it, of one that is not given, what to do."""
    area = ""
    for point in points:
        if point.area != area:
            area = point.area
            own = [one for one in points if one.area == area]
            display.say(f"{area} {sum(one.given for one in own)}/{len(own)}")
        state = State.SUCCEEDED if point.given else State.FAILED
        display.show_outcome(state, point.looked_for, indent="  ")
        display.say(f"      {point.where}: {point.found}")
        if not point.given:
            display.say(f"      To do: {point.remedy}")


def run_project(folder: Path, display: Display) -> list[Path]:
    """Runs a project's notebook both ways; the run's folder.

    A failure costs points, and ends nothing: then there may be no folder.
    """
    from fastkf.course.data import fetch
    from fastkf.course.lock import read_lock
    from fastkf.course.project.folder import Folder
    from fastkf.course.project.project import Project
    from fastkf.course.project.settings import read_settings
    from fastkf.run.notebook import Options, run_notebook

    def fetch_data(names: Sequence[str]) -> None:
        fetch(names, progress=display.say)

    place = Folder(folder)
    try:
        notebook = Project(place, read_settings(place)).notebook
        options = Options(places.RUNS, bring=fetch_data, pins=read_lock())
        run = run_notebook(notebook, {}, options, display)
        display.show_run(run)
        return [run.folder]
    except UsageError:
        raise
    except FastkfError as error:
        display.failed(str(error))
        return []
