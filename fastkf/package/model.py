"""A compiled Kubeflow Pipelines package (IR YAML of KFP v2) as plain data. Reads, never runs."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from fastkf.base.errors import FastkfError, UsageError
from fastkf.run.notebook import read_value

REQUIRED = object()
KINDS = {
    "NUMBER_INTEGER": int,
    "NUMBER_DOUBLE": float,
    "STRING": str,
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
}


@dataclass(frozen=True)
class Container:
    """What a task runs: a container of an image.

    Attributes:
        has_command: whether it has a command of its own instead of the image's entrypoint.
        is_python: whether KFP's executor runs in it (`@dsl.component`), as in Kale's steps.
    """

    image: str
    has_command: bool
    is_python: bool


@dataclass(frozen=True)
class Package:
    """A package whose tasks can be walked.

    Attributes:
        parameters: pipeline parameter to its type and its default, or REQUIRED.
        containers: task to its container.
        has_platform_settings: whether it has settings for Kubernetes (secrets, volumes, ...).
    """

    path: Path
    name: str
    description: str
    parameters: dict[str, tuple[type, object]]
    containers: dict[str, Container]
    has_platform_settings: bool


def read_package(path: Path, walk: bool = True) -> Package:
    """Reads a package.

    Args:
        walk: whether its tasks are to be run here; else anything is fine that KFP knows, and
            `containers` stays empty.

    Raises:
        UsageError: there is no such file.
        FastkfError: it is no package, or one with a construct that is not run here.
    """
    documents = _read_yaml(path)
    spec = _parse(path)
    if walk:
        _check(path, spec)
    return Package(
        path=path,
        name=spec.pipeline_info.name,
        description=spec.pipeline_info.description,
        parameters=_read_parameters(spec),
        containers={task: _read_container(spec, task) for task in spec.root.dag.tasks if walk},
        has_platform_settings=len(documents) > 1,
    )


def read_arguments(package: Package, given: dict[str, str]) -> dict:
    """The given values in the types of the pipeline's parameters.

    Raises:
        UsageError: an unknown parameter, a value of another type, or a missing one.
    """
    arguments = {}
    for name, text in given.items():
        if name not in package.parameters:
            known = ", ".join(package.parameters) or "none"
            raise UsageError(f"{package.path}: no parameter {name}; its parameters: {known}")
        arguments[name] = read_value(package.path, name, text, package.parameters[name][0])
    for name, (_, default) in package.parameters.items():
        if default is REQUIRED and name not in arguments:
            raise UsageError(f"{package.path}: parameter {name} has no default; give -p {name}=...")
    return arguments


def find_folders(package: Package, components: Path) -> dict[str, Path]:
    """The folder of each image's component, in the folder `components`, named like the image.

    Raises:
        FastkfError: there is no such folder.
    """
    folders = {}
    for task, container in package.containers.items():
        if not container.is_python:
            name = image_name(container.image)
            folder = components / name
            if not name or not folder.is_dir():
                raise FastkfError(
                    f"{package.path}: task {task}: no folder {name!r} in {components} for the "
                    f"image {container.image}; without --docker, a container's command runs in the "
                    "folder that is named like its image. --components names the folder of these "
                    "folders"
                )
            if not container.has_command:
                raise FastkfError(
                    f"{package.path}: task {task} has no command of its own, only its image "
                    f"{container.image} knows it; give the component a command, or use --docker"
                )
            folders[container.image] = folder
    return folders


def image_name(image: str) -> str:
    """The last part of an image's name: decision_tree of localhost:5000/team/decision_tree:1.0."""
    match = re.search(r"(?:^|/)([a-z0-9][\w.-]*)(?::[\w.-]+)?(?:@[\w:+.-]+)?$", image)
    return match.group(1) if match else ""


def _read_yaml(path: Path) -> list:
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: a folder; name the package in it") from None
    except (ValueError, yaml.YAMLError) as error:
        raise FastkfError(f"{path}: not a readable YAML file ({_first_line(error)})") from error
    first = documents[0] if documents and isinstance(documents[0], dict) else {}
    if "pipelineInfo" not in first:
        found = f"a manifest of kind {first['kind']}" if "kind" in first else "another YAML file"
        raise FastkfError(
            f"{path}: not a pipeline package of KFP v2 but {found} (it has no pipelineInfo); "
            "compile one with the KFP SDK, or with `fastkf compile NOTEBOOK`"
        )
    return documents


def _parse(path: Path):
    from kfp import components

    try:
        return components.load_component_from_file(str(path)).pipeline_spec
    except Exception as error:  # whatever KFP's parser meets in a file that anyone may have edited
        raise FastkfError(f"{path}: not a readable package ({_first_line(error)})") from error


def _check(path: Path, spec) -> None:
    if spec.root.input_definitions.artifacts:
        names = ", ".join(spec.root.input_definitions.artifacts)
        raise FastkfError(f"{path}: the pipeline takes artifacts ({names}); fastkf cannot give any")
    executors = spec.deployment_spec["executors"]
    for name, task in spec.root.dag.tasks.items():
        component = spec.components[task.component_ref.name]
        if component.HasField("dag") or task.WhichOneof("iterator"):
            raise FastkfError(
                f"{path}: task {name} is {_kind_of_group(task)}; fastkf walks a plain graph of "
                "containers. Kubeflow Pipelines, or kfp.local.DockerRunner, can run it"
            )
        if "container" not in executors[component.executor_label]:
            raise FastkfError(
                f"{path}: task {name} is not a container but an importer of artifacts; fastkf "
                "cannot run it"
            )


def _kind_of_group(task) -> str:
    if task.WhichOneof("iterator"):
        return "a loop (dsl.ParallelFor)"
    if task.trigger_policy.condition:
        return "a condition (dsl.If)"
    return "a pipeline inside the pipeline (or a dsl.ExitHandler)"


def _read_parameters(spec) -> dict[str, tuple[type, object]]:
    from kfp.local.executor_output_utils import pb2_value_to_python
    from kfp.pipeline_spec.pipeline_spec_pb2 import ParameterType

    parameters = {}
    for name, parameter in sorted(spec.root.input_definitions.parameters.items()):
        kind = KINDS[ParameterType.ParameterTypeEnum.Name(parameter.parameter_type)]
        default = None if parameter.is_optional else REQUIRED
        if parameter.HasField("default_value"):
            default = pb2_value_to_python(parameter.default_value)
        # The package keeps every number as a double.
        parameters[name] = (
            kind,
            int(default) if isinstance(default, float) and kind is int else default,
        )
    return parameters


def _read_container(spec, task: str) -> Container:
    from kfp.dsl.component_factory import EXECUTOR_MODULE

    component = spec.components[spec.root.dag.tasks[task].component_ref.name]
    container = spec.deployment_spec["executors"][component.executor_label]["container"]
    command = list(container["command"]) if "command" in container else []
    is_python = any(EXECUTOR_MODULE in str(word) for word in command)
    return Container(container["image"], bool(command), is_python)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
