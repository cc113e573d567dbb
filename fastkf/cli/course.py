"""The commands for the course: its labs, its data, how far one is in it."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from fastkf.base.errors import UsageError
from fastkf.cli.command import command
from fastkf.cli.completion import offer_data
from fastkf.cli.options import AsJson
from fastkf.course import places
from fastkf.course.labs import read_labs
from fastkf.runs.progress import Progress

if TYPE_CHECKING:
    from fastkf.notebook.model import Notebook

NO_COURSE = (
    f"There is no course here, so there are no labs. {places.COURSE_VARIABLE} names its folder. "
    "For a notebook of your own, give the path: fastkf run my.ipynb"
)


@command(name="list")
def list_labs(as_json: AsJson = False, *, display: Progress) -> None:
    """Show the labs in the order of the course: title, what they need, typical time.

    Examples: `fastkf list` · `fastkf list --json`
    """
    from fastkf.notebook.model import read

    order = read_labs()
    labs = [(order.part(path), read(path)) for path in order.all]
    if as_json:
        print(json.dumps([_describe(part, lab) for part, lab in labs], indent=2))
        return
    if not places.COURSE:
        display.say(NO_COURSE)
        return
    rows = []
    for part, lab in labs:
        needs = ", ".join(lab.course.needs) or "–"
        minutes = str(lab.course.minutes or "–")
        rows.append((lab.name, part, lab.title, needs, minutes))
    display.show_table(("lab", "order", "title", "data", "minutes"), rows)


def _describe(part: str, lab: "Notebook") -> dict[str, object]:
    return {
        "name": lab.name,
        "part": part,
        "title": lab.title,
        "aim": lab.course.aim,
        "steps": list(lab.steps),
        "needs": list(lab.course.needs),
        "minutes": lab.course.minutes,
        "notebook": str(lab.path),
    }


@command()
def progress(as_json: AsJson = False, *, display: Progress) -> None:
    """Show how far you are: the cells that you have run in each lab, the exercises solved.

    It reads the notebooks in workbook/, where `fastkf lab` keeps your copies, as you last saved
    them. Nothing leaves this machine. An exercise is solved when its check has said so.

    Examples: `fastkf progress` · `fastkf progress --json`
    """
    from fastkf.course.progress import look

    found = look()
    if as_json:
        print(json.dumps([one.as_dict() for one in found], indent=2))
        return
    if not found:
        display.say(NO_COURSE)
        return
    rows = [
        (
            one.lab.stem,
            one.part,
            f"{one.cells_run} of {one.cells}",
            f"{one.exercises_solved} of {one.exercises}",
        )
        for one in found
    ]
    display.show_table(("lab", "order", "cells run", "exercises solved"), rows)
    if not places.WORKBOOK.is_dir():
        display.say("You have no copies of the labs yet: `fastkf lab` makes them.")


@command()
def data(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Data sets; all when none.", autocompletion=offer_data
        ),
    ] = None,
    *,
    display: Progress,
) -> None:
    """Fetch the data sets of the labs and verify them by hash.

    Example: `fastkf data titanic`
    """
    from fastkf.course.data import fetch, read_sources

    known = read_sources()
    if unknown := set(names or []) - set(known):
        raise UsageError(f"no data set {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    fetch(names or None, progress=display.say)
