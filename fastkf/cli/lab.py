"""The command `fastkf lab`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.files import shown_path
from fastkf.cli.cluster import CaFile, DexUser, Namespace, TokenFile
from fastkf.cli.command import command
from fastkf.cli.completion import offer_labs
from fastkf.cli.options import find_notebook, find_tested
from fastkf.course import places
from fastkf.course.labs import read_labs
from fastkf.course.workbook import copy_fresh, find_copy, prepare
from fastkf.runs.progress import Progress


@command(extra="lab")
def lab(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FOLDER|NOTEBOOK] [-- OPTION...]",
            help="A folder of notebooks, or the lab or notebook to open [the welcome]. "
            "After --, options of JupyterLab's own.",
            autocompletion=offer_labs,
        ),
    ] = None,
    fresh: Annotated[
        str | None,
        typer.Option("--fresh", metavar="LAB", help="Open a new, clean copy of a lab."),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address to open.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="JupyterLab's port [8888, or a free one].")
    ] = None,
    base_url: Annotated[
        str, typer.Option(metavar="PATH", help="The path behind a gateway.", envvar="NB_PREFIX")
    ] = "/",
    host: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The Kubeflow Pipelines to use [one on this machine]."),
    ] = None,
    token_file: TokenFile = None,
    dex_user: DexUser = None,
    ca_file: CaFile = None,
    namespace: Namespace = None,
    *,
    display: Progress,
) -> None:
    """Open notebooks in JupyterLab, where one click runs them as a pipeline.

    Starts JupyterLab with Kale's panel switched on, and `fastkf server`, to which the panel sends
    pipelines. Your own settings stay as they are. Both end together, on Ctrl-C.

    You work on copies of the labs, in workbook/. They are made once, without outputs, and never
    overwritten. With --fresh you get a clean one beside the copy that you have.

    With --host the panel sends pipelines to that Kubeflow Pipelines, with the same credentials as
    `fastkf submit`.

    Examples: `fastkf lab` · `fastkf lab 02_titanic` · `fastkf lab --fresh 02` ·
    `fastkf lab my_folder --no-browser` · `fastkf lab --host http://127.0.0.1:8080`
    """
    from fastkf.cluster.target import Endpoint
    from fastkf.lab.session import Options, work

    began = time.monotonic()
    given = words or []
    has_place = bool(given) and not given[0].startswith("-")
    if not host and (token_file or dex_user or ca_file or namespace):
        raise UsageError("credentials and a namespace are for a Kubeflow: give its --host")
    endpoint = Endpoint(
        host=host, token_file=token_file, dex_user=dex_user, ca_file=ca_file, namespace=namespace
    )
    if has_place and fresh:
        raise UsageError(f"--fresh {fresh}: it names the lab", f"leave {given[0]} out")
    place = choose_place(given[0] if has_place else None, fresh, display)
    options = Options(
        place=place,
        root=places.PROJECT if place.is_relative_to(places.WORKBOOK) else None,
        server=endpoint if host else None,
        port=port,
        base_url=base_url,
        browser=not no_browser,
        jupyter=given[1:] if has_place else given,
    )

    fetch_data(place, display)
    display.say("Starting JupyterLab ...")

    def show(jupyter, logs: Path) -> None:
        display.done("JupyterLab is ready", time.monotonic() - began)
        lines = {"JupyterLab": jupyter.page, "Pipelines": jupyter.runs_page, "Logs": f"{logs}/"}
        for name, text in lines.items():
            display.say(f"  {name:<12}{text}")
        if jupyter.pipelines.warning:
            display.failed(f"Kale's panel cannot run anything now: {jupyter.pipelines.warning}")
        display.say("Ctrl-C ends it.")

    try:
        work(options, show)
    except KeyboardInterrupt:
        display.done("JupyterLab has ended")


def choose_place(name: str | None, fresh: str | None, display: Progress) -> Path:
    """What to open: a folder or a notebook by its path; of a lab by its name, the learner's copy.

    Args:
        name: as it was typed; nothing: the welcome, or the working folder where there is no course.
        fresh: the lab of which a new copy is made.

    Raises:
        UsageError: there is no such thing.
        FastkfError: the copies cannot be made.
    """
    labs = read_labs().notebooks
    if fresh:
        lab = find_notebook(fresh)
        if lab not in labs:
            raise UsageError(f"--fresh {fresh}: no lab of the course", "`fastkf list` names them")
        prepare_workbook(display)
        made = copy_fresh(lab)
        display.done(f"A clean copy: {shown_path(made)}")
        return made
    place = find_tested(name) if name else next(iter(labs), Path.cwd())
    if place.is_file() and place.suffix != ".ipynb":
        raise UsageError(f"{name}: give a notebook (.ipynb) or a folder of notebooks")
    if place not in labs or (name and Path(name).exists()):
        return place.resolve()
    prepare_workbook(display)
    made = find_copy(place)
    return made if made.is_file() else place


def prepare_workbook(display: Progress) -> None:
    """Makes the copies that are missing, and says what came of it."""
    done = prepare()
    if done.added:
        count = f"{len(done.added)} notebooks" if len(done.added) > 1 else done.added[0].name
        display.done(f"Your copies of the labs are in {shown_path(places.WORKBOOK)}/; new: {count}")
    if done.outdated:
        names = ", ".join(path.stem for path in done.outdated)
        display.say(
            f"The course has newer versions of {names}. Yours stay as they are; "
            f"`fastkf lab --fresh {done.outdated[0].stem}` copies the new one beside yours."
        )
    for problem in done.problems:
        display.failed(problem)


def fetch_data(place: Path, display: Progress) -> None:
    """Fetches what is missing of the course's data, for the course's own notebooks."""
    from fastkf.course.data import fetch, is_complete, read_sources

    if not any(map(place.is_relative_to, (places.NOTEBOOKS, places.WORKBOOK))):
        return
    try:
        sources = read_sources()
        missing = [name for name in sources if not is_complete(sources[name], places.DATA / name)]
        if missing:
            fetch(missing, places.DATA, display.say)
    except FastkfError as error:
        display.failed(str(error))
