"""Child processes that end with this one, and free ports."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

from fastkf.base import leash


def free_ports(count: int) -> list[int]:
    """Different TCP ports of 127.0.0.1 that nothing listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def start(
    command: Sequence[str | Path],
    output: IO | int,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen:
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


def end(processes: Iterable[subprocess.Popen], seconds: float = leash.SECONDS_TO_END) -> None:
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


def _signal_groups(processes: list[subprocess.Popen], number: int) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
