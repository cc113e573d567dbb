"""The memory that processes hold, as the kernel counts it against a container.

What is read of files (programs, libraries) does not count: the kernel lets go of it when memory is
short. What several processes share is counted once, in equal parts. See proc(5) and the kernel's
guide to control groups.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

HAS_PROC = sys.platform == "linux"
COUNTED = ("Pss_Anon:", "Pss_Shmem:", "SwapPss:")
COUNTED_ALONE = ("RssAnon:", "RssShmem:", "VmSwap:")  # where the kernel keeps no shares


def list_below(roots: Iterable[int]) -> set[int]:
    """The processes below some processes, without these."""
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        for child in list_children(waiting.pop()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def list_children(pid: int) -> list[int]:
    return list(_list_children(pid))


def _list_children(pid: int) -> Iterator[int]:
    with suppress(OSError, psutil.Error):
        folder = Path(f"/proc/{pid}/task")
        if not Path(f"/proc/{pid}/task/{pid}/children").exists():
            yield from (child.pid for child in psutil.Process(pid).children())
            return
        for thread in os.listdir(folder):
            with suppress(OSError):  # it has ended
                yield from map(int, (folder / thread / "children").read_text().split())


def measure(pids: Iterable[int], enough: float = 0) -> int:
    """The bytes that processes hold together.

    Args:
        enough: while all that they have mapped is not more, that is the answer, since it is known
            without asking for the shares.
    """
    known = list(pids)
    mapped = sum(map(_mapped, known))
    if mapped <= enough or not HAS_PROC:
        return mapped
    return sum(map(_held, known))


def _mapped(pid: int) -> int:
    with suppress(OSError, psutil.Error):
        if not HAS_PROC:
            return int(psutil.Process(pid).memory_info().rss)
        return _count(pid, "status", ("VmRSS:", "VmSwap:"))
    return 0


def _held(pid: int) -> int:
    for name, fields in (("smaps_rollup", COUNTED), ("status", COUNTED_ALONE)):
        with suppress(OSError):
            if held := _count(pid, name, fields):
                return held
    return 0


def _count(pid: int, name: str, fields: tuple[str, ...]) -> int:
    """The sum of fields of a file in /proc, whose lines are `NAME: NUMBER kB`."""
    words = [line.split() for line in Path(f"/proc/{pid}/{name}").read_text().splitlines()]
    return 1024 * sum(int(line[1]) for line in words if line and line[0] in fields)
