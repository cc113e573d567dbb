"""Runs a compiled package of container components on this machine, without Kubernetes.

The images are not used, unless Docker is asked for: each container's own command runs as a process
in its component's folder. That is the folder that has the name of the image, the last part of it:
a container of `registry/team/decision_tree:1.0` runs in `decision_tree/`, beside the package or in
another folder that is named. What images share may lie beside these folders; it is on PYTHONPATH,
as where an image says ENV PYTHONPATH. Artifacts and
parameters are passed by `kfp.local`, as Kubeflow Pipelines passes them.

Steps of Python components (Kale's too) run as they do in `fastkf.engine.run`.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from fastkf.base.files import shown_path
from fastkf.cli.display import Display
from fastkf.course import places
from fastkf.engine.tasks.container import ContainerRun, in_order
from fastkf.engine.warm.parent import CAN_FORK
from fastkf.package.arguments import complete_arguments, read_arguments
from fastkf.package.containers import Container, find_folders, list_containers
from fastkf.package.model import Package
from fastkf.run.notebook import keep_record, run_pipeline
from fastkf.runs.folder import make_run_folder
from fastkf.runs.record import ended_step_record, new_record

AS_PROCESSES = (
    "The images were not used: each container's command ran as a process on this machine, with "
    "the packages that are installed here."
)
IN_DOCKER = "Each container ran in its image, with Docker."
NO_KUBERNETES = " The package's settings for Kubernetes (secrets, volumes, ...) were not used."


def run_package(
    path: Path,
    given: dict[str, str],
    display: Display,
    output: Path | None = None,
    components: Path | None = None,
    docker: bool = False,
) -> dict:
    """Runs a package and returns the content of run.json.

    Args:
        path: the compiled package.
        given: pipeline parameters, as text, that differ from the package's.
        display: where progress and results are shown.
        output: the run's folder; runs/<pipeline's name>/<time>/ when None.
        components: the folder of the components' folders; the package's own when None.
        docker: run the containers in their images, with Docker.

    Raises:
        UsageError: an unknown parameter, a value that does not fit, a folder that is not empty.
        FastkfError: it is no package that can be run here; Docker is asked for and is not here.
    """
    package = Package.read(path)
    containers = list_containers(package)
    arguments = read_arguments(package, given)
    make_run = _choose(package, containers, (components or path.parent).resolve(), docker)
    folder = make_run_folder(package.name, output, places.RUNS)
    shutil.copyfile(path, folder / "pipeline.yaml")
    display.done(f"{shown_path(path)}: {len(containers)} steps")
    record = _new_record(package, arguments, docker)
    display.say(record["note"])
    with keep_record(record, folder, display), make_run(folder.resolve()) as local_run:
        _run(local_run, package, arguments, record, display)
    return record


def _choose(
    package: Package, containers: dict[str, Container], components: Path, docker: bool
) -> Callable[[Path], ContainerRun]:
    if docker:
        from fastkf.engine.tasks.docker import DockerRun, connect

        connect().close()
        return lambda folder: DockerRun(folder, package.path, containers)
    folders = find_folders(package, containers, components)
    warm_parent = CAN_FORK and any(one.is_python for one in containers.values())
    return lambda folder: ContainerRun(folder, components, folders, warm_parent=warm_parent)


def _new_record(package: Package, arguments: dict, docker: bool) -> dict:
    values = complete_arguments(package, arguments)
    note = IN_DOCKER if docker else AS_PROCESSES
    return {
        **new_record(package.name, package.description or package.name, values),
        "note": note + NO_KUBERNETES * bool(package.platform),
    }


def _run(local_run: ContainerRun, package, arguments, record: dict, display: Display) -> None:
    try:
        run_pipeline(local_run, package.path, arguments, len(package.tasks), record, display)
    finally:
        record["pipeline"]["steps"] = [
            _step_record(local_run, task) for task in in_order(local_run.steps)
        ]
        record["pipeline"]["outputs"] = {
            name: value
            for name, value in local_run.outputs.items()
            if isinstance(value, str | int | float | bool | list | dict)
        }


def _step_record(local_run: ContainerRun, task: str) -> dict:
    step = local_run.steps[task]
    return {**ended_step_record(step, _explain(step.error)), **local_run.executions.get(task, {})}


def _explain(error: dict | None) -> str | None:
    return error and ": ".join(part for part in (error["name"], error["message"]) if part)
