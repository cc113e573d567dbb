"""The command `fastkf`."""

import json
import os
import shlex
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from fastkf import paths
from fastkf.display import Display
from fastkf.errors import FastkfError, UsageError
from fastkf.notebook import Notebook, read

app = typer.Typer(
    name="fastkf",
    help="Kubeflow labs as Kale notebooks: check, run, compile, and compare them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

NotebookName = Annotated[
    str, typer.Argument(metavar="NOTEBOOK", help="A lab's name, or the path of any Kale notebook.")
]
NotebookNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NOTEBOOK]...", help="Labs' names or paths; every lab when none."),
]


@app.command("list")
def list_labs() -> None:
    """Show the labs: title, steps, what they need, typical time.

    Example: `fastkf list`
    """
    table = Table("lab", "title", "steps", "data", "minutes")
    table.columns[0].min_width = max(len(path.stem) for path in lab_paths())  # to be typed whole
    for path in lab_paths():
        lab = read(path)
        needs = ", ".join(lab.course.get("needs", [])) or "–"
        minutes = str(lab.course.get("minutes", "–"))
        table.add_row(lab.name, lab.title, str(len(lab.steps)), needs, minutes)
    Display().console.print(table)


@app.command()
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
        from fastkf.containers import run_package

        if only:
            raise UsageError(f"{path}: --only is for notebooks; a package is a pipeline only")
        record = run_package(path, given, Display(), output, components, docker)
    else:
        from fastkf.run import run_notebook

        if docker or components:
            option = "--docker" if docker else "--components"
            raise UsageError(f"{notebook}: {option} is for packages; `fastkf compile` makes one")
        record = run_notebook(read(find_notebook(notebook)), given, Display(), only, output)
    raise typer.Exit(0 if record["status"] == "succeeded" else 1)


@app.command()
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
    from fastkf.compile import compile_notebook

    source = read(find_notebook(notebook))
    print(compile_notebook(source, output or Path(f"{source.pipeline_name}.yaml"), image))


@app.command()
def train(
    manifest: Annotated[Path, typer.Argument(metavar="TFJOB.yaml", help="A TFJob's manifest.")],
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
) -> None:
    """Run the replicas of a TFJob as processes of this machine, each with its TF_CONFIG.

    The run's folder gets a log for each replica, the volumes, run.json, and the TFJob with its
    status. Restart policies and limits are those of the manifest. The exit code is 0 when the job
    has succeeded.

    Example: `fastkf train labs/distributed_training/tfjob.yaml`
    """
    from fastkf.train import run_job

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folders = {
        name: Path(folder) for name, folder in parse_assignments(volume or [], "--volume").items()
    }
    variables = parse_assignments(env or [], "--env")
    record = run_job(manifest, Display(), folders, variables, output, network == "private")
    raise typer.Exit(0 if record["status"] == "succeeded" else 1)


@app.command()
def check(
    notebooks: NotebookNames = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="How to print.")] = "text",
) -> None:
    """Check the tags, imports, parameters and metrics of notebooks against what Kale honours.

    A finding names the file, the cell (counted from 1, text cells too), the rule, and what to do.
    The exit code is 1 when there are any.

    Examples: `fastkf check` · `fastkf check my.ipynb --format json`
    """
    from fastkf.check import check as check_notebook

    findings = [finding for path in chosen(notebooks) for finding in check_notebook(read(path))]
    if format == "json":
        print(json.dumps([{**asdict(f), "path": str(f.path)} for f in findings], indent=2))
    else:
        for finding in findings:
            print(finding)
        if not findings:
            Display().done(f"{len(chosen(notebooks))} notebooks, no findings")
    raise typer.Exit(1 if findings else 0)


@app.command()
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
    from fastkf.regression import run_suite, write_golden

    targets = [find_tested(name) for name in notebooks or [str(paths.NOTEBOOKS)]]
    if update_golden:
        for path in targets:
            for notebook in [path] if path.is_file() else sorted(path.glob("*.ipynb")):
                print(write_golden(read(notebook)))
        return
    raise typer.Exit(run_suite(targets, quick, changed, jobs, output))


@app.command()
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
) -> None:
    """Tune a Katib Experiment or a Kale notebook on this machine, or go on with a tuning.

    An Experiment's own trial command runs as a process, and its `name=value` lines are read as
    Katib does. A notebook's trial is the notebook run with other pipeline parameters; the
    equivalent Experiment is written too. The result has Katib's shape. The exit code is 0 when
    the experiment succeeded, 1 when it failed or was interrupted.

    Examples: `fastkf tune labs/katib/experiment.yaml` · `fastkf tune titanic --metric cv_accuracy
    --param cv_folds=3,5,10` · `fastkf tune runs/tune_02_titanic/2026-11-24_13-40-51`
    """
    from fastkf.tune import start
    from fastkf.tune.notebook import Search

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    path, display = Path(target), Display()
    options = start.Options(trials, parallel, output, dry_run)
    choices = {"algorithm": algorithm, "minimize": minimize or None, "goal": goal, "seed": seed}
    choices |= {"image": image, "trials": trials, "parallel": parallel}
    choices = {key: value for key, value in choices.items() if value is not None}
    if path.is_dir() or path.suffix in (".yaml", ".yml"):
        asked = choices.keys() - {"trials", "parallel"}
        asked |= (
            {"metric"} if metric else {"param"} if param else {"parameter"} if parameter else set()
        )
        if asked:
            raise UsageError(f"--{min(asked)}: only for a notebook; a manifest says it itself")
        begin = start.take_up if path.is_dir() else start.tune_manifest
        succeeded = begin(path, options, display)
    else:
        search = Search(metric, param or [], parse_parameters(parameter or []), **choices)
        succeeded = start.tune_notebook(read(find_notebook(target)), search, options, display)
    raise typer.Exit(0 if succeeded else 1)


@app.command()
def draw(notebooks: NotebookNames = None) -> None:
    """Draw the pipelines of notebooks from their tags, as images/<name>.svg beside each.

    Example: `fastkf draw 02_titanic`
    """
    for path in chosen(notebooks):
        print(draw_picture(read(path)))


@app.command()
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
) -> None:
    """Serve models with kserve's model server, with KServe's V1 and V2 REST protocols.

    Loading a .joblib or .pkl file runs the code in it: serve only files that you trust.
    Ctrl-C ends the server.

    Examples: `fastkf serve models/titanic` · `fastkf serve models/* --port 8080`
    """
    from fastkf.serve import serve_models

    serve_models(models, host, port, Display())
    sys.stdout.flush()
    os._exit(0)  # Python would take seconds to dismantle TensorFlow


@app.command()
def data(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Data sets; all when none.")
    ] = None,
) -> None:
    """Fetch the data sets of the labs and verify them by hash.

    Example: `fastkf data titanic`
    """
    from fastkf.data import fetch, read_sources

    known = read_sources()
    if unknown := set(names or []) - set(known):
        raise UsageError(f"no data set {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    fetch(names or None, progress=Display().say)


storage = typer.Typer(
    help="An object store (SeaweedFS, with the API of S3) on this machine, for the labs.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(storage, name="storage")
StoreFolder = Annotated[
    Path | None,
    typer.Option("--folder", metavar="DIR", help="The store's folder.", envvar="FASTKF_STORAGE"),
]


@storage.command("start")
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
) -> None:
    """Start the store and wait until it answers. It goes on until `fastkf storage stop`.

    It listens on this machine only, on ports that were free. Its access keys are made at random,
    in a file that only you can read. Data and keys stay in the folder from start to start.

    Examples: `fastkf storage start` · `fastkf storage start --folder my_store`
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    store = open_store(folder)
    began = time.monotonic()
    if store.start(owner):
        Display().done("the object store runs", time.monotonic() - began)
    else:
        Display().done("the object store runs already")
    show_store(store)


@storage.command("stop")
def stop_storage(folder: StoreFolder = None) -> None:
    """Stop the store. Its data stay, for the next start.

    SeaweedFS takes some 15 seconds to close everything.

    Example: `fastkf storage stop`
    """
    store = open_store(folder)
    if store.find_server() and not store.is_temporary:
        Display().say("closing the object store; SeaweedFS takes some 15 seconds")
    if store.stop():
        Display().done("the object store has ended")
    else:
        Display().say(f"no object store runs in {store.folder}")


@storage.command("status")
def show_storage(folder: StoreFolder = None) -> None:
    """Show whether the store runs, where, and how large it is. The exit code is 1 when it does not.

    Example: `fastkf storage status`
    """
    store = open_store(folder)
    show_store(store)
    raise typer.Exit(0 if store.status().running else 1)


@storage.command("env")
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
def copy_objects(source: str, target: str, folder: StoreFolder = None) -> None:
    """Copy a file, or a folder and all below it, to a bucket or back.

    The bucket is made when it is missing. Where AWS_ENDPOINT_URL_S3 is set, that store is meant.

    Example: `fastkf storage copy data/titanic/titanic.csv s3://datasets/titanic/`
    """
    from rich.markup import escape

    from fastkf.storage.objects import copy

    for place, size in copy(connect_store(folder), source, target):
        Display().done(f"{escape(place)} ({size:,} bytes)")


@storage.command("list")
def list_storage(
    url: Annotated[str, typer.Argument(metavar="[s3://BUCKET/KEY]")] = "s3://",
    folder: StoreFolder = None,
) -> None:
    """List the buckets, or the objects whose keys begin with a path, with their bytes.

    Example: `fastkf storage list s3://datasets`
    """
    from fastkf.storage.objects import list_objects

    above = url.removeprefix("s3://").strip("/")
    for name, size in list_objects(connect_store(folder), url).items():
        bytes_ = f"{size:>12,}  " if above else ""
        print(f"{bytes_}s3://{'/'.join(filter(None, [above, name]))}")


@app.command()
def doctor() -> None:
    """Say what on this machine is ready for the labs and what is not, with the remedy.

    Example: `fastkf doctor`
    """
    from fastkf.doctor import diagnose

    display, healthy = Display(), True
    for result in diagnose():
        healthy = healthy and result.ok is not False
        if result.ok:
            display.done(f"{result.name}: {result.detail}")
        else:
            mark = "[red]✗[/]" if result.ok is False else "[yellow]–[/]"
            display.say(f"{mark} {result.name}: {result.detail}\n  → {result.remedy}")
    raise typer.Exit(0 if healthy else 1)


def open_store(folder: Path | None):
    from fastkf.storage.store import Store, default_folder

    return Store(folder or default_folder())


def connect_store(folder: Path | None):
    """The S3 service that the environment names, else the store of the folder."""
    from fastkf.storage.objects import connect

    named = {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"} & set(os.environ)
    return connect({} if named else open_store(folder).environment())


def show_store(store) -> None:
    status = store.status()
    if status.running:
        state = status.endpoint
    elif status.ended:
        state = f"ended, though not by `fastkf storage stop`; see {store.folder / 'weed.log'}"
    else:
        state = "not running; start it: fastkf storage start"
    lines = [f"  endpoint     {state}"]
    if store.is_store():
        lines += [f"  access keys  {store.credentials}"]
        lines += [f"  folder       {store.folder} ({status.bytes / 1e6:.1f} MB)"]
    print("\n".join(lines))


def lab_paths() -> list[Path]:
    return sorted(paths.NOTEBOOKS.glob("[0-9]*.ipynb"))


def chosen(names: list[str] | None) -> list[Path]:
    return [find_notebook(name) for name in names] if names else lab_paths()


def find_notebook(name: str) -> Path:
    """The path of a lab, by its name (02_titanic, titanic), or of any notebook, by its path.

    Raises:
        UsageError: there is neither.
    """
    path = Path(name)
    if path.suffix or path.exists():
        return path
    labs = [lab for lab in lab_paths() if name in (lab.stem, lab.stem.split("_", 1)[-1])]
    if len(labs) != 1:
        known = ", ".join(lab.stem for lab in lab_paths())
        raise UsageError(f"{name}: no such lab or notebook; the labs: {known}")
    return labs[0]


def find_tested(name: str) -> Path:
    """A folder of notebooks, or what `find_notebook` finds.

    Raises:
        UsageError: there is no such thing.
    """
    path = Path(name) if Path(name).is_dir() else find_notebook(name)
    if not path.exists():
        raise UsageError(f"{name}: no such notebook or folder")
    return path


def parse_parameters(words: list[str]) -> dict[str, str]:
    """NAME=VALUE words as a dictionary.

    Raises:
        UsageError: a word is of another form.
    """
    parameters = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name.isidentifier() and equals):
            raise UsageError(f"-p {word}: give a parameter as NAME=VALUE")
        parameters[name] = value
    return parameters


def parse_assignments(words: list[str], option: str) -> dict[str, str]:
    """NAME=VALUE words of an option as a dictionary.

    Raises:
        UsageError: a word is of another form.
    """
    pairs = [word.partition("=") for word in words]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise UsageError(f"{option} {name}{equals}{value}: give it as NAME=VALUE")
    return {name: value for name, _, value in pairs}


def draw_picture(notebook: Notebook) -> Path:
    from fastkf.drawing import draw_pipeline

    picture = notebook.path.parent / "images" / f"{notebook.name}.svg"
    picture.parent.mkdir(exist_ok=True)
    picture.write_text(draw_pipeline(notebook.dependencies, title=notebook.title))
    return picture


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


if __name__ == "__main__":
    main()
