"""Child processes that end with this one, and the environment that they run in."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from fastkf.base import leash

Process = subprocess.Popen[bytes]


def start(
    command: Sequence[str | Path],
    output: IO[Any] | int,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Process:
    """Starts a command in a process group of its own, which ends when this process ends.

    Args:
        command: the program and its arguments; one that cannot be started exits with 127.
        output: an open file, or subprocess.PIPE, for what it writes to both streams.
        folder: its working folder; this process's own when None.
        environment: all of its environment variables; this process's own when None.

    Returns:
        The process; its exit code is the command's, 128 + N when signal N ended it.
    """
    return subprocess.Popen(
        [sys.executable, "-I", "-S", leash.__file__, *map(str, command)],
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
    _signal_groups(processes, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
    _signal_groups(processes, signal.SIGKILL)
    for process in processes:
        process.wait()
        if process.stdin:
            process.stdin.close()


def _signal_groups(processes: Iterable[Process], number: int) -> None:
    for process in processes:
        leash.signal_group(process.pid, number)


def with_own_python(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables with which a container's command runs here as a process.

    `python3` is this interpreter, with this environment's packages, in the place of the image's;
    what it prints comes at once, as a container's log does.
    """
    folders = [str(Path(sys.executable).parent), environ.get("PATH") or os.defpath]
    return {**environ, "PATH": os.pathsep.join(folders), "PYTHONUNBUFFERED": "1"}
