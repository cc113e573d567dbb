"""The command for notebooks of an older Kale."""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from fastkf.cli.command import command
from fastkf.runs.progress import Progress


@command()
def migrate(
    notebook: Annotated[
        Path, typer.Argument(metavar="OLD.ipynb", help="A notebook for Kale before 2.0.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="NEW.ipynb", help="[OLD_kale2.ipynb]"),
    ] = None,
    in_place: Annotated[
        bool,
        typer.Option("--in-place", help="Replace OLD.ipynb; a copy stays as OLD_old_kale.ipynb."),
    ] = False,
    *,
    display: Progress,
) -> bool:
    """Turn a notebook for Kale 0.2 to 0.7 into one that today's Kale compiles.

    Translates tags and metadata, gathers the steps' imports in the imports cell, and takes magics
    out of the pipeline. Prints what it changed, and what is left for you, cell by cell. The old
    notebook stays as it is. The exit code is 1 when something is left for you.

    Examples: `fastkf migrate old.ipynb` · `fastkf migrate old.ipynb -o new.ipynb`
    """
    from fastkf import migrate as room

    new, backup = room.name_new(notebook, output, in_place)
    result = room.migrate(notebook, new)
    if not result.done:
        display.done(f"{notebook}: current already, nothing to change")
        if result.left:
            display.say(f"  what is left to fix: fastkf check {quote(str(notebook))}")
        return True
    room.write(result, new, notebook, backup)
    display.done(f"{notebook} → {new}" + (f" (the old one: {backup})" if backup else ""))
    show(display, "Changed", result.done)
    show(display, "Left for you", result.left)
    shown = quote(str(new))
    if not result.compiles:
        display.failed(f"it does not compile yet; after each change: fastkf check {shown}")
    elif result.left:
        display.done(f"it compiles; see to what is left, then: fastkf run {shown}")
    else:
        display.done(f"it compiles; next: fastkf run {shown}")
    return not result.left


def show(display: Progress, title: str, lines: list[str]) -> None:
    if lines:
        display.say(title)
    for line in lines:
        display.say(f"  {line}")
