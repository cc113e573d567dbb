"""Containers' commands as processes, without their images."""

import errno
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from fastkf.base import mounts as mounting
from fastkf.base import processes
from fastkf.base.mounts import Mount, dump, name_tmp
from fastkf.engine.children import Children
from fastkf.engine.job import Job
from fastkf.engine.layer import Layer
from fastkf.engine.own_places import Texts, arrange, read_code
from fastkf.engine.steps_on_disk import Steps
from fastkf.engine.tasks import (
    ShowCommand,
    describe_exit,
    find_limits,
    list_honoured,
    refuse_long,
    stamp_files,
    stamp_packages,
    tell_left_out,
)
from fastkf.engine.variables import as_in_pod
from fastkf.package.given import Given
from fastkf.runs.model import Failure

TOO_LONG = (
    "its command is longer, with its environment, than this system takes; pass what is long as an "
    "artifact: its argument is a path"
)


class ContainerTasks:
    """Runs each container's command in the folder of its component. To be used with `with`.

    Args:
        components: the folder of the components' folders; it is on their PYTHONPATH.
        folders: from image to the folder of its component.
        offline: their `pip install` fetches nothing.
        given: the Secrets and ConfigMaps of the cluster; None where nobody was asked for any.
        paths: texts of the parameters that were given for this run; what those that are absolute
            paths name stays where it is.
    """

    def __init__(
        self,
        components: Path,
        folders: Mapping[str, Path],
        offline: bool = False,
        given: Given | None = None,
        paths: Sequence[str] = (),
    ):
        self._components, self._offline, self._given = components, offline, given
        self._paths = paths
        self._folders = folders
        self._children = Children()

    def __enter__(self) -> Self:
        self._scratch = tempfile.TemporaryDirectory(prefix="fastkf-", ignore_cleanup_errors=True)
        self._steps = Steps(Path(self._scratch.name))
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

    def stamp(self, job: Job) -> str:
        """Without its image: the packages, and the files of its component and of those beside."""
        own = stamp_files(self._folders[job.image], "**/*")
        return f"{stamp_packages()} {own} {stamp_files(self._components, '*.py', '*/*.py')}"

    @property
    def honours(self) -> frozenset[str]:
        return list_honoured(self._given)

    def execute(self, job: Job, log: Path, show: ShowCommand) -> Failure | None:
        variables = job.variables(self._given)
        command = job.command(variables)
        show(job.image, command)
        if failure := refuse_long(job, command, variables):
            return failure
        own = self._steps.make_folder(log.stem)
        environment = self._environment(own, variables)
        folder = self._folders[job.image]
        mounts, kept = self._arrange(job, folder, own, log)
        if mounts:
            name_tmp(mounts, str(own / "tmp"), environment)
            words = dump(mounts), json.dumps(kept)
            command = [sys.executable, "-I", "-m", mounting.__name__, *words, *command]
        limits = find_limits(job, self._given)
        tell_left_out(job, limits, log)
        run = self._children.run
        try:
            ending = run(command, environment, log, folder, job.seconds, limits, job.mask)
        except OSError as error:
            if error.errno != errno.E2BIG:
                raise
            return Failure("", TOO_LONG)
        job.moved = self._steps.end(own, mounts, kept)
        failure = describe_exit(ending, log) if ending.code else None
        return self._steps.explain(failure, own.name, environment) if failure else None

    def _arrange(
        self, job: Job, folder: Path, own: Path, log: Path
    ) -> tuple[list[Mount], list[str]]:
        kept = (Path(self._scratch.name), job.run_folder, self._components, folder)
        code = *job.script, *read_code(folder), *read_code(self._components, "*")
        return arrange(job, self._given, own, kept, Texts(code, self._paths), log)

    def _environment(self, folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
        """This environment with a `python3` and a home in the step's folder, and `variables`."""
        for inside in ("home", "tmp"):
            (folder / inside).mkdir()
        layer = Layer(folder / "python")
        layer.make()
        own = processes.with_own_python(as_in_pod(os.environ))
        return {
            **layer.environment(own, self._offline),
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "PYTHONPATH": str(self._components),
            **variables,
        }
