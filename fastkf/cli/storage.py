"""The commands `fastkf storage ...`."""

import json
import os
import shlex
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from fastkf.cli.command import command
from fastkf.cli.commands import Subcommands
from fastkf.runs.progress import Progress

storage = typer.Typer(
    cls=Subcommands,
    help="An object store (SeaweedFS, with the API of S3) on this machine, for the labs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StoreFolder = Annotated[
    Path | None,
    typer.Option("--folder", metavar="DIR", help="The store's folder.", envvar="FASTKF_STORAGE"),
]


@storage.command("start")
@command(extra="storage", name="storage start")
def start_storage(
    folder: StoreFolder = None,
    owner: Annotated[
        int | None,
        typer.Option(
            "--while",
            metavar="PID",
            help="A store to throw away: with this process it ends, and its new folder is removed.",
        ),
    ] = None,
    *,
    display: Progress,
) -> None:
    """Start the store and wait until it answers. It goes on until `fastkf storage stop`.

    It listens on this machine only, on ports that were free. Its access keys are made at random,
    in a file that only you can read. Data and keys stay in the folder from start to start.

    Examples: `fastkf storage start` · `fastkf storage start --folder my_store`
    """
    store = open_store(folder)
    began = time.monotonic()
    if store.start(owner):
        display.done("the object store runs", time.monotonic() - began)
    else:
        display.done("the object store runs already")
    show_store(store)


@storage.command("stop")
@command(extra="storage", name="storage stop")
def stop_storage(folder: StoreFolder = None, *, display: Progress) -> None:
    """Stop the store. Its data stay, for the next start.

    Example: `fastkf storage stop`
    """
    store = open_store(folder)
    if store.stop():
        display.done("the object store has ended")
    else:
        display.say(f"no object store runs in {store.folder}")


@storage.command("status")
@command(extra="storage", name="storage status")
def show_storage(folder: StoreFolder = None) -> bool:
    """Show whether the store runs, where, and how large it is. The exit code is 1 when it does not.

    Example: `fastkf storage status`
    """
    store = open_store(folder)
    show_store(store)
    return bool(store.status().running)


@storage.command("env")
@command(extra="storage", name="storage env")
def print_environment(
    folder: StoreFolder = None,
    format: Annotated[Literal["shell", "json"], typer.Option(help="How to print.")] = "shell",
) -> None:
    """Print the running store's address and access keys, secret included, as variables.

    Pandas, s3fs, boto3 and other S3 clients read them: then `s3://BUCKET/KEY` is all they need.

    Example: `eval "$(fastkf storage env)"`
    """
    variables = open_store(folder).environment()
    if format == "json":
        print(json.dumps(variables, indent=2))
    else:
        print(*(f"export {name}={shlex.quote(text)}" for name, text in variables.items()), sep="\n")


@storage.command("copy")
@command(extra="storage", name="storage copy")
def copy_objects(
    source: str, target: str, folder: StoreFolder = None, *, display: Progress
) -> None:
    """Copy a file, or a folder and all below it, to a bucket or back.

    The bucket is made when it is missing, but on a Kubeflow: its store can be written in the bucket
    mlpipeline only. Where AWS_ENDPOINT_URL_S3 is set, that store is meant.

    Example: `fastkf storage copy data/titanic/titanic.csv s3://mlpipeline/datasets/titanic/`
    """
    from fastkf.storage.objects import copy

    for place, size in copy(connect_store(folder), source, target):
        display.done(f"{place} ({size:,} bytes)")


@storage.command("list")
@command(extra="storage", name="storage list")
def list_storage(
    url: Annotated[str, typer.Argument(metavar="[s3://BUCKET/KEY]")] = "s3://",
    folder: StoreFolder = None,
) -> None:
    """List the buckets, or the objects whose keys begin with a path, with their bytes.

    Example: `fastkf storage list s3://mlpipeline/datasets`
    """
    from fastkf.storage.objects import list_objects

    above = url.removeprefix("s3://").strip("/")
    for name, size in list_objects(connect_store(folder), url).items():
        bytes_ = f"{size:>12,}  " if above else ""
        print(f"{bytes_}s3://{'/'.join(filter(None, [above, name]))}")


def open_store(folder: Path | None):
    from fastkf.storage.store import Store, default_folder

    return Store(folder or default_folder())


def connect_store(folder: Path | None):
    """The S3 service that the environment names, else the store of the folder."""
    from fastkf.storage.objects import connect

    store = open_store(folder)
    named = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    # Variables outlive the store that they were printed for; then anybody may listen there.
    return connect({} if named and not store.had_endpoint(named) else store.environment())


def show_store(store) -> None:
    status = store.status()
    if status.running:
        state = status.endpoint or "does not answer yet; look again"
    elif status.ended:
        state = f"ended, though not by `fastkf storage stop`; see {store.folder / 'weed.log'}"
    else:
        state = "not running; start it: fastkf storage start"
    lines = [f"  endpoint     {state}"]
    if store.is_store():
        lines += [f"  access keys  {store.credentials}"]
        lines += [f"  folder       {store.folder} ({status.bytes / 1e6:.1f} MB)"]
    print("\n".join(lines))
