"""A network of their own for child processes, in which there is nothing but the loopback device.

TensorFlow's servers listen on all network devices of a machine, and ask nobody for a password. So
the workers of a job get a network namespace of Linux, which a process keeps alive.
"""

import subprocess
import sys
from types import TracebackType

from fastkf.base import processes
from fastkf.train import namespace

PROGRAM = [sys.executable, "-I", "-S", namespace.__file__]


class Loopback:
    """The network namespace, for as long as the context lasts.

    Attributes:
        is_private: whether the system allowed it; else commands run in the machine's own network.
    """

    def __enter__(self) -> "Loopback":
        self.keeper: processes.Process | None = None
        self.pid = ""
        if sys.platform == "linux":
            self.keeper = processes.start(PROGRAM, subprocess.PIPE)
            if self.keeper.stdout:
                # Its id, or the reason why the system does not allow it.
                self.pid = self.keeper.stdout.readline().decode().strip()
        self.is_private = self.pid.isdigit()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.keeper:
            processes.end([self.keeper])
            if self.keeper.stdout:
                self.keeper.stdout.close()

    def wrap(self, command: list[str]) -> list[str]:
        """The command that runs a command in the namespace."""
        return [*PROGRAM, self.pid, *command] if self.is_private else command
