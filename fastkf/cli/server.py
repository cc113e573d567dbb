"""The command for the local Kubeflow Pipelines server."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastkf.cli.command import command
from fastkf.course import places

if TYPE_CHECKING:
    from fastkf.server.settings import SharedFolder


@command(extra="server")
def server(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
    host: Annotated[
        str, typer.Option(help="Another than this one needs the token that is in the folder.")
    ] = "127.0.0.1",
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where pipelines and runs are kept.", envvar="FASTKF_SERVER"
        ),
    ] = None,
    parallel_runs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Runs at a time [as processors and memory allow]."),
    ] = None,
) -> None:
    """Serve the API of Kubeflow Pipelines on this machine, and run what is submitted.

    Kale's panel, kfp.Client and the command kfp work with it as with a Kubeflow. Pipelines and
    runs stay when it ends. Ctrl-C ends it, and the runs that go.

    Example: `fastkf server`, then `kfp --endpoint http://127.0.0.1:8080 run list`
    """
    from fastkf.base.local_server import default_folder
    from fastkf.server.main import serve
    from fastkf.server.settings import Settings, default_parallel_runs

    os.umask(0o077)  # what the server and its runs write is for this user alone
    settings = Settings(
        folder=(folder or default_folder()).resolve(),
        host=host,
        port=port,
        parallel_runs=parallel_runs or default_parallel_runs(),
        shared=shared_folders(),
    )
    serve(settings, lambda url: print(f"Kubeflow Pipelines on this machine: {url}", flush=True))


def shared_folders() -> "dict[str, SharedFolder]":
    """The data of the course, which its notebooks name as ../data, as their own folder does."""
    from fastkf.server.settings import SharedFolder

    if not places.COURSE:
        return {}
    remedy = (
        "`fastkf data` fetches those of the course; for data of your own give the whole path, "
        "which begins with /"
    )
    return {"data": SharedFolder(places.DATA, remedy)}
