"""How much of this machine a step may use, as a container may of a node.

Memory: what holds more is killed, all of it at once, as the kernel does with a container
(OOMKilled). It is looked at many times a second: what is over the limit for a few milliseconds
only is not seen. A limit of the address space (RLIMIT_AS) is something else: TensorFlow reserves
much more than it uses.

Processors: a whole number of them. A container gets as much time as that many have; here the
processes may run on that many.
"""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fastkf.base import memory, processes
from fastkf.package.given import HAS_AFFINITY
from fastkf.package.quantities import read_quantity, show_bytes

# Seconds between looks, and the part of all time that they take: far from the limit, and near it.
FAR, NEAR = (0.02, 0.05), (0.005, 0.1)
KILLED = processes.SIGNALLED + signal.SIGKILL


@dataclass(frozen=True)
class Limits:
    """What a step may use.

    Attributes:
        memory: as the pipeline has it, such as 512Mi; "" where there is no limit.
        cpu: the same of processors.
        keepers: a folder with the numbers of processes below which there are more of the step's.
    """

    memory: str = ""
    cpu: str = ""
    keepers: Path | None = None

    @property
    def bytes(self) -> float:
        return read_quantity(self.memory)

    @property
    def cpus(self) -> float:
        return read_quantity(self.cpu) if self.cpu else 0.0

    @property
    def processors(self) -> int:
        """The number of processors that it may run on; 0 where there is no such limit."""
        return int(self.cpus) if self.cpus.is_integer() else 0


class MemoryGuard:
    """Kills a step that holds more memory than its limit.

    Args:
        process: as `processes.start` returned it.
        limits: with one of memory.

    Raises:
        ValueError: the limit is no quantity.
    """

    def __init__(self, process: processes.Process, limits: Limits):
        self._process, self._limits = process, limits
        self._most = limits.bytes
        self._held: int | None = None

    def look(self) -> float:
        """Looks once; returns the seconds until the next look."""
        # Not the clock: on a busy machine a look takes long, and the next would come minutes later.
        began = time.thread_time()
        step = self._list_processes()
        held = memory.measure(step, enough=self._most)
        if self._held is None and held > self._most:
            self._held = held
            self._kill(step)
        least, share = NEAR if held > self._most / 2 else FAR
        return max(least, (time.thread_time() - began) / share)

    def judge(self, ending: processes.Ending) -> processes.Ending:
        """The ending, or that it was this limit."""
        if self._held is None:
            return ending
        held = f"{show_bytes(self._held)} of memory, more than its limit of {self._limits.memory}"
        return replace(ending, code=KILLED, memory=held)

    def _list_processes(self) -> set[int]:
        """Those of the step: what its leash holds, and what the warm parent has forked for it."""
        folder = self._limits.keepers
        notes = [one.name for one in folder.glob("*")] if folder else []
        # Not the inner process of the leash itself, which ends the rest.
        inner = memory.list_children(self._process.pid)
        return memory.list_below([*inner, *map(int, filter(str.isdecimal, notes))])

    def _kill(self, step: set[int]) -> None:
        # All of them before any of those that look after them: these would say it otherwise.
        for pid in step:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        processes.tell_to_kill(self._process)


class Processors:
    """The processors of this machine, given out so that steps with a limit use different ones."""

    def __init__(self) -> None:
        self._used: Counter[int] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def take(self, count: int) -> Iterator[list[int]]:
        """The numbers of so many processors; none where there is nothing to keep to."""
        here = sorted(os.sched_getaffinity(0)) if HAS_AFFINITY else []
        with self._lock:
            few = count if 0 < count < len(here) else 0
            taken = sorted(here, key=lambda number: self._used[number])[:few]
            self._used.update(taken)
        try:
            yield taken
        finally:
            with self._lock:
                self._used.subtract(taken)
