"""Containers in their images, with Docker.

A container's command takes the place of the image's entrypoint, as on Kubernetes; the user is this
one, so that an image which is not root can write the outputs and they belong to whoever runs it;
the exit code is the container's own, also where it ends before its log is read; and an interrupted
run removes its containers.
"""

import contextlib
import os
import sys
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from fastkf.base.errors import FastkfError
from fastkf.base.processes import Ending
from fastkf.engine.job import Job
from fastkf.engine.placeholders import WORKSPACE
from fastkf.engine.tasks import ShowCommand, describe_exit, find_limits, list_honoured
from fastkf.package.given import Given
from fastkf.package.quantities import show_bytes
from fastkf.runs.model import Failure

LABEL = "fastkf.run"


def connect() -> Any:
    """A client of the Docker engine, as the environment names it.

    Raises:
        FastkfError: Docker's Python package is missing, or no engine answers.
    """
    try:
        import docker
    except ModuleNotFoundError:
        raise FastkfError(
            "--docker needs Docker's Python package", f"{sys.executable} -m pip install docker"
        ) from None
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        raise FastkfError(
            f"no Docker engine answers ({error})",
            "start Docker, or leave --docker out: the commands then run as processes, without the "
            "images",
        ) from error
    return client


class DockerTasks:
    """Runs each container in its image. To be used with `with`.

    Args:
        given: the Secrets and ConfigMaps of the cluster; None where nobody was asked for any.

    Raises:
        FastkfError: when entered, as `connect` raises it.
    """

    def __init__(self, given: Given | None = None) -> None:
        self._given = given
        self._label = uuid.uuid4().hex
        self._ended = False

    def __enter__(self) -> Self:
        connect().close()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        import docker

        self._ended = True
        mine = {"label": f"{LABEL}={self._label}"}
        # What the engine says now is less than why the run ends.
        with (
            contextlib.suppress(docker.errors.DockerException, OSError),
            contextlib.closing(docker.from_env()) as client,
        ):
            for container in client.containers.list(all=True, filters=mine):
                with contextlib.suppress(docker.errors.DockerException):
                    container.remove(force=True)

    def stamp(self, job: Job) -> str:
        """The image itself: one that was built anew may have the name of the last."""
        import docker

        with contextlib.closing(docker.from_env()) as client:
            try:
                return str(client.images.get(_with_tag(job.image)).id)
            except docker.errors.DockerException:
                return ""

    @property
    def honours(self) -> frozenset[str]:
        return list_honoured((self._given or Given()).in_containers())

    def execute(self, job: Job, log: Path, show: ShowCommand) -> Failure | None:
        import docker

        command = job.command()
        show(job.image, command)
        ending = Ending(1)
        with (
            log.open("ab") as file,
            job.mask.over(file) as descriptor,
            open(descriptor, "ab", closefd=False) as output,
            contextlib.closing(docker.from_env()) as client,
        ):
            try:
                ending = self._run(client, job, command, output)
            except (docker.errors.DockerException, OSError) as error:
                output.write(f"{error}\n".encode())  # the engine's own words
        return describe_exit(ending, log) if ending.code else None

    def _run(self, client: Any, job: Job, command: list[str], output: IO[bytes]) -> Ending:
        with tempfile.TemporaryDirectory(prefix="fastkf-", ignore_cleanup_errors=True) as own:
            return self._run_with(client, job, command, output, Path(own))

    def _run_with(
        self, client: Any, job: Job, command: list[str], output: IO[bytes], own: Path
    ) -> Ending:
        """Runs a container to its end."""
        import docker

        if self._ended:
            return Ending(1)
        image = _with_tag(job.image)
        try:
            client.images.get(image)
        except docker.errors.ImageNotFound:
            output.write(f"pulling {image}\n".encode())
            output.flush()
            client.images.pull(image)
        security = client.info()["SecurityOptions"]
        mode = "rw,z" if "name=selinux" in security else "rw"
        options = self._options(job, command, mode)
        for one in job.list_mounts(self._given, own):
            right = mode.replace("rw", "ro") if one.read_only else mode
            options["volumes"].append(f"{one.source}:{one.target}:{right}")
        container = client.containers.create(image, **options)
        try:
            if self._ended:  # since the look above: `end` may not have seen this container
                return Ending(1)
            container.start()
            for chunk in container.logs(stream=True, follow=True):
                output.write(chunk)
                output.flush()
            code = int(container.wait()["StatusCode"])
            container.reload()
            return _judge(code, container.attrs["State"], options.get("mem_limit"))
        finally:
            with contextlib.suppress(docker.errors.NotFound):
                container.remove(force=True)

    def _options(self, job: Job, command: list[str], mode: str) -> dict[str, Any]:
        artifacts = str(job.run_folder / "artifacts")
        options: dict[str, Any] = {
            "command": command,
            "environment": {**job.variables(self._given), "HOME": "/tmp"},
            "labels": {LABEL: self._label},
            "volumes": [
                f"{artifacts}:{artifacts}:{mode}",
                f"{job.workspace}:{WORKSPACE}:{mode}",
            ],
        }
        options |= self._limits(job)
        if job.has_command:
            options |= {"entrypoint": command[:1], "command": command[1:]}
        if hasattr(os, "getuid"):
            options["user"] = f"{os.getuid()}:{os.getgid()}"
        return options

    def _limits(self, job: Job) -> dict[str, int]:
        """The limits of a container; that of memory without swap, as Kubernetes has it."""
        limits = find_limits(job, self._given)
        made = {"nano_cpus": round(limits.cpus * 1e9)} if limits.cpus else {}
        if limits.memory:
            made |= dict.fromkeys(("mem_limit", "memswap_limit"), round(limits.bytes))
        return made


def _judge(code: int, state: Mapping[str, Any], memory: int | None) -> Ending:
    """How a container has ended.

    Args:
        state: as the engine describes it.
        memory: its limit, in bytes.
    """
    is_short = bool(state.get("OOMKilled"))
    if not (is_short and memory):
        return Ending(code, is_short)
    return Ending(code, is_short, memory=f"more memory than its limit of {show_bytes(memory)}")


def _with_tag(image: str) -> str:
    """An image without a tag is `latest`; Docker's client would pull all of its tags."""
    return image if ":" in image.rsplit("/", 1)[-1] or "@" in image else f"{image}:latest"
