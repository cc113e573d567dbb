"""Strangers who hold connections of a server: they say nothing, or never come to an end."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

ENDLESS = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
LINE = b"x-stranger: " + b"x" * 1000 + b"\r\n"


def connect(url: str, seconds: float = 10) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), seconds)


@contextlib.contextmanager
def idle(url: str, count: int) -> Iterator[list[socket.socket]]:
    """Connections on which nothing is sent."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connect(url)) for _ in range(count)]


@contextlib.contextmanager
def endless_headers(url: str, count: int) -> Iterator[None]:
    """Clients whose headers have no end; each comes again when the server ends the connection."""
    ended = threading.Event()

    def send() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError), connect(url) as connection:
                connection.sendall(ENDLESS)
                while not ended.is_set():
                    connection.sendall(LINE)

    threads = [threading.Thread(target=send, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def is_closed(connection: socket.socket) -> bool:
    """Whether the server has ended a connection; waits for what it sends until then."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True
