"""The command that sends a run to a Kubeflow Pipelines server."""

from pathlib import Path
from typing import Annotated

import typer

from fastkf.base.errors import UsageError
from fastkf.cli.command import command
from fastkf.cli.completion import offer_labs
from fastkf.cli.display import Display
from fastkf.cli.options import find_notebook, parse_parameters, parse_seconds
from fastkf.course import places
from fastkf.runs.model import Run, State

Host = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The server [KF_PIPELINES_ENDPOINT, Kale's configuration, or the pod's cluster].",
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A bearer token [KFP_EXISTING_TOKEN, or the one of a Kubeflow notebook].",
    ),
]
DexUser = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Sign in through Dex; password: DEX_PASSWORD, or asked for."),
]
CaFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Certificates to trust (PEM), of your own CA.")
]
Namespace = Annotated[
    str | None, typer.Option(help="Your profile's, where Kubeflow has many users [found out].")
]


@command(extra="submit")
def submit(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[NOTEBOOK|PACKAGE.yaml]",
            show_default=False,
            help="A lab's name, the path of any Kale notebook, or a compiled package.",
            autocompletion=offer_labs,
        ),
    ] = None,
    host: Host = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="A pipeline parameter."),
    ] = None,
    data_dir: Annotated[
        str | None,
        typer.Option(metavar="PLACE", help="Where the steps find the data: -p data_dir=PLACE."),
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="The container image that a notebook's steps run in.")
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(help="The experiment of the run [the notebook's, or Default].")
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="The version's name [from pipeline, time and content].")
    ] = None,
    token_file: TokenFile = None,
    dex_user: DexUser = None,
    ca_file: CaFile = None,
    namespace: Namespace = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Follow the run to its end, or leave it.")
    ] = True,
    patience: Annotated[
        float,
        typer.Option(
            parser=parse_seconds, metavar="SECONDS", help="How long to go on without a connection."
        ),
    ] = 600,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="The run's folder [runs/<name>/<time>/]."),
    ] = None,
    artifacts: Annotated[
        bool, typer.Option("--artifacts", help="Bring all files of the steps to the run's folder.")
    ] = False,
    follow: Annotated[
        str | None, typer.Option(metavar="RUN", help="Submit nothing: follow this run.")
    ] = None,
    terminate: Annotated[
        str | None, typer.Option(metavar="RUN", help="Submit nothing: end this run.")
    ] = None,
    *,
    display: Display,
) -> bool:
    """Run a notebook or a package on a Kubeflow Pipelines server, and follow it.

    Checks and compiles a notebook, uploads the package as a new version of its pipeline, starts a
    run, shows each step that ends, says why one does not begin, and fetches the metrics. The run's
    folder gets the package, run.json and report.html. Ctrl-C ends the following, not the run. The
    exit code is 0 when the run succeeded, 1 when it failed or the server did not take it.

    Examples: `fastkf submit 01_first_pipeline --host http://localhost:8080` ·
    `fastkf submit my.ipynb -p epochs=2 --image registry/steps:1 --data-dir s3://mlpipeline/datasets/my`
    """
    from fastkf.cluster import submit as cluster
    from fastkf.cluster.source import read_source
    from fastkf.cluster.target import Endpoint
    from fastkf.course.lock import read_lock
    from fastkf.course.step_image import has_data

    server = Endpoint(
        host=host, token_file=token_file, dex_user=dex_user, ca_file=ca_file, namespace=namespace
    )
    options = cluster.Options(
        home=places.RUNS,
        experiment=experiment,
        version=version,
        output=output,
        wait=wait,
        patience=patience,
        has_artifacts=artifacts,
        has_data=has_data,
    )
    named = [one for one in (target, follow, terminate) if one]
    if len(named) != 1:
        raise UsageError("name a notebook or a package; or give --follow RUN, or --terminate RUN")
    if terminate:
        cluster.terminate_run(terminate, server, display)
        return True
    run: Run | None
    if follow:
        run = cluster.follow_run(follow, server, options, display)
    else:
        path = find_notebook(named[0])
        source = read_source(
            path,
            display,
            given=parse_parameters(parameter or []),
            data_dir=data_dir,
            image=image,
            pins=read_lock(),
        )
        run = cluster.submit(source, server, options, display)
    return run is None or _show_run(run, display)  # none where nobody waits for it


def _show_run(run: Run, display: Display) -> bool:
    """Shows a run that has ended; whether it has succeeded."""
    from fastkf.cluster.logs import end_of_log

    lines = []
    for step in (part for one in run.steps for part in one.steps or (one,)):
        log = run.folder / "logs" / f"{step.name}.log"
        if step.state is State.FAILED and log.exists():
            lines.append(f"The end of the log of {step.name}:")
            lines.append(end_of_log(log.read_text(encoding="utf-8")))
    display.show_run(run, [*lines, f"Run: {run.link}"])
    return run.has_succeeded
