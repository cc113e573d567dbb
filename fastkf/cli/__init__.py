"""The command `fastkf`: a module for each group of commands."""

from typing import Annotated

import typer

from fastkf.cli import (
    checks,
    cluster,
    components,
    diagnosis,
    lab,
    labs,
    migrate,
    runs,
    server,
    storage,
)
from fastkf.cli.process import open_streams

app = typer.Typer(
    name="fastkf",
    help="Kale notebooks and Kubeflow pipelines on this machine: check, run, compile, compare.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def start(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=diagnosis.show_version,
            is_eager=True,
            help="Show the version, and the folder of the course, if there is one.",
        ),
    ] = False,
) -> None:
    pass


app.command("list")(labs.list_labs)
for function in (
    labs.run,
    runs.compare,
    lab.lab,
    labs.compile,
    cluster.submit,
    components.train,
    checks.check,
    checks.explain,
    checks.suggest,
    migrate.migrate,
):
    app.command()(function)
app.command("test")(labs.run_tests)
for function in (
    components.tune,
    labs.draw,
    components.serve,
    server.server,
    labs.data,
    diagnosis.doctor,
):
    app.command()(function)
app.command("open")(runs.open_report)
app.command()(runs.clean)
app.add_typer(storage.storage, name="storage")


def main() -> None:
    open_streams()
    app()
