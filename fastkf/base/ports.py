"""TCP ports: whether they are free, some that are, and a socket on one. Unix sockets' names."""

import contextlib
import errno
import ipaddress
import socket

from fastkf.base.errors import UsageError

LOOPBACK = "127.0.0.1"
LONGEST_ADDRESS = 100  # of a Unix socket, on any system


class PortError(UsageError):
    """An address on which nothing can listen."""


def is_free(port: int) -> bool:
    """Whether nothing listens on a port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections linger
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that nothing listens on now.

    Another program can take one before it is used: a program of our own is better given port 0.
    """
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in sockets]


def bind(host: str, port: int) -> socket.socket:
    """A socket that has an address, and does not listen yet.

    Args:
        host: an address or a name of this machine.
        port: the port; 0 for a free one.

    Raises:
        PortError: the port is taken, or the address is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # the latter of a text that is no name of a host
        raise _refuse(host, port, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _refuse(host, port, error) from error
    return listener


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine reaches a socket that has an address."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def url_of(listener: socket.socket) -> str:
    """The address of a server on a socket for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else LOOPBACK
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refuse(host: str, port: int, error: OSError | UnicodeError) -> PortError:
    reason = getattr(error, "strerror", None) or error
    of_host = isinstance(error, socket.gaierror | UnicodeError)
    return PortError(
        f"{host}:{port}: cannot listen there ({reason})",
        "give an address or a name of this machine, such as 127.0.0.1"
        if of_host or getattr(error, "errno", None) == errno.EADDRNOTAVAIL
        else "if another program has the port, choose another --port, or 0 for a free one",
    )
