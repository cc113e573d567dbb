"""The processes of the steps that run now."""

import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fastkf.base import processes


class Children:
    """The processes that one executor has started; they end together, and with this process."""

    def __init__(self) -> None:
        self._running: set[processes.Process] = set()
        self._ended = False
        self._lock = threading.Lock()

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        folder: Path,
        seconds: float | None = None,
    ) -> processes.Ending:
        """Runs a command to its end, its output at the end of the log; returns how it has ended.

        It is ended after so many seconds. With it ends all that it has started; when all were ended
        before, it does not start.
        """
        memory = processes.MemoryWatch()
        with log.open("ab") as output:
            process = self._start(command, environment, output.fileno(), folder)
            if process is None:
                return processes.Ending(1)
            try:
                code, limit = _wait(process, seconds)
                if processes.was_killed(process):  # not what it held
                    processes.end([process])
                return replace(memory.ending(code), seconds=limit)
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


def _wait(process: processes.Process, seconds: float | None) -> tuple[int, float | None]:
    """Waits for the end; returns the exit code, and the limit where that was the end."""
    try:
        return process.wait(seconds), None
    except subprocess.TimeoutExpired:
        processes.end([process])
        return process.wait() or 1, seconds
