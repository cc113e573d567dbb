"""The command `fastkf`: a module for each group of commands."""

import sys
from typing import Annotated

try:
    import typer

    from fastkf.cli.commands import Commands
    from fastkf.cli.process import INTERRUPTED, open_streams
    from fastkf.cli.welcome import show_welcome
except ModuleNotFoundError as error:  # a Python other than the environment's
    if str(error.name).partition(".")[0] == "fastkf":
        raise
    raise SystemExit(
        f"fastkf: this Python has no {error.name}: run `make set-up` in the course's folder once, "
        "and `source .venv/bin/activate` in each terminal"
    ) from None

app = typer.Typer(
    name="fastkf",
    cls=Commands,
    help="Kale notebooks and Kubeflow pipelines on this machine: check, run, compile, compare.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

NO_COMMAND = 2  # as for every wrong use: a script that lost its words must not go on


def show_version(wanted: bool) -> None:
    if wanted:
        from fastkf.cli.diagnosis import describe_version

        print(describe_version())
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=show_version,
            is_eager=True,
            help="Show the version, and the folder of the course, if there is one.",
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        show_welcome()
        raise typer.Exit(NO_COMMAND)


def main() -> None:
    open_streams()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:  # while the shell asked what could be typed here
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:  # whoever read the output has enough
        raise SystemExit(1) from None
    except OSError as error:  # of help, which is no command, or of the last lines
        from fastkf.cli.command import report

        raise SystemExit(report(error)) from None
