"""A proxy that hinders: it passes requests on to a server, and does to some what a test asks.

with Proxy(upstream) as proxy:
    proxy.hinder(r"GET .*/runs/", drop, times=2)
    proxy.hinder(r"/experiments", answer(403, "RBAC: access denied"))
    use(proxy.url)
assert proxy.seen[0].path == "/apis/v2beta1/healthz"
"""

import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

ALWAYS = 1_000_000


@dataclass
class Request:
    """What the proxy was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Rule:
    pattern: re.Pattern
    do: Callable
    times: int


class Proxy:
    """Listens on 127.0.0.1 while the context lasts.

    Args:
        upstream: the server's address; None for a proxy whose every answer is a rule's.
        headers: what is passed on to it carries these, whatever the client has sent.
        port: where to listen; 0 for a free one.
    """

    def __init__(
        self, upstream: str | None = None, headers: dict[str, str] | None = None, port: int = 0
    ):
        self.upstream, self.rules, self.seen = upstream, [], []
        self.headers = headers or {}
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # An answer is sent in two parts, and the second would wait until the first is received.
            disable_nagle_algorithm = True

            def handle_any(self):
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, self.rfile.read(length))
                proxy.seen.append(request)
                proxy.choose(request)(self, request)

            do_GET = do_POST = do_PATCH = do_DELETE = do_HEAD = handle_any

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def encrypt(self, certificate: Path, key: Path) -> None:
        """Speaks https from now on."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")

    def hinder(self, pattern: str, do: Callable, times: int = ALWAYS) -> Rule:
        """Does `do` to the next requests whose "METHOD PATH" has the pattern in it."""
        rule = Rule(re.compile(pattern), do, times)
        self.rules.append(rule)
        return rule

    def choose(self, request: Request) -> Callable:
        for rule in self.rules:
            if rule.times > 0 and rule.pattern.search(f"{request.method} {request.path}"):
                rule.times -= 1
                return rule.do
        return self.pass_on if self.upstream else answer(404, "nothing is here")

    def pass_on(self, handler, request: Request) -> None:
        place = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        headers = {**request.headers, **self.headers}
        headers |= {"host": place.netloc, "connection": "close"}
        try:
            connection.request(request.method, request.path, request.body or None, headers)
            given = connection.getresponse()
            content = given.read()
        except OSError:
            drop(handler, request)
            return
        finally:
            connection.close()
        send(handler, given.status, content, dict(given.getheaders()))


def answer(status: int, body: str | bytes = "", **headers: str) -> Callable:
    """Answers so; a name like content_type is the header content-type."""
    content = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, request: send(handler, status, content, named)


def page(status: int, text: str) -> Callable:
    return answer(status, f"<!doctype html><html>{text}</html>", content_type="text/html")


def drop(handler, request) -> None:
    """Closes the connection without a word."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut(handler, request) -> None:
    """Begins an answer and closes the connection in the middle of it."""
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"run_id": "')
    handler.wfile.flush()
    drop(handler, request)


def slow(seconds: float) -> Callable:
    """Says nothing for a while, then closes the connection."""

    def wait(handler, request) -> None:
        time.sleep(seconds)
        drop(handler, request)

    return wait


def send(handler, status: int, content: bytes, headers: dict[str, str]) -> None:
    handler.send_response_only(status)
    for name, value in headers.items():
        if name.lower() not in ("content-length", "transfer-encoding", "connection"):
            handler.send_header(name, value)
    handler.send_header("content-length", str(len(content)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(content)
