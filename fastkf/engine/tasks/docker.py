"""Containers in their images, with Docker or Podman.

A container's command takes the place of the image's entrypoint, as on Kubernetes; the user is this
one, so that an image which is not root can write the outputs and they belong to whoever runs it (of
an engine that runs without root, that is who is root inside); the exit code is the container's own,
also where it ends before its log is read; and an interrupted run removes its containers.
"""

import contextlib
import os
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from fastkf.base.processes import Ending
from fastkf.engine.job import Job
from fastkf.engine.limits import Limits
from fastkf.engine.placeholders import WORKSPACE
from fastkf.engine.tasks import (
    ShowCommand,
    describe_exit,
    find_limits,
    list_honoured,
    refuse_long,
)
from fastkf.engine.tasks.engines import Engine
from fastkf.package.given import Given
from fastkf.package.quantities import show_bytes
from fastkf.runs.model import Failure

LABEL = "fastkf.run"


def check_engine() -> None:
    """Says why no containers can run here.

    Raises:
        FastkfError: as `Engine` raises it.
    """
    with Engine():
        return


class DockerTasks:
    """Runs each container in its image. To be used with `with`.

    Args:
        given: the Secrets and ConfigMaps of the cluster; None where nobody was asked for any.

    Raises:
        FastkfError: when entered, as `Engine` raises it.
    """

    def __init__(self, given: Given | None = None) -> None:
        self._given, self._engine = given, Engine()
        self._label = uuid.uuid4().hex
        self._ended = False

    def __enter__(self) -> Self:
        self._engine.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
        self._engine.__exit__(kind, error, trace)

    def end(self) -> None:
        import docker

        self._ended = True
        mine = {"label": f"{LABEL}={self._label}"}
        # What the engine says now is less than why the run ends.
        with (
            contextlib.suppress(docker.errors.DockerException, OSError),
            contextlib.closing(self._engine.connect()) as client,
        ):
            for container in client.containers.list(all=True, filters=mine):
                with contextlib.suppress(docker.errors.DockerException):
                    container.remove(force=True)

    def stamp(self, job: Job) -> str:
        """The image itself: one that was built anew may have the name of the last."""
        import docker

        with contextlib.closing(self._engine.connect()) as client:
            try:
                return str(client.images.get(_with_tag(job.image)).id)
            except docker.errors.DockerException:
                return ""

    @property
    def honours(self) -> frozenset[str]:
        return list_honoured((self._given or Given()).in_containers())

    def execute(self, job: Job, log: Path, show: ShowCommand) -> Failure | None:
        import docker

        variables = job.variables(self._given)
        command = job.command(variables)
        show(job.image, command)
        if failure := refuse_long(job, command, variables):
            return failure
        ending = Ending(1)
        with (
            log.open("ab") as file,
            job.mask.over(file) as descriptor,
            open(descriptor, "ab", closefd=False) as output,
            contextlib.closing(self._engine.connect()) as client,
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
        if any(one.startswith("name=rootless") for one in security):
            options["user"] = "0:0"
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
            return judge(code, container.attrs["State"], options.get("mem_limit"))
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
        options |= describe_limits(find_limits(job, self._given))
        if job.has_command:
            options |= {"entrypoint": command[:1], "command": command[1:]}
        if hasattr(os, "getuid"):
            options["user"] = f"{os.getuid()}:{os.getgid()}"
        return options


def describe_limits(limits: Limits) -> dict[str, int]:
    """The options of a container with limits; that of memory without swap, as Kubernetes has it."""
    made = {"nano_cpus": round(limits.cpus * 1e9)} if limits.cpus else {}
    if limits.memory:
        made |= dict.fromkeys(("mem_limit", "memswap_limit"), round(limits.bytes))
    return made


def judge(code: int, state: Mapping[str, Any], memory: int | None) -> Ending:
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
