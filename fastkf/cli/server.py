"""The command for the local Kubeflow Pipelines server."""

from pathlib import Path
from typing import Annotated

import typer


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
    from fastkf.server.main import serve
    from fastkf.server.settings import Settings, default_folder, default_parallel_runs

    settings = Settings(
        folder=(folder or default_folder()).resolve(),
        host=host,
        port=port,
        parallel_runs=parallel_runs or default_parallel_runs(),
    )
    serve(settings, lambda url: print(f"Kubeflow Pipelines on this machine: {url}", flush=True))
