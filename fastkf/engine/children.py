"""The processes of the steps that run now."""

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fastkf.base import processes
from fastkf.base.masks import Mask
from fastkf.engine.limits import Limits, MemoryGuard, Processors


class Children:
    """The processes that one executor has started; they end together, and with this process."""

    def __init__(self) -> None:
        self._running: set[processes.Process] = set()
        self._ended = False
        self._lock = threading.Lock()
        self._processors = Processors()

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        folder: Path,
        seconds: float | None = None,
        limits: Limits | None = None,
        mask: Mask | None = None,
    ) -> processes.Ending:
        """Runs a command to its end, its output at the end of the log; returns how it has ended.

        It is ended after so many seconds, and when it holds more memory than its limit. With it
        ends all that it has started; when all were ended before, it does not start. Of its output,
        the log gets what the mask leaves.
        """
        with log.open("ab") as file, (mask or Mask()).over(file) as output:
            return self._run(command, environment, output, folder, seconds, limits or Limits())

    def _run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        output: int,
        folder: Path,
        seconds: float | None,
        limits: Limits,
    ) -> processes.Ending:
        memory = processes.MemoryWatch()
        with self._processors.take(limits.processors) as numbers:
            process = self._start(command, environment, output, folder, numbers)
            if process is None:
                return processes.Ending(1)
            guard = MemoryGuard(process, limits) if limits.memory else None
            try:
                code, limit = _wait(process, seconds, guard)
                if processes.was_killed(process):  # not what it held
                    processes.end([process])
                ending = replace(memory.ending(code), seconds=limit)
                return guard.judge(ending) if guard else ending
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
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        output: int,
        folder: Path,
        processors: Sequence[int],
    ) -> processes.Process | None:
        # Under the lock, or a process could start between the last look at those that run and the
        # end of them all, and would go on alone.
        with self._lock:
            if self._ended:
                return None
            process = processes.start(command, output, folder, environment, processors=processors)
            self._running.add(process)
            return process


def _wait(
    process: processes.Process, seconds: float | None, guard: MemoryGuard | None
) -> tuple[int, float | None]:
    """Waits for the end; returns the exit code, and the time limit where that was the end."""
    began = time.monotonic()
    while True:
        left = None if seconds is None else max(0.0, seconds + began - time.monotonic())
        pause = guard.look() if guard else None
        times = [one for one in (left, pause) if one is not None]
        try:
            return process.wait(min(times, default=None)), None
        except subprocess.TimeoutExpired:
            if left is not None and (pause is None or left <= pause):
                processes.end([process])
                return process.wait() or 1, seconds
