"""A notebook or a package as a run on a Kubeflow Pipelines server: checks, upload, run, result."""

import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import kfp_server_api

from fastkf.base import clock
from fastkf.base.errors import UsageError
from fastkf.base.files import shown_path
from fastkf.cluster.errors import ClusterError
from fastkf.cluster.follow import PATIENCE, DetachedError, Follower
from fastkf.cluster.outcome import complete_run
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
from fastkf.runs.model import Run, State
from fastkf.runs.progress import Progress
from fastkf.runs.record import write_run
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


def read_notebook_source(notebook: Notebook, options: Options, progress: Progress) -> Source:
    """Checks the notebook and reads its parameters.

    Raises:
        UsageError: an unknown parameter, or a value that does not fit.
        FastkfError: the notebook is not the pipeline it looks like.
    """
    given = _with_data(notebook.path, options, notebook.parameters)
    arguments = read_parameters(notebook, given)
    check_tags(notebook, progress)
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


def submit(source: Source, server: Endpoint, options: Options, progress: Progress) -> Run | None:
    """Uploads and runs; returns the run, None when it is not waited for.

    Raises:
        UsageError: no server is named, a folder that is not empty.
        FastkfError: the notebook does not compile, or the server does not take it.
        DetachedError: the run goes on, but is not followed any more.
    """
    client = connect(server)
    progress.done(f"connected to {client}, {client.connection.credentials.name}")
    _warn_of_data(source, client, progress)
    with _folder(source, options) as folder:
        package = _make_package(source, folder, options, progress)
        run_id = _start(source, package, client, options, progress)
        if not options.wait:
            progress.say(f"Follow it: {client.command('--follow', run_id)}")
            return None
        compiled = Package.read(package)
        run = Run(folder, source.name, source.title, {**source.defaults, **source.arguments})
        follower = Follower(client.connection, run_id, compiled.steps, options.patience)
        return _follow(run, follower, client, compiled, source.notebook, progress)


def follow_run(run_id: str, server: Endpoint, options: Options, progress: Progress) -> Run:
    """Follows a run that is on the server to its end.

    Raises:
        ClusterError: there is no such run, or the server cannot be asked.
        DetachedError: the run goes on, but is not followed any more.
    """
    client = connect(server)
    told = kfp_server_api.RunServiceApi(client.connection).run_service_get_run(run_id)
    package = _fetch_package(client, told)
    parameters = (told.runtime_config and told.runtime_config.parameters) or {}
    folder = make_run_folder(package.name, options.output, places.RUNS)
    (folder / "pipeline.yaml").write_text(package.as_yaml(), encoding="utf-8")
    follower = Follower(client.connection, run_id, package.steps, options.patience)
    run = Run(folder, package.name, told.display_name, parameters)
    return _follow(run, follower, client, package, None, progress)


def terminate_run(run_id: str, server: Endpoint, progress: Progress) -> None:
    """Ends a run that is on the server.

    Raises:
        ClusterError: there is no such run, or the server cannot be asked.
    """
    client = connect(server)
    kfp_server_api.RunServiceApi(client.connection).run_service_terminate_run(run_id)
    progress.done(f"the run {run_id} is told to end")
    progress.say(f"Run: {client.link(run_id)}")


@contextmanager
def _folder(source: Source, options: Options):
    """The run's folder; one to throw away when nobody waits for the run."""
    if options.wait:
        yield make_run_folder(source.name, options.output, places.RUNS)
    else:
        with tempfile.TemporaryDirectory(prefix="fastkf-submit-") as folder:
            yield Path(folder)


def _make_package(source: Source, folder: Path, options: Options, progress: Progress) -> Path:
    package, began = folder / "pipeline.yaml", time.monotonic()
    if source.notebook:
        compile_notebook(source.notebook, package, options.image)
        progress.done(f"compiled {shown_path(source.path)}", time.monotonic() - began)
    else:
        package.write_bytes(source.path.read_bytes())
    return package


def _start(source: Source, package: Path, client: Client, options, progress: Progress) -> str:
    connection, namespace, began = client.connection, client.namespace, time.monotonic()
    version = upload(connection, package, source.pipeline, options.version, namespace)
    kind = "a new pipeline" if version.is_new_pipeline else f"version {version.name}"
    progress.done(f"uploaded {source.pipeline}: {kind}", time.monotonic() - began)
    experiment = options.experiment or source.experiment
    run_id = create_run(
        connection,
        version,
        name=f"{source.name} {datetime.now():%Y-%m-%d %H-%M-%S}",
        experiment_id=find_experiment(connection, experiment, namespace),
        parameters=_as_compiled(source),
    )
    progress.done(f"started the run {run_id} in the experiment {experiment}")
    progress.say(f"Run: {client.link(run_id)}")
    return run_id


def _follow(
    run: Run,
    follower: Follower,
    client: Client,
    package: Package,
    notebook: Notebook | None,
    progress: Progress,
) -> Run:
    run = replace(
        run,
        state=State.RUNNING,
        started=clock.now(),
        note=f"Ran on {client}.",
        link=client.link(follower.run_id),
    )
    write_run(run)
    try:
        follower.follow(progress)
    except ClusterError as end:  # what ends the following ends no run
        raise DetachedError(
            f"{end}\n  follow it again: {client.command('--follow', follower.run_id)}\n"
            f"  or end it: {client.command('--terminate', follower.run_id)}"
        ) from end
    run, warning = complete_run(run, client, follower, package, notebook)
    write_run(run)
    page.write_report(run)
    if warning:
        progress.warn(warning)
    return run


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


def _warn_of_data(source: Source, client: Client, progress: Progress) -> None:
    """A step in a container has none of this machine's folders."""
    place = {**source.defaults, **source.arguments}.get(DATA)
    is_relative = isinstance(place, str) and "://" not in place and not Path(place).is_absolute()
    if is_relative and not client.health.is_local:
        progress.warn(
            f"{DATA} is {place}: a step's container on a cluster has no such folder; name a place "
            "that it can read, an object store's or one in the image: --data-dir s3://BUCKET/FOLDER"
        )


def _as_compiled(source: Source) -> dict:
    """Kale writes the parameters of a notebook in lower case."""
    if source.notebook is None:
        return source.arguments
    return {name.lower(): value for name, value in source.arguments.items()}
