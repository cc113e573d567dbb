"""Runs a compiled package of container components on this machine, without Kubernetes.

The images are not used, unless Docker is asked for: each container's own command runs as a process
in its component's folder. That is the folder that has the name of the image, the last part of it:
a container of `registry/team/decision_tree:1.0` runs in `decision_tree/`, beside the package or in
another folder that is named. What images share may lie beside these folders; it is on PYTHONPATH,
as where an image says ENV PYTHONPATH. Artifacts and parameters are passed as Kubeflow Pipelines
passes them.

Steps of Python components (Kale's too) run as they do in `fastkf run NOTEBOOK`.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fastkf.base.brought import find_named, list_files
from fastkf.base.files import shown_path
from fastkf.engine.environments import Environments
from fastkf.engine.own_places import texts_in, warn_of_shared
from fastkf.engine.placeholders import WORKSPACE
from fastkf.engine.step_folder import Provisions, texts_of
from fastkf.engine.tasks import Executor, Kind
from fastkf.engine.tasks.container import ContainerTasks
from fastkf.engine.tasks.docker import DockerTasks, check_engine
from fastkf.engine.tasks.python import PythonTasks
from fastkf.engine.volumes import check_mounts, list_claims
from fastkf.package import warnings
from fastkf.package.arguments import complete_arguments, read_arguments
from fastkf.package.asked import list_asked
from fastkf.package.containers import find_folders, list_containers, list_made
from fastkf.package.given import Given, check_given
from fastkf.package.imports import list_shared
from fastkf.package.model import Package
from fastkf.package.refusals import check_runs_here
from fastkf.package.settings import describe_settings
from fastkf.run.pipeline import run_pipeline
from fastkf.runs.cache import Store
from fastkf.runs.folder import make_run_folder
from fastkf.runs.keeper import keep
from fastkf.runs.model import Run
from fastkf.runs.problems import explain_step
from fastkf.runs.progress import Progress
from fastkf.runs.text import count

AS_PROCESSES = (
    "The images were not used: each container's command ran as a process on this machine, with "
    "the packages that are installed here."
)
BESIDE = " Others that a step asks for are in an environment of their own."
IN_DOCKER = "Each container ran in its image, with Docker."


@dataclass(frozen=True)
class Options:
    """How a package is run.

    Attributes:
        home: the folder of all runs, in which a run without `output` gets a folder of its own.
        output: the run's folder.
        components: the folder of the components' folders; the package's own when None.
        docker: whether the containers run in their images, with Docker.
        cache: whether a step may be taken from an earlier run.
        brought: files and folders beside the package that its Python steps find where they start.
        offline: nothing is fetched that is not here.
        given: what its steps take from a cluster, such as Secrets.
    """

    home: Path
    output: Path | None = None
    components: Path | None = None
    docker: bool = False
    cache: bool = False
    brought: Sequence[str] = ()
    offline: bool = False
    given: Given = field(default_factory=Given)

    @property
    def store(self) -> Store | None:
        return Store.beside(self.home) if self.cache else None


def run_package(path: Path, given: Mapping[str, str], options: Options, progress: Progress) -> Run:
    """Runs a compiled package.

    Args:
        given: pipeline parameters, as text, that differ from the package's.

    Raises:
        UsageError: an unknown parameter, a value that does not fit, a folder that is not empty.
        FastkfError: it is no package that can be run here; Docker is asked for and is not here.
    """
    package = Package.read(path)
    check_runs_here(package)
    check_given(package, options.given)
    containers = list_containers(package)
    arguments = read_arguments(package, given)
    around = (options.components or path.parent).resolve()
    brought = list_files(around, find_named(around, options.brought))
    if options.docker:
        check_engine()
    folders = {} if options.docker else find_folders(package, containers, around)
    environments = Environments(options.offline)
    if not options.docker:
        check_mounts(package, options.given)
        environments.check(list_asked(package))
    run = _prepare_run(package, arguments, options)
    shutil.copyfile(path, run.folder / "pipeline.yaml")
    _tell(f"{shown_path(path)}: {count(len(package.tasks), 'step')}", run, progress)
    _warn(package, arguments, options, progress)
    _tell_volumes(package, options.given, progress)
    explain = partial(explain_step, cells=dict.fromkeys(package.cells))
    texts, of_run = texts_of(run.parameters), tuple(texts_in(arguments))
    provisions = Provisions(around, texts, brought, given=of_run)
    with keep(run) as keeper, ExitStack() as stack:
        executors = _make_executors(
            package, provisions, around, folders, environments, options, stack
        )
        seen = WORKSPACE if options.docker else None
        start = partial(run_pipeline, workspace=seen, store=options.store, given=options.given)
        start(package, arguments, executors, keeper, progress, explain)
    return keeper.run


def _tell(what: str, run: Run, progress: Progress) -> None:
    progress.done(what)
    progress.say(run.note or "")
    for setting in run.not_applied:
        progress.warn(f"not applied here: {setting}")


def _warn(
    package: Package, arguments: Mapping[str, Any], options: Options, progress: Progress
) -> None:
    found = [*warnings.of_lengths(package), *warnings.of_marks(package)]
    if not options.docker:  # whose containers have nothing of this machine
        found += warnings.of_absent(package, arguments, os.environ)
        found += warn_of_shared(package, arguments)
    for warning in found:
        progress.warn(warning)


def _tell_volumes(package: Package, given: Given, progress: Progress) -> None:
    """Which volumes are empty at first, though on a cluster there may be something in them."""
    names = {name for name, _ in list_claims(package)} - set(given.volumes)
    for name in sorted(names - set(list_made(package))):
        progress.warn(
            f"volume {name}: a new folder of this run; to take one that is there: "
            f"--volume {name}=FOLDER"
        )


def _make_executors(
    package: Package,
    provisions: Provisions,
    around: Path,
    folders: Mapping[str, Path],
    environments: Environments,
    options: Options,
    stack: ExitStack,
) -> dict[Kind, Executor]:
    if options.docker:
        docker = stack.enter_context(DockerTasks(options.given))
        return {"python": docker, "container": docker}
    executors: dict[Kind, Executor] = {}
    if package.python_sources:
        tasks = PythonTasks(
            provisions,
            package.imports,
            environments=environments,
            given=options.given,
            shared=list_shared(package),
        )
        executors["python"] = stack.enter_context(tasks)
    containers = ContainerTasks(around, folders, options.offline, options.given, provisions.given)
    executors["container"] = stack.enter_context(containers)
    return executors


def describe_place(package: Package, docker: bool) -> str:
    """Where the steps of a package run, and with which packages."""
    if docker:
        return IN_DOCKER
    return AS_PROCESSES + (BESIDE if list_asked(package) else "")


def _prepare_run(package: Package, arguments: Mapping[str, Any], options: Options) -> Run:
    given = options.given.in_containers() if options.docker else options.given
    return Run(
        folder=make_run_folder(package.name, options.output, options.home),
        name=package.name,
        title=package.description or package.name,
        parameters=complete_arguments(package, arguments),
        note=describe_place(package, options.docker),
        not_applied=describe_settings(package, given.done),
    )
