"""The command `fastkf lab`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from fastkf.base.errors import FastkfError, UsageError
from fastkf.cli.cluster import CaFile, DexUser, Namespace, TokenFile
from fastkf.cli.command import command
from fastkf.cli.options import find_tested
from fastkf.course import places
from fastkf.runs.progress import Progress


@command(extra="lab")
def lab(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FOLDER|NOTEBOOK] [-- OPTION...]",
            help="A folder of notebooks, or the lab or notebook to open [the first lab]. "
            "After --, options of JupyterLab's own.",
        ),
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

    With --host the panel sends pipelines to that Kubeflow Pipelines, with the same credentials as
    `fastkf submit`.

    Examples: `fastkf lab` · `fastkf lab 02_titanic` · `fastkf lab my_folder --no-browser` ·
    `fastkf lab --host http://127.0.0.1:8080`
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
    home = next(iter(places.list_labs()), Path.cwd())
    options = Options(
        place=find_place(given[0]) if has_place else home,
        server=endpoint if host else None,
        port=port,
        base_url=base_url,
        browser=not no_browser,
        jupyter=given[1:] if has_place else given,
    )

    fetch_data(options.place, display)
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


def find_place(name: str) -> Path:
    """A folder of notebooks, or a notebook.

    Raises:
        UsageError: it is neither.
    """
    place = find_tested(name)
    if place.is_file() and place.suffix != ".ipynb":
        raise UsageError(f"{name}: give a notebook (.ipynb) or a folder of notebooks")
    return place.resolve()


def fetch_data(place: Path, display: Progress) -> None:
    """Fetches what is missing of the course's data, for the course's own notebooks."""
    from fastkf.course.data import fetch, is_complete, read_sources

    if not place.is_relative_to(places.NOTEBOOKS):
        return
    try:
        sources = read_sources()
        missing = [name for name in sources if not is_complete(sources[name], places.DATA / name)]
        if missing:
            fetch(missing, places.DATA, display.say)
    except FastkfError as error:
        display.failed(str(error))
