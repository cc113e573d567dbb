"""A network of their own for child processes, in which there is nothing but the loopback device.

TensorFlow's servers listen on all network devices of a machine, and ask nobody for a password. So
the workers of a job get a network namespace of Linux, which a process keeps alive that this file
is the program of:

    python loopback.py                  makes the namespace and waits
    python loopback.py PID COMMAND...   runs a command in the namespace of process PID
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000  # from linux/sched.h
SET_FLAGS, UP = 0x8914, 0x1  # from linux/sockios.h and linux/if.h


class Loopback:
    """The network namespace, for as long as the context lasts.

    Attributes:
        is_private: whether the system allowed it; else commands run in the machine's own network.
    """

    def __enter__(self) -> "Loopback":
        from fastkf.base import processes

        self.is_private, self.keeper = False, None
        if sys.platform == "linux":
            self.keeper = processes.start([sys.executable, "-I", "-S", __file__], subprocess.PIPE)
            self.pid = self.keeper.stdout.readline().decode().strip()
            self.is_private = self.pid.isdigit()
        return self

    def __exit__(self, *_) -> None:
        from fastkf.base import processes

        if self.keeper:
            processes.end([self.keeper])
            self.keeper.stdout.close()

    def wrap(self, command: Sequence[str | Path]) -> list[str | Path]:
        """The command that runs a command in the namespace."""
        if not self.is_private:
            return [*command]
        return [sys.executable, "-I", "-S", __file__, self.pid, *command]


def main() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.argv[1:]:
        enter(libc, *sys.argv[1:])
    else:
        make(libc)


def make(libc) -> None:
    user, group = os.getuid(), os.getgid()
    check(libc.unshare(NEW_USER | NEW_NETWORK))
    # Keeps the user's name and number: a file that is theirs outside is theirs inside.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh", b"lo", UP))
    print(os.getpid(), flush=True)
    signal.pause()


def enter(libc, pid: str, *command: str) -> None:
    for name in ("user", "net"):
        handle = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY)
        check(libc.setns(handle, 0))
        os.close(handle)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(127)


def check(result: int) -> None:
    if result:
        sys.exit(os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main()
