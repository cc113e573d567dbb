"""Serves one data folder until it is told to end."""

import socket
from collections.abc import Callable

import uvicorn
from filelock import FileLock, Timeout

from fastkf.errors import FastkfError
from fastkf.server.app import create_app
from fastkf.server.settings import Settings

SECONDS_TO_END = 10


def serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM; the runs' processes end too.

    Args:
        on_ready: called with the address when requests are answered.

    Raises:
        FastkfError: another server has the folder, or the port is taken.
    """
    _make_private(settings)
    lock = FileLock(settings.folder / "server.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise FastkfError(
            f"{settings.folder}: another fastkf server has this folder; use that one, end it, or "
            "name another --folder"
        ) from error
    with lock, _listen(settings) as listener:
        app = create_app(settings)
        server = _Server(listener, on_ready, app)
        server.run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, listener: socket.socket, on_ready: Callable[[str], None], app):
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                lifespan="on",
                server_header=False,
                timeout_graceful_shutdown=SECONDS_TO_END,
                limit_concurrency=None,
            )
        )
        self._listener, self._on_ready = listener, on_ready

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready(address_of(self._listener))


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(settings: Settings) -> socket.socket:
    try:
        family = socket.getaddrinfo(settings.host, settings.port)[0][0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        return listener
    except OSError as error:
        raise FastkfError(
            f"{settings.host}:{settings.port}: cannot listen there ({error.strerror or error}); "
            "another program may have the port: choose another --port, or 0 for a free one"
        ) from error


def _make_private(settings: Settings) -> None:
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.folder.chmod(0o700)
    for name in ("pipelines", "runs"):
        (settings.folder / name).mkdir(exist_ok=True, mode=0o700)
