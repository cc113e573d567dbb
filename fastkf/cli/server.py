"""The command for the local Kubeflow Pipelines server."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastkf.base.errors import UsageError
from fastkf.cli.command import command
from fastkf.cli.options import ConfigMaps, NoLimits, Offline, Secrets, Volumes, parse_assignments
from fastkf.course import places

if TYPE_CHECKING:
    from fastkf.server.settings import SharedFolder


@command(extra="server")
def server(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
    host: Annotated[
        str, typer.Option(help="The address to listen on; another lets the network ask.")
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
    package_from: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Fetch packages by URL from here too, such as https://git.example.org.",
        ),
    ] = None,
    secret: Secrets = None,
    config_map: ConfigMaps = None,
    volume: Volumes = None,
    no_limits: NoLimits = False,
    offline: Offline = False,
    components: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Run containers' commands as processes, each in the folder named like its image.",
        ),
    ] = None,
    docker: Annotated[
        bool, typer.Option("--docker", help="Run all containers in their images.")
    ] = False,
    no_token: Annotated[
        bool, typer.Option("--no-token", help="Ask nobody for the token: in a container only.")
    ] = False,
    in_container: Annotated[
        bool,
        typer.Option(
            "--in-container", help="For --no-token: this is a container, used by one person alone."
        ),
    ] = False,
) -> None:
    """Serve the API of Kubeflow Pipelines on this machine, and run what is submitted.

    Kale's panel, kfp.Client and the command kfp work with it as with a Kubeflow. Pipelines and
    runs stay when it ends. Ctrl-C ends it, and the runs that go.

    Whoever can send it a pipeline can run programs as you, so every request carries a token. It is
    in the file `token` of the folder. `fastkf submit` and `fastkf lab` find it; a browser opens the
    address that is printed.

    Example: `fastkf server`, then `fastkf submit 01_first_pipeline --host http://127.0.0.1:8080`
    """
    from fastkf.base.local_server import default_folder
    from fastkf.server.main import serve
    from fastkf.server.provided import Provided
    from fastkf.server.settings import Settings, default_parallel_runs

    if no_token and not in_container:
        raise UsageError(
            "--no-token: whoever reaches the server could run programs as you",
            "leave it out, since fastkf, Kale and kfp find the token in the folder; in a container "
            "of one person's own, whose loopback address nobody else reaches, add --in-container",
        )
    Provided(
        parse_assignments(secret or [], "--secret"),
        parse_assignments(config_map or [], "--config-map"),
        offline,
        str(components) if components else None,
        docker,
        not no_limits,
        parse_assignments(volume or [], "--volume"),
    ).hand_on()
    os.umask(0o077)  # what the server and its runs write is for this user alone
    settings = Settings(
        folder=(folder or default_folder()).resolve(),
        host=host,
        port=port,
        parallel_runs=parallel_runs or default_parallel_runs(),
        is_open=no_token,
        package_origins=frozenset(map(_read_origin, package_from or ())),
        shared=shared_folders(),
    )
    serve(settings, lambda url, token: announce(url, token, settings.token_file))


def _read_origin(text: str) -> str:
    from fastkf.server.fetch import read_origin

    if origin := read_origin(text):
        return origin
    raise UsageError(
        f"--package-from {text}: no origin",
        "give the beginning of an address: https://HOST, https://HOST:PORT or http://HOST:PORT",
    )


def announce(url: str, token: str | None, token_file: Path) -> None:
    """Tells where the server is: a terminal gets the link for a browser, a log gets no token."""
    from fastkf.base.guard import PARAMETER

    is_shown = token and sys.stdout.isatty()
    link = f"{url}/?{PARAMETER}={token}" if is_shown else url
    print(f"Kubeflow Pipelines on this machine: {link}", flush=True)
    if token and not is_shown:
        print(f"Requests carry the token in {token_file}, browsers as ?{PARAMETER}=", flush=True)


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
