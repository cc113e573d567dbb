"""A source as a run on a Kubeflow Pipelines server: upload, run, result."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import kfp_server_api

from fastkf.base import clock
from fastkf.base.files import shown_path, write_text
from fastkf.cluster.errors import ClusterError, RejectedError
from fastkf.cluster.follow import NOT_FOUND, PATIENCE, DetachedError, Follower, GoneError
from fastkf.cluster.outcome import complete_run, in_order
from fastkf.cluster.source import DATA, Source, write_package
from fastkf.cluster.target import Client, Endpoint, connect
from fastkf.cluster.upload import create_run, find_experiment, upload
from fastkf.cluster.versions import check_version
from fastkf.notebook.model import Notebook
from fastkf.package import warnings
from fastkf.package.arguments import complete_arguments
from fastkf.package.containers import list_containers
from fastkf.package.model import Package
from fastkf.runs.folder import make_run_folder
from fastkf.runs.model import PipelineResult, Run, State
from fastkf.runs.progress import Progress
from fastkf.runs.record import write_run
from fastkf.runs.report import page

HasData = Callable[[str, str], bool]


@dataclass(frozen=True)
class Options:
    """How to submit and to follow; None where there is a default.

    Attributes:
        home: where the folders of runs go that are not named.
        output: the run's folder.
        has_artifacts: whether the files that the steps have made are brought to the run's folder.
        patience: seconds to go on trying without a connection.
        has_data: whether an image is known to have data in a folder.
    """

    home: Path
    experiment: str | None = None
    version: str | None = None
    output: Path | None = None
    wait: bool = True
    patience: float = PATIENCE
    has_artifacts: bool = False
    has_data: HasData = lambda image, place: False


def submit(source: Source, server: Endpoint, options: Options, progress: Progress) -> Run | None:
    """Uploads and runs; returns the run, None when it is not waited for.

    Raises:
        UsageError: no server is named, a folder that is not empty.
        FastkfError: the notebook does not compile, or the server does not take it.
        DetachedError: the run goes on, but is not followed any more.
    """
    client = connect(server)
    progress.done(f"connected to {client}, {client.connection.credentials.name}")
    with tempfile.TemporaryDirectory(prefix="fastkf-submit-") as drafts:
        file, began = Path(drafts) / "pipeline.yaml", time.monotonic()
        package = write_package(source, file)
        if source.notebook:
            progress.done(f"compiled {shown_path(source.path)}", time.monotonic() - began)
        check_version(client, package)
        for warning in _list_warnings(source, package, options.has_data, client):
            progress.warn(warning)
        if options.wait:  # nothing is kept of a run that nobody waits for
            folder = make_run_folder(source.name, options.output, options.home)
            file = Path(shutil.move(file, folder / file.name))
        run_id = _start(source, file, client, options, progress)
    if not options.wait:
        progress.say(f"Follow it: {client.command('--follow', run_id)}")
        return None
    run = Run(folder, source.name, source.title, source.parameters)
    follower = Follower(client.connection, run_id, package, options.patience, client.namespace)
    return _follow(run, follower, client, package, source.notebook, options, progress)


def follow_run(run_id: str, server: Endpoint, options: Options, progress: Progress) -> Run:
    """Follows a run that is on the server to its end.

    Raises:
        ClusterError: there is no such run, or the server cannot be asked.
        DetachedError: the run goes on, but is not followed any more.
    """
    client = connect(server)
    told = kfp_server_api.RunServiceApi(client.connection).run_service_get_run(run_id)
    package = _fetch_package(client, told)
    given = (told.runtime_config and told.runtime_config.parameters) or {}
    folder = make_run_folder(package.name, options.output, options.home)
    write_text(folder / "pipeline.yaml", package.as_yaml())
    follower = Follower(client.connection, run_id, package, options.patience, client.namespace)
    parameters = complete_arguments(package, given)  # a server tells of those given alone
    run = Run(folder, package.name, told.display_name, parameters)
    return _follow(run, follower, client, package, None, options, progress)


def terminate_run(run_id: str, server: Endpoint, progress: Progress) -> None:
    """Ends a run that is on the server.

    Raises:
        ClusterError: there is no such run, or the server cannot be asked.
    """
    client = connect(server)
    kfp_server_api.RunServiceApi(client.connection).run_service_terminate_run(run_id)
    progress.done(f"the run {run_id} is told to end")
    progress.say(f"Run: {client.link(run_id)}")


def _start(
    source: Source, package: Path, client: Client, options: Options, progress: Progress
) -> str:
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
        parameters=source.compiled_arguments,
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
    options: Options,
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

    def keep() -> Run:
        steps = tuple(in_order(follower.steps, notebook))
        going = PipelineResult(State.RUNNING, follower.run.created_at, follower.seconds, steps)
        write_run(kept := replace(run, seconds=follower.seconds, pipeline=going))
        return kept

    try:
        follower.follow(progress, keep)
    except ClusterError as end:  # what ends the following ends no run
        if follower.run is not None:
            page.write_report(keep())
        raise _say_how_on(end, run, client, follower.run_id) from end
    run, warning = complete_run(run, client, follower, package, notebook, options.has_artifacts)
    write_run(run)
    page.write_report(run)
    if warning:
        progress.warn(warning)
    return run


def _say_how_on(end: ClusterError, run: Run, client: Client, run_id: str) -> ClusterError:
    """The end of the following, with what is left to do."""
    if isinstance(end, GoneError):
        seen = shown_path(run.folder / "report.html")
        return GoneError(end.fault, f"what was seen of it: {seen}", host=end.host)
    return DetachedError(
        f"{end}\n  follow it again: {client.command('--follow', run_id)}\n"
        f"  or end it: {client.command('--terminate', run_id)}"
    )


def _fetch_package(client: Client, run) -> Package:
    """The package of a run, which came with it or is its version's."""
    spec, reference = run.pipeline_spec, run.pipeline_version_reference
    if not spec and reference:
        service = kfp_server_api.PipelineServiceApi(client.connection)
        try:
            version = service.pipeline_service_get_pipeline_version(
                reference.pipeline_id, reference.pipeline_version_id
            )
            spec = version.pipeline_spec
        except RejectedError as error:
            if error.status != NOT_FOUND:
                raise
    if not spec:
        raise ClusterError(
            f"the pipeline of the run {run.run_id} is not there any more; its steps are not known",
            f"look at the run itself: {client.link(run.run_id)}",
            host=client.connection.host,
        )
    return Package.from_spec(spec)


def _list_warnings(
    source: Source, package: Package, has_data: HasData, client: Client
) -> Iterator[str]:
    """What will not do there, as far as it is known before anything is uploaded."""
    place = source.parameters.get(DATA)
    if not client.health.is_local and isinstance(place, str) and _is_folder_here(place):
        images = {container.image for container in list_containers(package).values()}
        if lacking := sorted(image for image in images if not has_data(image, place)):
            yield (
                f"{DATA} is {place}. Steps see no folder of this machine, and nothing says that "
                f"the image {', '.join(lacking)} has that one; name a place that they can read, "
                "an object store's or one in the image: --data-dir s3://BUCKET/FOLDER"
            )
    if source.notebook:  # of which the check has told the rest
        yield from warnings.of_stores(package, source.compiled_arguments)
    else:
        yield from warnings.of_lengths(package)
        yield from warnings.of_marks(package)
        yield from warnings.of_absent(package, source.compiled_arguments, os.environ)


def _is_folder_here(place: str) -> bool:
    """Whether it is a path that only this machine can follow; no URL, nor one in an image."""
    return "://" not in place and not Path(place).is_absolute()
