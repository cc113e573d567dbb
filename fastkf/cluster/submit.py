"""A notebook or a package as a run on a Kubeflow Pipelines server: checks, upload, run, result."""

import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import kfp_server_api

from fastkf.base.errors import UsageError
from fastkf.base.files import shown_path
from fastkf.cli.display import Display
from fastkf.cluster.errors import ClusterError
from fastkf.cluster.follow import PATIENCE, DetachedError, Follower
from fastkf.cluster.logs import end_of_log
from fastkf.cluster.outcome import fill_record
from fastkf.cluster.target import Client, Endpoint, connect
from fastkf.cluster.upload import create_run, find_experiment, upload
from fastkf.course import places
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.model import Notebook
from fastkf.notebook.parameters import read_parameters
from fastkf.package.arguments import read_arguments
from fastkf.package.model import Package
from fastkf.run.notebook import check_tags
from fastkf.runs.folder import make_run_folder
from fastkf.runs.record import new_record, write_record
from fastkf.runs.report import page

DATA = "data_dir"  # the parameter of a lab that says where its data are
EXPERIMENT, NOTEBOOK_EXPERIMENT = "Default", "fast-kubeflow"


@dataclass(frozen=True)
class Options:
    """How to submit; None where there is a default.

    Attributes:
        given: pipeline parameters, as text.
        patience: seconds to go on trying without a connection.
    """

    given: dict[str, str]
    data_dir: str | None = None
    image: str | None = None
    experiment: str | None = None
    version: str | None = None
    output: Path | None = None
    wait: bool = True
    patience: float = PATIENCE


@dataclass(frozen=True)
class Source:
    """What is submitted.

    Attributes:
        name: of the run's folder and of the run.
        pipeline: the pipeline's name on the server.
        defaults: pipeline parameter to its default, where it has one.
        arguments: the parameters that are given.
        notebook: what it is compiled from; None for a package.
    """

    path: Path
    name: str
    title: str
    pipeline: str
    experiment: str
    defaults: dict
    arguments: dict
    notebook: Notebook | None = None


def read_notebook_source(notebook: Notebook, options: Options, display: Display) -> Source:
    """Checks the notebook and reads its parameters.

    Raises:
        UsageError: an unknown parameter, or a value that does not fit.
        FastkfError: the notebook is not the pipeline it looks like.
    """
    given = _with_data(notebook.path, options, notebook.parameters)
    arguments = read_parameters(notebook, given)
    check_tags(notebook, display)
    return Source(
        path=notebook.path,
        name=notebook.name,
        title=notebook.title,
        pipeline=notebook.pipeline_name,
        experiment=notebook.kale.get("experiment_name") or NOTEBOOK_EXPERIMENT,
        defaults=notebook.parameters,
        arguments=arguments,
        notebook=notebook,
    )


def read_package_source(path: Path, options: Options) -> Source:
    """Reads the package and its parameters.

    Raises:
        UsageError: an unknown parameter, or a value that does not fit.
        FastkfError: it is no package.
    """
    if options.image:
        raise UsageError(f"{path}: --image is for notebooks", "a package names its images itself")
    package = Package.read(path)
    return Source(
        path=path,
        name=package.name,
        title=package.description or package.name,
        pipeline=package.name,
        experiment=EXPERIMENT,
        defaults=package.defaults,
        arguments=read_arguments(package, _with_data(path, options, package.parameters)),
    )


def submit(source: Source, server: Endpoint, options: Options, display: Display) -> dict | None:
    """Uploads and runs; returns the record of the run, None when it is not waited for.

    Raises:
        UsageError: no server is named, a folder that is not empty.
        FastkfError: the notebook does not compile, or the server does not take it.
        DetachedError: the run goes on, but is not followed any more.
    """
    client = connect(server)
    display.done(f"connected to {client}, {client.connection.credentials.name}")
    _warn_of_data(source, client, display)
    with _folder(source, options) as folder:
        package = _make_package(source, folder, options, display)
        run_id = _start(source, package, client, options, display)
        if not options.wait:
            display.say(f"Follow it: {client.command('--follow', run_id)}")
            return None
        compiled = Package.read(package)
        parameters = {**source.defaults, **source.arguments}
        record = new_record(source.name, source.title, parameters)
        follower = Follower(client.connection, run_id, compiled.steps, options.patience)
        _follow(follower, client, compiled, source.notebook, record, folder, display)
    return record


def follow_run(run_id: str, server: Endpoint, options: Options, display: Display) -> dict:
    """Follows a run that is on the server; returns its record.

    Raises:
        ClusterError: there is no such run, or the server cannot be asked.
        DetachedError: the run goes on, but is not followed any more.
    """
    client = connect(server)
    run = kfp_server_api.RunServiceApi(client.connection).run_service_get_run(run_id)
    package = _fetch_package(client, run)
    parameters = (run.runtime_config and run.runtime_config.parameters) or {}
    record = new_record(package.name, run.display_name, parameters)
    folder = make_run_folder(record["name"], options.output, places.RUNS)
    (folder / "pipeline.yaml").write_text(package.as_yaml(), encoding="utf-8")
    follower = Follower(client.connection, run_id, package.steps, options.patience)
    _follow(follower, client, package, None, record, folder, display)
    return record


def terminate_run(run_id: str, server: Endpoint, display: Display) -> None:
    """Ends a run that is on the server.

    Raises:
        ClusterError: there is no such run, or the server cannot be asked.
    """
    client = connect(server)
    kfp_server_api.RunServiceApi(client.connection).run_service_terminate_run(run_id)
    display.done(f"the run {run_id} is told to end")
    display.say(f"Run: {client.link(run_id)}")


@contextmanager
def _folder(source: Source, options: Options):
    """The run's folder; one to throw away when nobody waits for the run."""
    if options.wait:
        yield make_run_folder(source.name, options.output, places.RUNS)
    else:
        with tempfile.TemporaryDirectory(prefix="fastkf-submit-") as folder:
            yield Path(folder)


def _make_package(source: Source, folder: Path, options: Options, display: Display) -> Path:
    package, began = folder / "pipeline.yaml", time.monotonic()
    if source.notebook:
        compile_notebook(source.notebook, package, options.image)
        display.done(f"compiled {shown_path(source.path)}", time.monotonic() - began)
    else:
        package.write_bytes(source.path.read_bytes())
    return package


def _start(source: Source, package: Path, client: Client, options, display: Display) -> str:
    connection, namespace, began = client.connection, client.namespace, time.monotonic()
    version = upload(connection, package, source.pipeline, options.version, namespace)
    kind = "a new pipeline" if version.is_new_pipeline else f"version {version.name}"
    display.done(f"uploaded {source.pipeline}: {kind}", time.monotonic() - began)
    experiment = options.experiment or source.experiment
    run_id = create_run(
        connection,
        version,
        name=f"{source.name} {datetime.now():%Y-%m-%d %H-%M-%S}",
        experiment_id=find_experiment(connection, experiment, namespace),
        parameters=_as_compiled(source),
    )
    display.done(f"started the run {run_id} in the experiment {experiment}")
    display.say(f"Run: {client.link(run_id)}")
    return run_id


def _follow(follower, client: Client, package, notebook, record, folder, display) -> None:
    record |= {
        "status": "running",
        "note": f"Ran on {client}.",
        "link": client.link(follower.run_id),
    }
    write_record(folder, record)
    try:
        follower.follow(display)
    except ClusterError as end:  # what ends the following ends no run
        raise DetachedError(
            f"{end}\n  follow it again: {client.command('--follow', follower.run_id)}\n"
            f"  or end it: {client.command('--terminate', follower.run_id)}"
        ) from end
    fill_record(record, client, follower, package, notebook, folder)
    write_record(folder, record)
    page.write_report(folder)
    display.show_summary(record, shown_path(folder))
    _show_rest(record, folder, display)


def _show_rest(record: dict, folder: Path, display: Display) -> None:
    for step in record["pipeline"]["steps"]:
        log = folder / "logs" / f"{step['name']}.log"
        if step["status"] == "failed" and log.exists():
            display.say(f"The end of the log of {step['name']}:")
            display.say(end_of_log(log.read_text(encoding="utf-8")))
    if "cannot be read" in record["note"]:
        display.warn(record["note"])
    display.say(f"Run: {record['link']}")


def _fetch_package(client: Client, run) -> Package:
    """The package of a run, which came with it or is its version's."""
    spec, reference = run.pipeline_spec, run.pipeline_version_reference
    if not spec and reference:
        service = kfp_server_api.PipelineServiceApi(client.connection)
        version = service.pipeline_service_get_pipeline_version(
            reference.pipeline_id, reference.pipeline_version_id
        )
        spec = version.pipeline_spec
    if not spec:
        raise ClusterError(
            f"the pipeline of the run {run.run_id} is not there any more",
            host=client.connection.host,
        )
    return Package.from_spec(spec)


def _with_data(path: Path, options: Options, parameters: dict) -> dict[str, str]:
    """The given parameters with the data's location."""
    if options.data_dir is None:
        return options.given
    if DATA not in parameters:
        known = ", ".join(parameters) or "none"
        raise UsageError(f"{path}: no parameter {DATA} for --data-dir", f"its parameters: {known}")
    if DATA in options.given:
        raise UsageError(f"--data-dir and -p {DATA}=...: give one of them")
    return {**options.given, DATA: options.data_dir}


def _warn_of_data(source: Source, client: Client, display: Display) -> None:
    """A step in a container has none of this machine's folders."""
    place = {**source.defaults, **source.arguments}.get(DATA)
    is_relative = isinstance(place, str) and "://" not in place and not Path(place).is_absolute()
    if is_relative and not client.health.is_local:
        display.warn(
            f"{DATA} is {place}: a step's container on a cluster has no such folder; name a place "
            "that it can read, an object store's or one in the image: --data-dir s3://BUCKET/FOLDER"
        )


def _as_compiled(source: Source) -> dict:
    """Kale writes the parameters of a notebook in lower case."""
    if source.notebook is None:
        return source.arguments
    return {name.lower(): value for name, value in source.arguments.items()}
