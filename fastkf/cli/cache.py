"""The command for the cache: what steps of earlier runs have put out."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich import filesize

from fastkf.base import clock
from fastkf.base.files import shown_path
from fastkf.base.local_server import default_folder
from fastkf.cli.command import command
from fastkf.cli.display import Display
from fastkf.cli.options import ask, parse_days
from fastkf.course import places
from fastkf.runs.cache import Entry, Store
from fastkf.runs.text import count, format_time

Found = tuple[Store, list[Entry]]


@command()
def cache(
    name: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PIPELINE]...", help="Of these pipelines; of all."),
    ] = None,
    older_than: Annotated[
        float | None,
        typer.Option(parser=parse_days, metavar="DAYS", help="Only steps that are older."),
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Forget them, so that they run again.")
    ] = False,
    server: Annotated[
        Path | None,
        typer.Option(
            "--server",
            metavar="DIR",
            help="The folder of the local server.",
            envvar="FASTKF_SERVER",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Forget them without asking.")] = False,
    *,
    display: Display,
) -> bool:
    """List the steps whose outputs a run may take, or forget them: of runs/ and of the server.

    A step is taken from the cache where its package allows it, and its pipeline, component, image,
    command and inputs are those of a step that has succeeded: always by `fastkf server`, and by
    `fastkf run PACKAGE --cache`. The outputs lie in the folders of the runs. With a run that is
    deleted or cleaned, its steps leave the cache; what is forgotten here deletes no file of a run.
    The list is also what --clear would forget.

    Examples: `fastkf cache` · `fastkf cache titanic --older-than 7 --clear --yes`
    """
    stores = [Store.beside(places.RUNS), Store.of_server((server or default_folder()).resolve())]
    found = [(store, _choose(store, name or (), older_than)) for store in stores]
    for store, entries in found:
        if entries:
            display.say(f"Of the runs in {shown_path(store.runs)}:")
        for one in entries:
            size = filesize.decimal(one.size)
            display.say(f"{one.pipeline}  {one.step}  {format_time(one.made)}  {one.run}  {size}")
    total = sum(len(entries) for _, entries in found)
    if not total:
        display.say("No step is kept that fits." if name or older_than else "No step is kept.")
    return _forget(found, total, yes, display) if clear and total else True


def _choose(store: Store, names: Sequence[str], older_than: float | None) -> list[Entry]:
    before = None if older_than is None else clock.now() - timedelta(days=older_than)
    entries = [
        one
        for one in store.entries()
        if (not names or one.pipeline in names) and (before is None or one.made < before)
    ]
    return sorted(entries, key=lambda one: (one.pipeline, one.made))


def _forget(found: Iterable[Found], total: int, yes: bool, display: Display) -> bool:
    if not (yes or ask(f"Forget {count(total, 'step')}?", "say --yes to forget these steps")):
        display.say("Nothing was forgotten.")
        return False
    for store, entries in found:
        for entry in entries:
            store.forget(entry.key)
    display.done(f"forgot {count(total, 'step')}")
    return True
