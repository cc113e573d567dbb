"""The commands for what else Kubeflow has: training, tuning, serving."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from fastkf.base.brought import find_named
from fastkf.base.errors import UsageError
from fastkf.cli.command import command
from fastkf.cli.extras import require
from fastkf.cli.options import Brought, find_notebook, parse_assignments, parse_parameters
from fastkf.notebook.model import Notebook, read
from fastkf.runs.progress import Progress


@command(extra="train")
def train(
    manifest: Annotated[
        Path, typer.Argument(metavar="JOB.yaml", help="A TrainJob with JAX, or a TFJob.")
    ],
    volume: Annotated[
        list[str] | None,
        typer.Option("--volume", metavar="NAME=FOLDER", help="The folder that is a volume here."),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME=VALUE", help="A variable for the containers."),
    ] = None,
    network: Annotated[
        Literal["private", "host"],
        typer.Option(help="A network for the replicas alone (Linux), or this machine's."),
    ] = "private",
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="The run's folder [runs/<name>/<time>/]."),
    ] = None,
    *,
    display: Progress,
) -> bool:
    """Run the replicas of a TrainJob or a TFJob as processes of this machine.

    The run's folder gets a log for each replica, the volumes, run.json, and the job with its
    status. Restart policies and limits are those of the manifest. The exit code is 0 when the job
    has succeeded.

    Example: `fastkf train labs/distributed_training/tfjob.yaml`
    """
    from fastkf.course import data, places
    from fastkf.train.job import Options, run_job

    folders = {
        name: Path(folder) for name, folder in parse_assignments(volume or [], "--volume").items()
    }
    options = Options(
        volumes=folders,
        variables=parse_assignments(env or [], "--env"),
        private=network == "private",
        output=output,
        home=places.RUNS,
    )
    run = run_job(manifest, options, display, lambda folder: data.fetch_folder(folder, display.say))
    return run.has_succeeded


@command(extra="tune")
def tune(
    target: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT.yaml|NOTEBOOK|FOLDER",
            help="A Katib Experiment; a Kale notebook; the folder of a tuning to go on with.",
        ),
    ],
    metric: Annotated[
        str | None, typer.Option(help="Of a notebook: the pipeline metric to tune.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUES", help="Of a notebook: LOW..HIGH[:log][:step=N] or A,B."),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="A value for every trial."),
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(help="random, grid, tpe, multivariate-tpe, cmaes, sobol [tpe]."),
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="How many trials [12].")] = None,
    parallel: Annotated[int | None, typer.Option(min=1, help="Trials at a time [2].")] = None,
    minimize: Annotated[
        bool, typer.Option("--minimize", help="The least value is the best.")
    ] = False,
    goal: Annotated[float | None, typer.Option(help="End when the metric gets there.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the search: random_state.")] = None,
    image: Annotated[
        str | None, typer.Option(help="In the manifest: the image of the trials.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="[runs/<name>/<time>/]")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, write the manifest, start no trial.")
    ] = False,
    bring: Brought = None,
    *,
    display: Progress,
) -> bool:
    """Tune a Katib Experiment or a Kale notebook on this machine, or go on with a tuning.

    An Experiment's own trial command runs as a process, and its `name=value` lines are read as
    Katib does. A notebook's trial is the notebook run with other pipeline parameters; the
    equivalent Experiment is written too. The result has Katib's shape. The exit code is 0 when
    the experiment succeeded, 1 when it failed or was interrupted.

    Examples: `fastkf tune labs/katib/experiment.yaml` · `fastkf tune titanic --metric cv_accuracy
    --param cv_folds=3,5,10` · `fastkf tune runs/tune_02_titanic/2026-11-24_13-40-51`
    """
    from fastkf.course import data, places
    from fastkf.tune import start
    from fastkf.tune.notebook import Search

    path = Path(target)
    options = start.Options(trials, parallel, output, dry_run, home=places.RUNS)
    if path.is_dir() or path.suffix in (".yaml", ".yml"):
        for_notebooks: dict[str, object] = {"algorithm": algorithm, "goal": goal, "image": image}
        for_notebooks |= {"minimize": minimize or None, "param": param, "parameter": parameter}
        for_notebooks |= {"metric": metric, "seed": seed, "bring": bring}
        for name, value in for_notebooks.items():
            if value not in (None, []):
                raise UsageError(f"--{name}: only for a notebook; a manifest says it itself")
        begin = start.take_up if path.is_dir() else start.tune_manifest
        return begin(path, options, display)

    def fetch(notebook: Notebook) -> None:
        data.fetch(notebook.course.needs, progress=display.say)

    notebook = read(find_notebook(target))
    search = Search(
        metric=metric,
        parameters=param or [],
        given=parse_parameters(parameter or []),
        algorithm=algorithm or Search.algorithm,
        trials=trials or Search.trials,
        parallel=parallel or Search.parallel,
        minimize=minimize,
        goal=goal,
        seed=seed,
        image=image or Search.image,
        brought=find_named(notebook.path.parent, bring or []),
    )
    return start.tune_notebook(notebook, search, options, display, fetch)


@command(extra="serve")
def serve(
    models: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL_DIR...",
            help="Folders named as their models: with model.joblib, or 1/saved_model.pb.",
        ),
    ],
    port: Annotated[
        int, typer.Option(min=0, max=65535, show_default=False, help="[a free one]")
    ] = 0,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file", metavar="FILE", help="The token that requests carry [a new one, shown]."
        ),
    ] = None,
    allow_unauthenticated: Annotated[
        bool,
        typer.Option(
            "--allow-unauthenticated",
            help="Ask for no token, on a machine that nobody else uses.",
        ),
    ] = False,
    *,
    display: Progress,
) -> None:
    """Serve models with kserve's model server, with KServe's V1 and V2 REST protocols.

    Requests carry a token, since all users of a machine reach its 127.0.0.1: as the header
    `Authorization: Bearer TOKEN`. On your own laptop, --allow-unauthenticated does without.
    Loading a .joblib or .pkl file runs the code in it: serve only files that you trust.
    Ctrl-C ends the server.

    Examples: `fastkf serve models/titanic` · `fastkf serve models/* --port 8080
    --allow-unauthenticated`
    """
    if token_file and allow_unauthenticated:
        raise UsageError("--token-file and --allow-unauthenticated are both given", "give one")
    from fastkf.serving.folders import SAVED_MODEL

    if any(place for folder in models for place in folder.glob(f"*/{SAVED_MODEL}")):
        require("serve-tf", "serve")
    from fastkf.serving.serve import Address, serve_models

    address = Address(host, port, token_file, is_open=allow_unauthenticated)
    serve_models(models, address, display)
    sys.stdout.flush()
    os._exit(0)  # Python would take seconds to dismantle TensorFlow
