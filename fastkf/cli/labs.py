"""The commands for labs and other Kale notebooks."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from fastkf.base.errors import UsageError
from fastkf.base.outputs import check_inside
from fastkf.cli.command import command
from fastkf.cli.completion import offer_labs
from fastkf.cli.display import Display
from fastkf.cli.extras import require
from fastkf.cli.options import (
    AsJson,
    Brought,
    ConfigMaps,
    NoLimits,
    NotebookName,
    NotebookNames,
    Offline,
    Secrets,
    Tolerances,
    Volumes,
    find_notebook,
    find_notebooks,
    find_tested,
    parse_given,
    parse_parameters,
    parse_tolerance,
)
from fastkf.course import places
from fastkf.notebook.check import Finding, Severity
from fastkf.notebook.model import Notebook, read
from fastkf.runs.record import spell_run


@command()
def run(
    notebook: Annotated[
        str,
        typer.Argument(
            metavar="NOTEBOOK|PACKAGE.yaml",
            help="A lab's name, the path of any Kale notebook, or a compiled package.",
            autocompletion=offer_labs,
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
    cache: Annotated[
        bool, typer.Option("--cache", help="Take a package's unchanged steps from earlier runs.")
    ] = False,
    tolerance: Tolerances = None,
    bring: Brought = None,
    offline: Offline = False,
    secret: Secrets = None,
    config_map: ConfigMaps = None,
    volume: Volumes = None,
    no_limits: NoLimits = False,
    as_json: AsJson = False,
    *,
    display: Display,
) -> bool:
    """Run a notebook as a notebook and as a pipeline on this machine, and compare the metrics.

    The run's folder gets the executed notebook, the pipeline package, the steps' logs, run.json
    and report.html. The exit code is 0 when everything succeeded and the metrics agree. With --json
    it prints what is in run.json, and the folder.

    A compiled package (KFP v2) runs as a pipeline. Each container's command runs as a process in
    the folder that is named like its image, beside the package; with --docker, in its image. With
    --cache, a step that has run before with the same inputs need not run again, as on a cluster:
    its outputs are those of the earlier run (`fastkf cache`).

    Each step starts in a folder of its own. What its image would have there beside `data_dir`, name
    with --bring, or in the notebook's metadata: "fastkf": {"files": [...]}.

    Examples: `fastkf run 02_titanic` · `fastkf run my.ipynb -p epochs=2 --only pipeline` ·
    `fastkf run labs/custom_images/pipeline.yaml -p max_depth=3 --json`
    """
    given, path = parse_parameters(parameter or []), Path(notebook)
    more = (offline, parse_given(secret, config_map, volume, no_limits))
    if path.suffix in (".yaml", ".yml", ".json"):
        from fastkf.run.package import Options as PackageOptions
        from fastkf.run.package import run_package

        if docker:
            require("docker", "run --docker")
        if only or tolerance:
            option = "--only" if only else "--tolerance"
            raise UsageError(f"{path}: {option} is for notebooks; a package is a pipeline only")
        if bring and (docker or cache):
            option = "--docker, where images do it" if docker else "--cache, which misses it"
            raise UsageError(f"{path}: --bring does not go with {option}")
        how = PackageOptions(places.RUNS, output, components, docker, cache, bring or [], *more)
        outcome = run_package(path, given, how, display)
    else:
        from fastkf.course.data import fetch
        from fastkf.course.lock import read_lock
        from fastkf.notebook.brought import with_files
        from fastkf.run.notebook import Options, run_notebook

        if docker or components or cache:
            option = "--docker" if docker else "--components" if components else "--cache"
            raise UsageError(f"{notebook}: {option} is for packages; `fastkf compile` makes one")

        def fetch_data(names: Sequence[str]) -> None:
            fetch(names, progress=display.say)

        found = find_notebook(notebook)
        source = read(found)
        taken = with_files(source, bring or [])
        allowed = parse_tolerance(tolerance or [])
        options = Options(places.RUNS, output, only, fetch_data, read_lock(), allowed, *more)
        outcome = run_notebook(taken, given, options, display)
    if as_json:
        print(spell_run(outcome, folder=str(outcome.folder)))
    else:
        display.show_run(outcome)
    return outcome.has_succeeded


@command()
def compile(
    notebook: NotebookName,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="[<pipeline name>.yaml]"),
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="The container image that the steps run in.")
    ] = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Compile it whatever `fastkf check` finds.")
    ] = False,
) -> None:
    """Write a notebook's Kubeflow Pipelines package (KFP v2) and print its path.

    A notebook in which `fastkf check` finds an error is not compiled. The same notebook gives the
    same bytes. The packages that the steps install are pinned to the versions of the lock.

    Example: `fastkf compile 02_titanic -o titanic.yaml --image python:3.12`
    """
    from fastkf.course.lock import read_lock
    from fastkf.notebook.compile import compile_notebook

    source = read(find_notebook(notebook))
    if not unchecked:
        tell_on_stderr(source)
    package = output or name_package(source)
    print(compile_notebook(source, package, image, read_lock()))


def name_package(notebook: Notebook) -> Path:
    """Where the package goes when nobody says it: here, under a name that the notebook chooses.

    Raises:
        UsageError: a link is there, which leads out of this folder.
    """
    path = Path(f"{notebook.pipeline_name}.yaml")
    check_inside(path, Path.cwd())
    return path


def tell_on_stderr(notebook: Notebook) -> None:
    """Says what the rules find, where standard output has a place for nothing else.

    Raises:
        NotAPipelineError: the notebook is no pipeline.
    """
    from fastkf.notebook.gate import NotAPipelineError, check_tags

    findings: Sequence[Finding] = ()
    try:
        findings = check_tags(notebook)
    except NotAPipelineError as error:
        findings = error.findings
        raise
    finally:
        for finding in findings:
            if finding.severity is not Severity.NOTE:
                print(finding, file=sys.stderr)


@command(extra="test", name="test")
def run_tests(
    notebooks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NOTEBOOK|FOLDER]...",
            help="Labs' names, notebooks, folders; all labs if none.",
            autocompletion=offer_labs,
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
) -> bool:
    """Run the regression suite on notebooks: rules, outputs, package, execution, pipeline.

    Prints a line a check, and writes junit.xml and summary.html; what failed keeps its executed
    notebook, logs and report there. The exit code is 1 when a check fails.

    Examples: `fastkf test` · `fastkf test 02_titanic --quick` · `fastkf test my_folder --changed`
    """
    from fastkf.course.regression.checks import write_golden
    from fastkf.course.regression.run import run_suite

    if not notebooks and not places.COURSE:
        raise UsageError("name a notebook or a folder; there is no course here to test")
    targets = [find_tested(name) for name in notebooks or [str(places.NOTEBOOKS)]]
    if update_golden:
        for path in targets:
            for notebook in [path] if path.is_file() else sorted(path.glob("*.ipynb")):
                print(write_golden(read(notebook)))
        return True
    return run_suite(targets, quick, changed, jobs, output) == 0


@command()
def draw(notebooks: NotebookNames = None) -> None:
    """Draw the pipelines of notebooks from their tags, as images/<name>.svg beside each.

    Example: `fastkf draw 02_titanic`
    """
    from fastkf.notebook.picture import draw_picture

    for path in find_notebooks(notebooks):
        print(draw_picture(read(path)))
