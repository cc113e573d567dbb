"""Containers' commands as processes, without their images."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from fastkf.base import processes
from fastkf.engine.children import Children
from fastkf.engine.kfp_local import Job
from fastkf.engine.tasks import ShowCommand, describe_exit
from fastkf.runs.model import Failure


class ContainerTasks:
    """Runs each container's command in the folder of its component. To be used with `with`.

    Args:
        components: the folder of the components' folders; it is on their PYTHONPATH.
        folders: from image to the folder of its component.
    """

    def __init__(self, components: Path, folders: Mapping[str, Path]):
        self._components = components
        self._folders = folders
        self._children = Children()

    def __enter__(self) -> Self:
        self._scratch = tempfile.TemporaryDirectory(prefix="fastkf-", ignore_cleanup_errors=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
        self._scratch.cleanup()

    def end(self) -> None:
        self._children.end()

    def execute(self, job: Job, log: Path, show: ShowCommand) -> Failure | None:
        command = job.command()
        show(job.image, command)
        environment = self._environment(job.name, job.environment)
        ending = self._children.run(command, environment, log, self._folders[job.image])
        return describe_exit(ending, log) if ending.code else None

    def _environment(self, name: str, variables: Mapping[str, str]) -> dict[str, str]:
        """This environment with its own `python3`, a home of the step's own, and `variables`."""
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._scratch.name))
        for inside in ("home", "tmp"):
            (folder / inside).mkdir()
        return {
            **processes.with_own_python(os.environ),
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "PYTHONPATH": str(self._components),
            **variables,
        }
