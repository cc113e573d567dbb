"""Child processes that end with this one, and the environment that they run in."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from fastkf.base import leash
from fastkf.base.oom import count_oom_kills

Process = subprocess.Popen[bytes]
SECONDS_TO_KILL = 5.0  # what a leash needs to kill everything
SECONDS_BETWEEN_LOOKS = 0.05
SIGNALLED = 128  # a shell's exit code for a command that signal N has ended is 128 + N


@dataclass(frozen=True)
class Ending:
    """How a process has ended.

    Attributes:
        code: its exit code; 128 + N when signal N has ended it.
        short_of_memory: whether the kernel has killed a process for want of memory while it ran.
        has_lost_leash: whether it was ended because the process that held it was killed.
        seconds: the time limit that was its end.
        memory: what it held and was allowed, in words, where that was its end.
    """

    code: int
    short_of_memory: bool = False
    has_lost_leash: bool = False
    seconds: float | None = None
    memory: str | None = None

    @property
    def signal(self) -> signal.Signals | None:
        """The signal that was its end; of a shell's, also that of the command in it."""
        try:
            return signal.Signals(self.code - SIGNALLED)
        except ValueError:
            return None

    @property
    def cause(self) -> str | None:
        """What the signal was that was its end; None when it ended by itself."""
        if self.seconds is not None:
            return f"was ended after {self.seconds:g} seconds, its time limit (DeadlineExceeded)"
        if self.memory is not None:
            return f"was killed, as it held {self.memory} (OOMKilled)"
        if self.signal is None:
            return None
        said = f"was killed by {self.signal.name}"
        if self.has_lost_leash:
            said = f"was ended, as the process that held it {said}"
        if self.short_of_memory and self.signal is signal.SIGKILL:
            said += "; the machine was short of memory"
        return said

    def __str__(self) -> str:
        if self.cause is None:
            return f"ended with exit code {self.code}"
        return f"{self.cause} (exit code {self.code})"


class MemoryWatch:
    """Says of processes that end from now on whether memory ran out meanwhile."""

    def __init__(self) -> None:
        self._before = count_oom_kills()

    def ending(self, code: int) -> Ending:
        """The ending of a process.

        Args:
            code: of a process that `start` returned: 128 + N when signal N was the end; -N when
                that was the end of its leash.
        """
        is_short = count_oom_kills() > self._before
        return Ending(code, is_short) if code >= 0 else Ending(SIGNALLED - code, is_short, True)


def start(
    command: Sequence[str | Path],
    output: IO[Any] | int,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    keep_daemons: bool = False,
    processors: Iterable[int] = (),
) -> Process:
    """Starts a command in a process group of its own, which ends when this process ends.

    Args:
        command: the program and its arguments; one that cannot be started exits with 127.
        output: an open file, or subprocess.PIPE, for what it writes to both streams.
        folder: its working folder; this process's own when None.
        environment: all of its environment variables; this process's own when None.
        keep_daemons: leave alone what it starts in sessions of their own.
        processors: the numbers of those that it may run on (Linux); all when there are none.

    Returns:
        The process; its exit code is the command's, 128 + N when signal N ended it.
    """
    options = [leash.KEEP_DAEMONS] if keep_daemons else []
    if numbers := ",".join(map(str, processors)):
        options.append(f"{leash.PROCESSORS}{numbers}")
    return subprocess.Popen(
        [sys.executable, "-I", "-S", leash.__file__, *options, *map(str, command)],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def end(processes: Iterable[Process], seconds: float = leash.SECONDS_TO_END) -> None:
    """Ends processes that `start` returned and what they started: asks first, then kills."""
    processes = list(processes)
    for process in processes:
        leash.signal_group(process.pid, signal.SIGTERM)
    _wait(processes, seconds)
    # The leash kills, while it lives: only it knows the daemons below it.
    for process in processes:
        tell_to_kill(process)
    _wait(processes, SECONDS_TO_KILL)
    for process in processes:
        leash.signal_group(process.pid, signal.SIGKILL)
        process.wait()


def _wait(processes: Iterable[Process], seconds: float) -> None:
    """Waits until the processes have ended, but not for longer."""
    deadline = time.monotonic() + seconds
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        # When the outer process of a leash was killed, the inner one ends the group.
        while was_killed(process) and leash.has_group(process.pid) and time.monotonic() < deadline:
            time.sleep(SECONDS_BETWEEN_LOOKS)


def was_killed(process: Process) -> bool:
    """Whether the leash itself was killed, and not the command that it held."""
    return process.returncode is not None and process.returncode < 0


def tell_to_kill(process: Process) -> None:
    """Has the leash kill all that is below it, at once."""
    if process.stdin:
        with contextlib.suppress(OSError, ValueError):  # it has ended; closed already
            process.stdin.write(b"!")
            process.stdin.close()


def with_own_python(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables with which a container's command runs here as a process.

    `python3` is this interpreter, with this environment's packages, in place of the image's;
    what it prints comes at once, as a container's log does.
    """
    path = path_with(Path(sys.executable).parent, environ)
    return {**environ, "PATH": path, "PYTHONUNBUFFERED": "1"}


def path_with(folder: Path, environ: Mapping[str, str]) -> str:
    """The variable PATH with a folder before all others."""
    return os.pathsep.join([str(folder), environ.get("PATH") or os.defpath])
