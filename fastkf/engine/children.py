"""The processes of the steps that run now."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from fastkf.base import processes


class Children:
    """The processes that one executor has started; they end together, and with this process."""

    def __init__(self) -> None:
        self._running: set[processes.Process] = set()
        self._ended = False
        self._lock = threading.Lock()

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path
    ) -> int:
        """Runs a command to its end, its output at the end of the log; returns its exit code.

        Returns:
            The command's exit code; 128 + N when signal N ended it; 1 when all were ended before.
        """
        with log.open("ab") as output:
            process = self._start(command, environment, output.fileno(), folder)
            if process is None:
                return 1
            try:
                return process.wait()
            finally:
                with self._lock:
                    self._running.discard(process)
                if process.stdin:
                    process.stdin.close()

    def end(self) -> None:
        """Ends the processes and starts no more."""
        with self._lock:
            self._ended = True
            running = list(self._running)
        processes.end(running)

    def _start(
        self, command: Sequence[str], environment: Mapping[str, str], output: int, folder: Path
    ) -> processes.Process | None:
        # Under the lock, or a process could start between the last look at those that run and the
        # end of them all, and would go on alone.
        with self._lock:
            if self._ended:
                return None
            process = processes.start(command, output, folder, environment)
            self._running.add(process)
            return process
