"""The commands for labs and other Kale notebooks."""

import json
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from fastkf.base.errors import UsageError
from fastkf.cli.display import Display
from fastkf.cli.options import (
    NotebookName,
    NotebookNames,
    chosen,
    find_notebook,
    find_tested,
    lab_paths,
    parse_parameters,
)
from fastkf.course import places
from fastkf.notebook.model import Notebook, read


def list_labs() -> None:
    """Show the labs: title, steps, what they need, typical time.

    Example: `fastkf list`
    """
    table = Table("lab", "title", "steps", "data", "minutes")
    table.columns[0].min_width = max(len(path.stem) for path in lab_paths())  # to be typed whole
    for path in lab_paths():
        lab = read(path)
        needs = ", ".join(lab.course.needs) or "–"
        minutes = str(lab.course.minutes or "–")
        table.add_row(lab.name, lab.title, str(len(lab.steps)), needs, minutes)
    Display().console.print(table)


def run(
    notebook: Annotated[
        str,
        typer.Argument(
            metavar="NOTEBOOK|PACKAGE.yaml",
            help="A lab's name, the path of any Kale notebook, or a compiled package.",
        ),
    ],
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="A pipeline parameter."),
    ] = None,
    only: Annotated[
        Literal["notebook", "pipeline"] | None, typer.Option(help="Leave the other one out.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="The run's folder [runs/<name>/<time>/]."),
    ] = None,
    components: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where a package's components are [its own folder]."),
    ] = None,
    docker: Annotated[
        bool, typer.Option("--docker", help="Run a package's containers in their images.")
    ] = False,
) -> None:
    """Run a notebook as a notebook and as a pipeline on this machine, and compare the metrics.

    The run's folder gets the executed notebook, the pipeline package, the steps' logs, run.json
    and report.html. The exit code is 0 when everything succeeded and the metrics agree.

    A compiled package (KFP v2) runs as a pipeline. Each container's command runs as a process in
    the folder that is named like its image, beside the package; with --docker, in its image.

    Examples: `fastkf run 02_titanic` · `fastkf run my.ipynb -p epochs=2 --only pipeline` ·
    `fastkf run labs/custom_images/pipeline.yaml -p max_depth=3`
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    given, path = parse_parameters(parameter or []), Path(notebook)
    if path.suffix in (".yaml", ".yml"):
        from fastkf.run.package import run_package

        if only:
            raise UsageError(f"{path}: --only is for notebooks; a package is a pipeline only")
        record = run_package(path, given, Display(), output, components, docker)
    else:
        from fastkf.run.notebook import run_notebook

        if docker or components:
            option = "--docker" if docker else "--components"
            raise UsageError(f"{notebook}: {option} is for packages; `fastkf compile` makes one")
        record = run_notebook(read(find_notebook(notebook)), given, Display(), only, output)
    raise typer.Exit(0 if record["status"] == "succeeded" else 1)


def compile(
    notebook: NotebookName,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="[<pipeline name>.yaml]"),
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="The container image that the steps run in.")
    ] = None,
) -> None:
    """Write a notebook's Kubeflow Pipelines package (KFP v2) and print its path.

    The same notebook gives the same bytes. The packages that the steps install are pinned to the
    versions of the lock.

    Example: `fastkf compile 02_titanic -o titanic.yaml --image python:3.12`
    """
    from fastkf.notebook.compile import compile_notebook

    source = read(find_notebook(notebook))
    print(compile_notebook(source, output or Path(f"{source.pipeline_name}.yaml"), image))


def check(
    notebooks: NotebookNames = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="How to print.")] = "text",
) -> None:
    """Check the tags, imports, parameters and metrics of notebooks against what Kale honours.

    A finding names the file, the cell (counted from 1, text cells too), the rule, and what to do.
    The exit code is 1 when there are any.

    Examples: `fastkf check` · `fastkf check my.ipynb --format json`
    """
    from fastkf.notebook.check import check as check_notebook

    findings = [finding for path in chosen(notebooks) for finding in check_notebook(read(path))]
    if format == "json":
        print(json.dumps([{**asdict(f), "path": str(f.path)} for f in findings], indent=2))
    else:
        for finding in findings:
            print(finding)
        if not findings:
            Display().done(f"{len(chosen(notebooks))} notebooks, no findings")
    raise typer.Exit(1 if findings else 0)


def test(
    notebooks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NOTEBOOK|FOLDER]...",
            help="Labs' names, notebooks, folders; all labs if none.",
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave the long checks out.")] = False,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only what has changed since it last passed.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Checks at a time [as processors and memory allow].")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="[runs/regression/<time>/]"),
    ] = None,
    update_golden: Annotated[
        bool, typer.Option("--update-golden", help="Take the pipelines as they are now as right.")
    ] = False,
) -> None:
    """Run the regression suite on notebooks: rules, outputs, package, execution, pipeline.

    Prints a line a check, and writes junit.xml and summary.html; what failed keeps its executed
    notebook, logs and report there. The exit code is 1 when a check fails.

    Examples: `fastkf test` · `fastkf test 02_titanic --quick` · `fastkf test my_folder --changed`
    """
    from fastkf.course.regression.plugin import run_suite, write_golden

    targets = [find_tested(name) for name in notebooks or [str(places.NOTEBOOKS)]]
    if update_golden:
        for path in targets:
            for notebook in [path] if path.is_file() else sorted(path.glob("*.ipynb")):
                print(write_golden(read(notebook)))
        return
    raise typer.Exit(run_suite(targets, quick, changed, jobs, output))


def draw(notebooks: NotebookNames = None) -> None:
    """Draw the pipelines of notebooks from their tags, as images/<name>.svg beside each.

    Example: `fastkf draw 02_titanic`
    """
    for path in chosen(notebooks):
        print(draw_picture(read(path)))


def data(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Data sets; all when none.")
    ] = None,
) -> None:
    """Fetch the data sets of the labs and verify them by hash.

    Example: `fastkf data titanic`
    """
    from fastkf.course.data import fetch, read_sources

    known = read_sources()
    if unknown := set(names or []) - set(known):
        raise UsageError(f"no data set {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    fetch(names or None, progress=Display().say)


def draw_picture(notebook: Notebook) -> Path:
    from fastkf.runs.drawing.layout import draw_pipeline

    picture = notebook.path.parent / "images" / f"{notebook.name}.svg"
    picture.parent.mkdir(exist_ok=True)
    picture.write_text(draw_pipeline(notebook.dependencies, title=notebook.title))
    return picture
