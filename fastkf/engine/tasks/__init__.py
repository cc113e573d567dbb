"""One executor for each kind of task."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from fastkf.base.files import read_end
from fastkf.base.processes import Ending
from fastkf.engine.job import Job
from fastkf.runs.model import Failure

LINES_OF_AN_ERROR = 6

Kind = Literal["python", "container"]
ShowCommand = Callable[[str, list[str]], None]


class Executor(Protocol):
    """Runs the commands of one kind of task; from several threads at a time."""

    def execute(self, job: Job, log: Path, show: ShowCommand) -> Failure | None:
        """Runs a job to its end.

        Args:
            log: gets all that the job writes, at its end.
            show: called with the image and the command that run, where they are for people to read.

        Returns:
            Why it has failed; None when it has not.
        """

    def end(self) -> None:
        """Ends the jobs that still run, and starts no more. From any thread."""


def describe_exit(ending: Ending, log: Path) -> Failure:
    """The failure of a container's command: how it has ended, and the end of its log."""
    last = [line for line in read_end(log).splitlines() if line.strip()][-LINES_OF_AN_ERROR:]
    return Failure("", "\n".join([f"the container's command {ending}", *last]))
