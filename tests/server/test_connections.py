"""Connections of strangers end; the owner's requests are answered."""

import asyncio
import contextlib
import resource
import socket
import subprocess
import sys
import threading

import psutil
import pytest
from servers import Server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from strangers import ENDLESS, connect, endless_headers, idle, is_closed
from waiting import wait_for

from fastkf.base import connections
from fastkf.base.ports import bind

pytestmark = pytest.mark.security
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
SHORT = 0.2  # seconds


class Small:
    """A server in this process, of an application that answers with what it is sent."""

    def __init__(self, **settings):
        self.going, self.may_answer = threading.Event(), threading.Event()
        routes = [
            Route("/", self.echo, methods=["GET", "POST"]),
            Route("/large", lambda request: Response(b"x" * 2**20)),
            Route("/slow", self.wait),
            Route("/endless", self.work_on),
        ]
        ready = threading.Event()
        self.listener = bind("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.server = connections.Server(Starlette(routes=routes), ready.set, **settings)
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],))
        self.thread.start()
        assert ready.wait(30)

    async def echo(self, request: Request) -> Response:
        return Response(b"<" + await request.body() + b">")

    async def work_on(self, request: Request) -> Response:
        self.going.set()
        await asyncio.Event().wait()
        return Response("never")

    def wait(self, request: Request) -> Response:
        self.going.set()
        self.may_answer.wait(30)
        return Response("done")

    def stop(self) -> None:
        self.may_answer.set()
        self.server.should_exit = True
        self.thread.join()
        self.listener.close()

    @property
    def count(self) -> int:
        return len(self.server.server_state.connections)


@pytest.fixture
def small():
    server = Small()
    yield server
    server.stop()


def answer_to(connection: socket.socket, request: bytes = REQUEST) -> bytes:
    connection.sendall(request)
    return connection.recv(65536)


def test_who_says_nothing_is_sent_away(monkeypatch, small):
    monkeypatch.setattr(connections, "SECONDS_FOR_HEADERS", SHORT)
    with connect(small.url) as connection:
        assert is_closed(connection)


def test_headers_that_come_byte_by_byte_gain_no_time(monkeypatch, small):
    monkeypatch.setattr(connections, "SECONDS_FOR_HEADERS", SHORT)
    with connect(small.url) as connection:
        connection.settimeout(0.02)
        wait_for(lambda: not goes_on(connection), 30)


def goes_on(connection: socket.socket) -> bool:
    """Sends one more byte; whether the connection is still there."""
    try:
        connection.sendall(b"G")
        return bool(connection.recv(10))
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch, small):
    monkeypatch.setattr(connections, "SECONDS_FOR_BODY", SHORT)
    with connect(small.url) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
        assert is_closed(connection)


def test_who_reads_no_answer_is_sent_away(monkeypatch, small):
    monkeypatch.setattr(connections, "SECONDS_FOR_READING", SHORT)
    with connect(small.url) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with contextlib.suppress(OSError):
            connection.sendall(REQUEST.replace(b"/ ", b"/large ", 1) * 50)
        wait_for(lambda: small.count == 0)


def test_a_connection_is_used_again(monkeypatch, small):
    monkeypatch.setattr(connections, "SECONDS_FOR_HEADERS", 30)
    with connect(small.url) as connection:
        for body in (b"one", b"two"):
            head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
            assert answer_to(connection, head.encode() + body).endswith(b"<" + body + b">")
        assert answer_to(connection).endswith(b"<>")


def test_a_request_that_is_worked_on_has_all_the_time(monkeypatch, small):
    for name in ("SECONDS_FOR_HEADERS", "SECONDS_FOR_BODY", "SECONDS_FOR_READING"):
        monkeypatch.setattr(connections, name, SHORT)
    with connect(small.url) as connection, connect(small.url) as other:
        connection.sendall(REQUEST.replace(b"/ ", b"/slow ", 1))
        assert small.going.wait(30)
        assert is_closed(other)  # as much time has gone by
        small.may_answer.set()
        assert connection.recv(65536).endswith(b"done")


@pytest.mark.parametrize(
    "request_head",
    [
        ENDLESS + b"x: " + b"x" * 200_000,
        ENDLESS + b"x: y\r\n" * 50_000,
        b"GET /" + b"x" * 200_000,
        b"x" * 200_000,
    ],
    ids=["one header", "many headers", "address", "no HTTP"],
)
def test_long_headers_are_refused(monkeypatch, small, request_head):
    monkeypatch.setattr(connections, "SECONDS_UNTIL_REFUSED", 0)
    with connect(small.url) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request_head)
        assert is_closed(connection)


def test_headers_within_the_limit_are_read(small):
    with connect(small.url) as connection:
        assert b"200 OK" in answer_to(connection, ENDLESS + b"x: " + b"x" * 50_000 + b"\r\n\r\n")


def test_what_the_end_of_a_server_cuts_off_is_told_once(capfd):
    """Not with a traceback each: whoever reads none of it would keep the server from ending."""
    server = Small(timeout_graceful_shutdown=0)
    with connect(server.url) as connection:
        connection.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert server.going.wait(30)
        server.stop()
    told = capfd.readouterr().err
    assert "Cancel 1 running task(s)" in told
    assert "Traceback" not in told


def test_a_websocket_is_an_ordinary_request(small):
    """It would leave the limits."""
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
    with connect(small.url) as connection:
        assert b"200 OK" in answer_to(connection, ENDLESS + upgrade)


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setattr(connections, "most_connections", lambda: 10)
    server = Small()
    yield server
    server.stop()


def test_the_oldest_that_says_nothing_makes_room(narrow):
    with contextlib.ExitStack() as stack:
        strangers = [stack.enter_context(connect(narrow.url)) for _ in range(10)]
        wait_for(lambda: narrow.count == 10)
        with connect(narrow.url) as owner:
            assert b"200 OK" in answer_to(owner)
            assert is_closed(strangers[0])
            assert narrow.count == 10


def test_who_waits_for_an_answer_keeps_the_place(narrow):
    with connect(narrow.url) as owner:
        owner.sendall(REQUEST.replace(b"/ ", b"/slow ", 1))
        assert narrow.going.wait(30)
        with idle(narrow.url, 30):
            wait_for(lambda: narrow.count <= 10)
            narrow.may_answer.set()
            assert owner.recv(65536).endswith(b"done")


@pytest.mark.parametrize(("files", "most"), [(1024, 384), (65536, 512), (400, 72)])
def test_files_are_left_for_the_database_and_for_runs(monkeypatch, files, most):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (files, files))
    assert connections.most_connections() == most
    assert 2 * most < files or most == connections.MOST_CONNECTIONS


def test_a_server_with_too_few_files_says_so(tmp_path):
    words = [sys.executable, "-m", "fastkf.cli", "server", "--folder", tmp_path / "server"]
    limited = ["sh", "-c", 'ulimit -n 100; exec "$@"', "sh", *words, "--port", "0"]
    result = subprocess.run(limited, capture_output=True, text=True)
    assert result.returncode == 1
    assert "may open only 100 files" in result.stderr
    assert "ulimit -n 1024" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_the_owner_is_answered_whatever_strangers_do(tmp_path):
    with Server(tmp_path / "server", fresh=True) as server:
        process = psutil.Process(server.process.pid)
        before = process.memory_info().rss
        with idle(server.url, 600), endless_headers(server.url, 3):
            for _ in range(5):
                assert server.call("GET", "/healthz")[0] == 200
            assert process.num_fds() < 700
            assert process.memory_info().rss - before < 30e6
        assert server.call("GET", "/runs")[0] == 200
