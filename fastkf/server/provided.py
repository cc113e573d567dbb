"""What whoever starts a server provides for the steps of all its runs.

It goes to the runs' processes through a variable, which holds paths only, and not to their steps.
"""

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.paths import lacks_folder
from fastkf.engine.environments import Environments
from fastkf.engine.placeholders import WORKSPACE
from fastkf.engine.step_folder import Provisions
from fastkf.engine.tasks import Executor, Kind
from fastkf.engine.tasks.container import ContainerTasks
from fastkf.engine.tasks.docker import DockerTasks, check_engine
from fastkf.engine.tasks.python import PythonTasks
from fastkf.engine.volumes import check_mounts
from fastkf.package.asked import list_asked
from fastkf.package.containers import find_folders, list_containers
from fastkf.package.given import Given, fit, read_given
from fastkf.package.imports import list_shared
from fastkf.package.model import Package

VARIABLE = "FASTKF_PROVIDED"


@dataclass(frozen=True)
class Provided:
    """What is provided.

    Attributes:
        secrets, config_maps, volumes: name to path.
        offline: no packages are fetched.
        components: the folder with the folders in which containers' commands run as processes.
        docker: whether all containers run in their images.
        limits: whether the steps' limits of memory and processors are held.
    """

    secrets: Mapping[str, str] = field(default_factory=dict)
    config_maps: Mapping[str, str] = field(default_factory=dict)
    offline: bool = False
    components: str | None = None
    docker: bool = False
    limits: bool = True
    volumes: Mapping[str, str] = field(default_factory=dict)

    def hand_on(self) -> None:
        """Notes it for the processes that this one starts.

        Raises:
            FastkfError: a file cannot be read, a folder is not there, or no Docker answers.
        """
        read_given(self.secrets, self.config_maps, self.volumes)
        if self.components and (lack := lacks_folder(Path(self.components))):
            raise UsageError(f"--components {self.components}: {lack}")
        if self.docker:
            check_engine()
        paths = {
            kind: {name: os.path.abspath(path) for name, path in getattr(self, kind).items()}
            for kind in ("secrets", "config_maps", "volumes")
        }
        folder = os.path.abspath(self.components) if self.components else None
        os.environ[VARIABLE] = json.dumps({**asdict(self), **paths, "components": folder})

    @classmethod
    def take(cls) -> Self:
        """What was noted, which the processes that this one starts are not told."""
        return cls(**json.loads(os.environ.pop(VARIABLE, "{}")))

    @cached_property
    def environments(self) -> Environments:
        return Environments(self.offline)

    def give(self, package: Package) -> Given:
        """The Secrets and ConfigMaps, with what of a package they are enough for.

        Raises:
            UsageError: a file cannot be read any more.
        """
        given = read_given(self.secrets, self.config_maps, self.volumes)
        given = fit(package, given if self.limits else given.without_limits())
        return given.in_containers() if self.docker else given

    def check(self, package: Package) -> None:
        """Says what of a package cannot run, before anything is started.

        Raises:
            FastkfError: says what, and what to do.
        """
        if self.docker:
            return
        check_mounts(package, self.give(package))
        self.environments.check(list_asked(package))
        containers = list_containers(package)
        if self.components:
            find_folders(package, containers, Path(self.components))
            return
        for name, container in containers.items():
            if not container.is_python:
                raise FastkfError(
                    f"{name} is a container component ({container.image or 'no image'}), and this "
                    "server runs Python components only",
                    "start it with `fastkf server --docker`, or with --components FOLDER, or use a "
                    "Kubeflow",
                )

    def make_executors(
        self, package: Package, provisions: Provisions, stack: ExitStack
    ) -> dict[Kind, Executor]:
        """What runs the steps of a package, until the stack is closed."""
        given = self.give(package)
        if self.docker:
            docker = stack.enter_context(DockerTasks(given))
            return {"python": docker, "container": docker}
        python = PythonTasks(
            provisions,
            package.imports,
            environments=self.environments,
            given=given,
            shared=list_shared(package),
        )
        executors: dict[Kind, Executor] = {"python": stack.enter_context(python)}
        if self.components:
            folder = Path(self.components)
            folders = find_folders(package, list_containers(package), folder)
            containers = ContainerTasks(folder, folders, self.offline, given, provisions.given)
            executors["container"] = stack.enter_context(containers)
        return executors

    @property
    def workspace(self) -> str | None:
        """Where steps see the workspace, if they see it elsewhere than it is."""
        return WORKSPACE if self.docker else None
