"""Runs a compiled package of container components on this machine, without Kubernetes.

The images are not used, unless Docker is asked for: each container's own command runs as a process
in its component's folder. That is the folder that has the name of the image, the last part of it:
a container of `registry/team/decision_tree:1.0` runs in `decision_tree/`, beside the package or in
another folder that is named. What images share may lie beside these folders; it is on PYTHONPATH,
as where an image says ENV PYTHONPATH. Artifacts and
parameters are passed by `kfp.local`, as Kubeflow Pipelines passes them.

Steps of Python components (Kale's too) run as they do in `fastkf run NOTEBOOK`.
"""

import shutil
from contextlib import ExitStack
from pathlib import Path

from fastkf.base.files import shown_path
from fastkf.cli.display import Display
from fastkf.course import places
from fastkf.engine.tasks import Executor, Kind
from fastkf.engine.tasks.container import ContainerTasks
from fastkf.engine.tasks.docker import DockerTasks, connect
from fastkf.engine.tasks.python import PythonTasks
from fastkf.package.arguments import complete_arguments, read_arguments
from fastkf.package.containers import find_folders, list_containers
from fastkf.package.model import Package
from fastkf.run.notebook import keep_record, run_pipeline
from fastkf.runs.folder import make_run_folder
from fastkf.runs.model import Failure
from fastkf.runs.record import new_record

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
    around = (components or path.parent).resolve()
    if docker:
        connect().close()
    folders = {} if docker else find_folders(package, containers, around)
    folder = make_run_folder(package.name, output, places.RUNS)
    shutil.copyfile(path, folder / "pipeline.yaml")
    display.done(f"{shown_path(path)}: {len(containers)} steps")
    record = _new_record(package, arguments, docker)
    display.say(record["note"])
    with keep_record(record, folder, display), ExitStack() as stack:
        executors: dict[Kind, Executor] = {}
        if docker:
            executors["python"] = executors["container"] = stack.enter_context(DockerTasks())
        else:
            if package.python_sources:
                executors["python"] = stack.enter_context(PythonTasks(around))
            executors["container"] = stack.enter_context(ContainerTasks(around, folders))
        run_pipeline(package, arguments, folder, executors, record, display, _explain)
    return record


def _new_record(package: Package, arguments: dict, docker: bool) -> dict:
    values = complete_arguments(package, arguments)
    note = IN_DOCKER if docker else AS_PROCESSES
    return {
        **new_record(package.name, package.description or package.name, values),
        "note": note + NO_KUBERNETES * bool(package.platform),
    }


def _explain(failure: Failure) -> str:
    return ": ".join(part for part in (failure.name, failure.message) if part)
