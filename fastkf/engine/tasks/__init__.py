"""One executor for each kind of task."""

import hashlib
import json
import site
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

from fastkf.base.files import read_end
from fastkf.base.processes import Ending
from fastkf.engine.job import Job
from fastkf.engine.limits import Limits
from fastkf.package.given import DONE_WITHOUT, Given
from fastkf.package.lengths import find_too_long
from fastkf.runs.model import Failure

LINES_OF_AN_ERROR = 6

Kind = Literal["python", "container", "claim"]
ShowCommand = Callable[[str, list[str]], None]


class Executor(Protocol):
    """Runs the commands of one kind of task; from several threads at a time."""

    @property
    def honours(self) -> frozenset[str]:
        """The fields of a task's settings for Kubernetes that are not left out here."""

    def execute(self, job: Job, log: Path, show: ShowCommand) -> Failure | None:
        """Runs a job to its end.

        Args:
            log: gets all that the job writes, at its end.
            show: called with the image and the command that run, where they are for people to read.

        Returns:
            Why it has failed; None when it has not.
        """

    def stamp(self, job: Job) -> str:
        """What of this machine the outputs of a job follow from, beside its package."""

    def end(self) -> None:
        """Ends the jobs that still run, and starts no more. From any thread."""


def list_honoured(given: Given | None) -> frozenset[str]:
    """What executors honour: Secrets and ConfigMaps, where whoever runs them has given any."""
    return DONE_WITHOUT if given is None else given.done


def find_limits(job: Job, given: Given | None, keepers: Path | None = None) -> Limits:
    """How much a job may use here.

    Raises:
        ValueError: a limit is no quantity.
    """
    asked = job.limits if given is None or given.keeps_limits else {}
    return Limits(asked.get("memory", ""), asked.get("cpu", ""), keepers)


def tell_left_out(job: Job, limits: Limits, log: Path) -> None:
    """Says in the log of a process which limit is not held that only its inputs have told."""
    left_out = f"CPU limit {limits.cpu}"
    if limits.cpus and not limits.processors and left_out not in job.task.component.left_out:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"fastkf: not applied here: {left_out}\n")


def refuse_long(job: Job, command: Sequence[str], variables: Mapping[str, str]) -> Failure | None:
    """The failure of a step that no pod could start, though this machine may know ways."""
    found = find_too_long(command, variables, job.executor_input)
    return Failure("", found.message, remedy=found.remedy) if found else None


def tell_lost_signs(job: Job, log: Path) -> None:
    """Says in a step's log that its code or inputs are not as they were written."""
    if "$$" in json.dumps([job.script, job.arguments.parameters]):
        with log.open("a", encoding="utf-8") as file:
            file.write(
                "fastkf: $$ has become $ in the code of this step or in what it is given: "
                "Kubernetes does so in all words of a pod\n"
            )


def describe_exit(ending: Ending, log: Path) -> Failure:
    """The failure of a container's command: how it has ended, and the end of its log."""
    last = [line for line in read_end(log).splitlines() if line.strip()][-LINES_OF_AN_ERROR:]
    return Failure("", "\n".join([f"the container's command {ending}", *last]))


@cache
def stamp_packages() -> str:
    """Python and the packages that are installed here, with their versions."""
    places = map(Path, site.getsitepackages())
    packages = {path.name for place in places for path in place.glob("*.dist-info")}
    return _digest([sys.version, *sorted(packages)])


@cache
def stamp_files(folder: Path, *patterns: str) -> str:
    """What is in files of a folder, as they are when it is asked for the first time."""
    parts = []
    for path in sorted({path for one in patterns for path in folder.glob(one)}):
        if path.is_file() and "__pycache__" not in path.parts:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            parts += [str(path.relative_to(folder)), content]
    return _digest(parts)


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
