"""One run of a compiled package in its images, through `kfp.local.DockerRunner`.

What differs from `kfp.local` alone: a container's command takes the place of the image's
entrypoint, as on Kubernetes; the user is this one, so that an image which is not root can write
the outputs and they belong to whoever runs it; the exit code is the container's own, also where it
ends before its log is read; and an interrupted run removes its containers.
"""

import contextlib
import os
import sys
import uuid
from pathlib import Path

from fastkf.base.errors import FastkfError
from fastkf.engine.tasks.container import ContainerRun
from fastkf.package.containers import Container

LABEL = "fastkf.run"


def connect():
    """A client of the Docker engine, as the environment names it.

    Raises:
        FastkfError: Docker's Python package is missing, or no engine answers.
    """
    try:
        import docker
    except ModuleNotFoundError:
        raise FastkfError(
            f"--docker needs Docker's Python package: {sys.executable} -m pip install docker"
        ) from None
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        raise FastkfError(
            f"no Docker engine answers ({error}); start Docker, or leave --docker out: the "
            "commands then run as processes, without the images"
        ) from error
    return client


class DockerRun(ContainerRun):
    """One run of a package of container components, each in its image.

    Args:
        run_folder: gets artifacts/, logs/ and outputs/.
        package: the package to run.
        containers: task to its container.
    """

    def __init__(self, run_folder: Path, package: Path, containers: dict[str, Container]):
        super().__init__(run_folder, package.resolve().parent, folders={})
        self._containers = containers
        self._label = uuid.uuid4().hex

    def end(self) -> None:
        """Ends the processes and removes the containers of the steps that still run."""
        super().end()
        mine = {"label": f"{LABEL}={self._label}"}
        # What the engine says now is less than why the run ends.
        with contextlib.suppress(Exception), contextlib.closing(connect()) as client:
            for container in client.containers.list(all=True, filters=mine):
                with contextlib.suppress(Exception):
                    container.remove(force=True)

    def _make_runner(self):
        from kfp import local

        (self.scratch / "workspace").mkdir(exist_ok=True)  # Docker would make it as root
        user = {"user": f"{os.getuid()}:{os.getgid()}"} if hasattr(os, "getuid") else {}
        return local.DockerRunner(labels={LABEL: self._label}, environment={"HOME": "/tmp"}, **user)

    def _patches(self) -> list[tuple]:
        from kfp.local import docker_task_handler
        from kfp.local.status import Status

        run = self

        class Handler(docker_task_handler.DockerTaskHandler):
            def run(self):
                succeeded = run._run_in_image(self.image, self.full_command, super().run)
                return Status.SUCCESS if succeeded else Status.FAILURE

        return [
            *super()._patches(),
            (docker_task_handler, "DockerTaskHandler", Handler),
            (docker_task_handler, "run_docker_container", self._run_docker_container),
        ]

    def _run_in_image(self, image: str, command: list[str], handle) -> bool:
        self._note(image=image, command=command)

        def execute(folder: Path, log: Path) -> int:
            with log.open("wb") as self._task.log:
                self._task.code = 1
                try:
                    handle()
                except Exception as error:  # the engine's own words, into the log
                    self._task.log.write(f"{error}\n".encode())
            return self._task.code

        return self._track(self._task.name, execute)

    def _run_docker_container(self, client, image, command, volumes, **arguments) -> int:
        """Runs a container to its end, its output to the step's log."""
        import docker

        if self._ended.is_set():
            return self._task.code
        try:
            client.images.get(image)
        except docker.errors.ImageNotFound:
            self._task.log.write(f"pulling {image}\n".encode())
            client.images.pull(image)
        if self._containers[self._task.name].has_command:
            arguments["entrypoint"], command = command[:1], command[1:]
        container = client.containers.create(image, command, volumes=volumes, **arguments)
        try:
            container.start()
            for chunk in container.logs(stream=True, follow=True):
                self._task.log.write(chunk)
            self._task.code = container.wait()["StatusCode"]
        finally:
            with contextlib.suppress(docker.errors.NotFound):
                container.remove(force=True)
        return self._task.code
