"""How often the kernel has killed a process because memory ran out."""

from collections.abc import Iterable
from pathlib import Path

# Of the whole machine (Linux 4.13), of this control group (version 2), and of version 1.
COUNTERS = (
    Path("/proc/vmstat"),
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
)
NAME = "oom_kill"


def count_oom_kills(counters: Iterable[Path] = COUNTERS) -> int:
    """The sum of the kernel's counters; more than before means that memory ran out meanwhile.

    Args:
        counters: files with lines `NAME NUMBER`; those that are not there count nothing.
    """
    return sum(map(_read_counter, counters))


def _read_counter(path: Path) -> int:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    found = [line.split()[1] for line in lines if line.split()[:1] == [NAME]]
    return sum(int(number) for number in found if number.isdigit())
