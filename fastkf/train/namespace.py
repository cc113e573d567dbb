"""A network namespace of Linux as a program; it imports the standard library only.

    python -I -S namespace.py                  makes one, prints its process's id, and keeps it
    python -I -S namespace.py PID COMMAND...   runs a command in the namespace of process PID

See unshare(2), setns(2), user_namespaces(7) and network_namespaces(7).
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
from pathlib import Path

NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000  # from linux/sched.h
SET_FLAGS, UP = 0x8914, 0x1  # from linux/sockios.h and linux/if.h


def main() -> None:
    """Does what the arguments ask for; exits with the system's reason where it may not."""
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.argv[1:]:
        enter(libc, *sys.argv[1:])
    else:
        make(libc)


def make(libc: ctypes.CDLL) -> None:
    """Makes a namespace whose loopback device is up, and keeps it until this process ends."""
    user, group = os.getuid(), os.getgid()
    # The user's namespace first and together: only its owner may make a network in it.
    check(libc.unshare(NEW_USER | NEW_NETWORK))
    # Keeps the user's name and number: a file that is theirs outside is theirs inside. The kernel
    # takes the group's map only when setgroups is denied before.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh", b"lo", UP))
    print(os.getpid(), flush=True)
    signal.pause()


def enter(libc: ctypes.CDLL, pid: str, *command: str) -> None:
    """Becomes the command, in the namespace of a process; does not return."""
    # The user's namespace first: it gives the right to enter the network's.
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
    """Exits with the reason when a call of the C library has failed."""
    if result:
        sys.exit(os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main()
