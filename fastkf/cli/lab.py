"""The command `fastkf lab`."""

import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from fastkf import paths
from fastkf.cli.options import find_tested
from fastkf.display import Display
from fastkf.errors import UsageError


def lab(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FOLDER|NOTEBOOK] [-- OPTION...]",
            help="A folder of notebooks, or the lab or notebook to open; all labs if none. "
            "After --, options of JupyterLab's own.",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The Kubeflow Pipelines to use [one on this machine]."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="JupyterLab's port [8888, or a free one].")
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address to open.")
    ] = False,
    base_url: Annotated[
        str, typer.Option(metavar="PATH", help="The path behind a gateway.", envvar="NB_PREFIX")
    ] = "/",
) -> None:
    """Open notebooks in JupyterLab, where one click runs them as a pipeline.

    Starts JupyterLab with Kale's panel switched on, and `fastkf server`, to which the panel sends
    pipelines. Your own settings stay as they are. Both end together, on Ctrl-C.

    With --host, the panel sends pipelines to that Kubeflow Pipelines, with the bearer token in
    KF_PIPELINES_TOKEN, the cookies in KF_PIPELINES_COOKIES, or a Kubeflow notebook's
    service-account token, if there is one of these.

    Examples: `fastkf lab` · `fastkf lab 02_titanic` · `fastkf lab my_folder --no-browser` ·
    `fastkf lab --host http://127.0.0.1:8080`
    """
    from fastkf.lab.session import work

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    display, began = Display(), time.monotonic()
    named = bool(words) and not words[0].startswith("-")
    place = find_place(words[0]) if named else paths.NOTEBOOKS
    options = words[1:] if named else words or []

    def show(jupyter, logs: Path) -> None:
        display.done("JupyterLab and Kubeflow Pipelines answer", time.monotonic() - began)
        lines = {"JupyterLab": jupyter.page, "Pipelines": jupyter.pages, "Logs": f"{logs}/"}
        display.say("\n".join(f"  {name:<12}{text}" for name, text in lines.items()))
        display.say("Ctrl-C ends both.")

    try:
        work(place, show, host, port, base_url, not no_browser, options)
    except KeyboardInterrupt:
        display.done("JupyterLab has ended" if host else "JupyterLab and Kubeflow Pipelines ended")


def find_place(name: str) -> Path:
    """A folder of notebooks, or a notebook.

    Raises:
        UsageError: it is neither.
    """
    place = find_tested(name)
    if place.is_file() and place.suffix != ".ipynb":
        raise UsageError(f"{name}: give a notebook (.ipynb) or a folder of notebooks")
    return place.resolve()
