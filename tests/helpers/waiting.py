"""Waiting in tests, with an end."""

import contextlib
import time
from collections.abc import Callable, Iterable

import psutil

# Between two looks: more and more, since a look at a server costs both sides their work.
FIRST, MORE, MOST = 0.02, 1.25, 0.2


def wait_for(condition: Callable, seconds: float = 300):
    """Waits until the condition holds; returns what it then is.

    The limit is for a machine with forty processes in its queue, where a run takes a minute to
    begin. A test that passes does not wait for it.
    """
    deadline, pause = time.monotonic() + seconds, FIRST
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(pause)
        pause = min(pause * MORE, MOST)
    return found


def wait_until_gone(pids: Iterable[int], seconds: float = 15) -> set[int]:
    """Waits until the processes have ended; returns those that have not."""
    pids = list(pids)
    with contextlib.suppress(AssertionError):
        wait_for(lambda: not any(map(is_alive, pids)), seconds)
    return set(filter(is_alive, pids))


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and that nobody has waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
