"""Whose process is at the other end of a connection on this machine? Linux says it in /proc."""

import ipaddress
import os
import sys
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
ESTABLISHED = "01"
ROOT = 0


def can_tell() -> bool:
    """Whether this system tells who owns a connection."""
    return sys.platform == "linux" and TABLES[0].exists()


def is_same_user(client: tuple[str, int], server: tuple[str, int]) -> bool:
    """Whether a process of this user, or of root, holds the client's end of a connection.

    A socket that its process has closed already is listed as root's, with the inode 0: it does
    not count.
    """
    ours = (_normal(client), _normal(server))
    for table in TABLES:
        for local, remote, state, user, inode in _rows(table):
            if state == ESTABLISHED and (local, remote) == ours:
                return inode != 0 and user in (os.getuid(), ROOT)
    return False


def _rows(table: Path):
    """(local, remote, state, user, inode) of each connection, from proc_pid_net(5)."""
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return
    for line in lines:
        words = line.split()
        yield _read(words[1]), _read(words[2]), words[3], int(words[7]), int(words[9])


def _read(text: str) -> tuple:
    """An address such as 0100007F:1F90: 32-bit words in the machine's byte order, and the port."""
    address, port = text.split(":")
    words = [bytes.fromhex(address[at : at + 8]) for at in range(0, len(address), 8)]
    if sys.byteorder == "little":
        words = [word[::-1] for word in words]
    return _normal_address(ipaddress.ip_address(b"".join(words))), int(port, 16)


def _normal(end: tuple[str, int]) -> tuple:
    return _normal_address(ipaddress.ip_address(end[0].partition("%")[0])), end[1]


def _normal_address(address):
    return getattr(address, "ipv4_mapped", None) or address
