"""The containers that a package's tasks run."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastkf.package.errors import PackageError
from fastkf.package.kale import brings_source
from fastkf.package.model import Package

# What has these images runs nothing: it makes or removes a volume.
MAKES_CLAIM, REMOVES_CLAIM = "argostub/createpvc", "argostub/deletepvc"
CLAIMS = (MAKES_CLAIM, REMOVES_CLAIM)


@dataclass(frozen=True)
class Container:
    """What a task runs: a container of an image.

    Attributes:
        has_command: whether it has a command of its own instead of the image's entrypoint.
        is_python: whether it is a Python component with its code, as Kale's steps are.
    """

    image: str
    has_command: bool
    is_python: bool


def list_containers(package: Package) -> dict[str, Container]:
    """Component, as its author calls it, to its container."""
    return {
        name.removeprefix("exec-"): _read_container(executor["container"])
        for name, executor in package.executors.items()
        if "container" in executor and executor["container"].get("image") not in CLAIMS
    }


def list_made(package: Package) -> Iterator[str]:
    """The names of the volumes that it makes, where they are known before the run."""
    components = package.spec.get("components") or {}
    for part in (package.spec["root"], *components.values()):
        for task in ((part.get("dag") or {}).get("tasks") or {}).values():
            component = components[task["componentRef"]["name"]]
            executor = package.executors.get(component.get("executorLabel", "")) or {}
            given = ((task.get("inputs") or {}).get("parameters") or {}).get("pvc_name") or {}
            name = (given.get("runtimeValue") or {}).get("constant")
            if (executor.get("container") or {}).get("image") == MAKES_CLAIM and name:
                yield str(name)


def find_folders(
    package: Package, containers: Mapping[str, Container], components: Path
) -> dict[str, Path]:
    """The folder of each image's component, in the folder `components`, named like the image.

    Raises:
        PackageError: there is no such folder.
    """
    folders = {}
    for task, container in containers.items():
        if not container.is_python:
            name = image_name(container.image)
            folder = components / name
            if not name or not folder.is_dir():
                raise PackageError(
                    f"{package.path}: task {task}: no folder {name!r} in {components} for the "
                    f"image {container.image}; without --docker, a container's command runs in the "
                    "folder that is named like its image",
                    "name the folder of these folders with --components",
                )
            if not container.has_command:
                raise PackageError(
                    f"{package.path}: task {task} has no command of its own, only its image "
                    f"{container.image} knows it",
                    "give the component a command, or use --docker",
                )
            folders[container.image] = folder
    return folders


def image_name(image: str) -> str:
    """The last part of an image's name: decision_tree of localhost:5000/team/decision_tree:1.0."""
    match = re.search(r"(?:^|/)([a-z0-9][\w.-]*)(?::[\w.-]+)?(?:@[\w:+.-]+)?$", image)
    return match.group(1) if match else ""


def _read_container(container: Mapping[str, Any]) -> Container:
    command = container.get("command", [])
    return Container(container.get("image", ""), bool(command), brings_source(command))
