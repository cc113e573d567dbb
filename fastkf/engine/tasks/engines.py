"""What runs containers here: a Docker engine, or Podman, which speaks the same protocol."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fastkf.base import processes
from fastkf.base.errors import FastkfError

SECONDS_TO_START = 20.0
PAUSE = 0.05


class Engine:
    """An engine that answers. To be used with `with`.

    Podman has no engine that waits: where no Docker answers, it is started for as long as needed.

    Raises:
        FastkfError: when entered: Docker's Python package is missing, or nothing answers.
    """

    def __enter__(self) -> Self:
        self._resources = contextlib.ExitStack()
        self._address: str | None = None
        try:
            import docker
        except ModuleNotFoundError:
            raise FastkfError(
                "--docker needs Docker's Python package", f"{sys.executable} -m pip install docker"
            ) from None
        try:
            self._ask()
        except docker.errors.DockerException as error:
            podman = shutil.which("podman")
            if podman is None:
                raise FastkfError(
                    f"no Docker engine answers ({error})",
                    "start Docker, or install Podman, or leave --docker out: the commands then run "
                    "as processes, without the images",
                ) from error
            with contextlib.ExitStack() as stack:
                self._start(podman, stack)
                self._resources = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._resources.close()

    def connect(self) -> Any:
        """A client of it."""
        import docker

        return docker.DockerClient(self._address) if self._address else docker.from_env()

    def _ask(self) -> None:
        with contextlib.closing(self.connect()) as client:
            client.ping()

    def _start(self, podman: str, stack: contextlib.ExitStack) -> None:
        import docker

        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fastkf-")))
        self._address = f"unix://{folder}/podman"
        log = stack.enter_context((folder / "log").open("wb"))
        command = [podman, "system", "service", "--time=0", self._address]
        process = processes.start(command, log)
        stack.callback(processes.end, [process])
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                return self._ask()
            except docker.errors.DockerException as error:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(PAUSE)
                if process.returncode is not None or time.monotonic() > deadline:
                    said = (folder / "log").read_text("utf-8", "replace").strip() or str(error)
                    raise FastkfError(
                        f"no Docker engine answers, and Podman does not start: {said}",
                        "start Docker, or leave --docker out: the commands then run as processes, "
                        "without the images",
                    ) from error
