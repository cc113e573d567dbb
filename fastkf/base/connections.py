"""Connections of strangers: how many a server holds, and for how long.

uvicorn limits the size of headers, with h11, but neither how many connections there are nor how
long one of them may say nothing.
"""

import asyncio
import logging
import resource
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from fastkf.base.errors import FastkfError

LARGEST_HEADERS = 64 * 2**10  # bytes
MOST_CONNECTIONS = 512
FEWEST_CONNECTIONS = 16
ACCEPTED_AT_ONCE = 64
WAITING = 1024  # connections that the system holds until they are accepted
# Seconds that a client has for a request's headers, for its body, and for reading an answer.
SECONDS_FOR_HEADERS = 10.0
SECONDS_FOR_BODY = 120.0
SECONDS_FOR_READING = 60.0
SECONDS_UNTIL_REFUSED = 1.0


class TooFewFilesError(FastkfError):
    """This process may open too few files for a server."""


class Server(uvicorn.Server):
    """A server that keeps answering whatever strangers do.

    Args:
        app: an ASGI application.
        on_ready: called when requests are answered.
        settings: more of uvicorn's settings.

    Raises:
        TooFewFilesError: the limit on open files leaves nothing for connections.
    """

    def __init__(self, app: Any, on_ready: Callable[[], None], **settings: Any):
        limits: dict[str, Any] = {
            "http": partial(GuardedConnection, gate=Gate(most_connections())),
            "ws": "none",  # a WebSocket would leave the protocol, and its limits
            "h11_max_incomplete_event_size": LARGEST_HEADERS,
            "backlog": ACCEPTED_AT_ONCE,
            "proxy_headers": False,  # a guard must see who is really there
            # What strangers send wrongly is no event of the server, and its log is finite.
            "log_level": "error",
            "access_log": False,
        }
        super().__init__(uvicorn.Config(app, **limits, **settings))
        logging.getLogger("uvicorn.error").addFilter(is_fault)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            for listener in sockets or ():
                # asyncio takes one number for what it accepts at once and what the system holds.
                listener.listen(WAITING)
            self._on_ready()


def is_fault(record: logging.LogRecord) -> bool:
    """Whether a line of the log is of more than a request that the end of the server has cut off.

    How many those are, uvicorn says in one line. Their tracebacks would fill the pipe of a parent
    that reads no more of it, and the server would wait for that instead of ending.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def most_connections() -> int:
    """Half of the files that this process may open: the rest is for the database and for runs.

    Raises:
        TooFewFilesError: that is not enough.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    # While so many wait to be closed, as many can have been accepted.
    connections = min(MOST_CONNECTIONS, files // 2 - 2 * ACCEPTED_AT_ONCE)
    if connections < FEWEST_CONNECTIONS:
        least = 2 * (FEWEST_CONNECTIONS + 2 * ACCEPTED_AT_ONCE)
        raise TooFewFilesError(
            f"this process may open only {files} files, and a server needs {least}",
            f"raise the limit: ulimit -n {max(least, 1024)}",
        )
    return connections


class Gate:
    """The open connections of a server, the oldest first.

    When there are too many, the oldest that waits for its client is closed: somebody who has just
    come with a whole request is never the one.
    """

    def __init__(self, most: int):
        self.most = most
        self._open: dict[GuardedConnection, None] = {}

    def enter(self, newcomer: "GuardedConnection") -> None:
        self._open[newcomer] = None
        if len(self._open) > self.most:
            # The newcomer at least: its request is still to come.
            next(one for one in self._open if one.waits_for_client).drop()

    def leave(self, connection: "GuardedConnection") -> None:
        self._open.pop(connection, None)


class GuardedConnection(H11Protocol):
    """A connection that ends when its client takes too long, or makes room for another."""

    def __init__(self, *arguments: Any, gate: Gate, **settings: Any):
        super().__init__(*arguments, **settings)
        self._gate = gate
        self._writes = True
        self._watched: object = None
        self._end: asyncio.TimerHandle | None = None

    @property
    def waits_for_client(self) -> bool:
        """Whether the next thing to happen is the client's: a request, its rest, or reading."""
        return not self._writes or self.conn.their_state in (h11.IDLE, h11.SEND_BODY, h11.ERROR)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        self._gate.enter(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._gate.leave(self)
        self._forget()
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writes = False
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._writes = True
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Answers who speaks no HTTP, or without end; not at once, or that client would be back."""
        self.transport.pause_reading()
        self.loop.call_later(SECONDS_UNTIL_REFUSED, self._refuse, msg)

    def drop(self) -> None:
        """Closes it at once, whatever is still to be sent."""
        self._gate.leave(self)
        self.transport.abort()

    def _refuse(self, message: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response(message)

    def _watch(self) -> None:
        """Starts the time anew when the client has come a step further, not with each byte."""
        state = (self._writes, self.conn.their_state)
        if state == self._watched:
            return
        self._watched = state
        self._forget()
        if self.waits_for_client:
            seconds = SECONDS_FOR_READING if not self._writes else SECONDS_FOR_BODY
            if self._writes and self.conn.their_state is h11.IDLE:
                seconds = SECONDS_FOR_HEADERS
            self._end = self.loop.call_later(seconds, self.drop)

    def _forget(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None
