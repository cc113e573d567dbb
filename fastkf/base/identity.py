"""Which process it is: an id is given to another process later, an id with a start time is not."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class ProcessIdentity:
    """A process of this machine, also for whoever looks at it later.

    Attributes:
        pid: its id.
        started: when it started, as `start_time` says.
    """

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity":
        """The process that has an id now.

        Raises:
            psutil.Error: there is none, or it may not be looked at.
        """
        return cls(pid, start_time(pid))

    def is_own(self) -> bool:
        """Whether it lives, is this very process, and is this user's."""
        try:
            process = psutil.Process(self.pid)
            users = process.uids()
            return (
                start_time(self.pid) == self.started
                and {users.real, users.effective} == {os.geteuid()}
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except (psutil.Error, OSError, ValueError, OverflowError):
            return False


def listens_on(pid: int, port: int, address: str | None = None) -> bool:
    """Whether a socket of a process itself listens on a port; only the process's user may ask.

    Args:
        address: where; any address of this machine when None.
    """
    try:
        process = psutil.Process(pid)
        list_sockets = getattr(process, "net_connections", process.connections)  # psutil 6
        sockets = list_sockets("tcp")
    except psutil.Error:
        return False
    return any(
        one.status == psutil.CONN_LISTEN
        and one.laddr.port == port
        and address in (None, one.laddr.ip)
        for one in sockets
    )


def start_time(pid: int) -> float:
    """When a process started, as a number that stays the same when the clock is set.

    On Linux clock ticks since the system's start (proc_pid_stat(5), field 22): psutil adds the
    time of that start, which moves with the clock. Elsewhere seconds since 1970.

    Raises:
        psutil.Error: there is no such process.
    """
    if sys.platform != "linux":
        return float(psutil.Process(pid).create_time())
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError as error:
        raise psutil.NoSuchProcess(pid) from error
    return float(text.rpartition(")")[2].split()[19])  # the name before it may hold anything
