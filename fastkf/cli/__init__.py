"""The command `fastkf`: a module for each group of commands."""

import sys

import typer

from fastkf.base.errors import FastkfError
from fastkf.cli import cluster, components, diagnosis, lab, labs, migrate, server, storage

app = typer.Typer(
    name="fastkf",
    help="Kubeflow labs as Kale notebooks: check, run, compile, and compare them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("list")(labs.list_labs)
for command in (
    labs.run,
    lab.lab,
    labs.compile,
    cluster.submit,
    components.train,
    labs.check,
    migrate.migrate,
    labs.test,
    components.tune,
    labs.draw,
    components.serve,
    server.server,
    labs.data,
    diagnosis.doctor,
):
    app.command()(command)
app.add_typer(storage.storage, name="storage")


def main() -> None:
    try:
        app()
    except FastkfError as error:
        print(f"fastkf: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        print(f"fastkf: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("fastkf: interrupted", file=sys.stderr)
        sys.exit(1)
