"""Turns at what only one process may make at a time, and the others use when it is made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def take_turn(lock: Path, made: str, say: Callable[[str], None]) -> Iterator[None]:
    """Waits for the turn, and says so where another process has it.

    Args:
        lock: a file; it is made, and stays.
        made: what is made in turn, such as "the same environment".

    Raises:
        OSError: the file cannot be made.
    """
    turn = FileLock(lock)
    try:
        turn.acquire(timeout=0)
    except Timeout:
        say(f"another process makes {made}; waiting for it")
        turn.acquire()
    try:
        yield
    finally:
        turn.release()
