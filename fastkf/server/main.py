"""Serves one data folder until it is told to end."""

import contextlib
import dataclasses
import ipaddress
import os
import secrets
import socket
from collections.abc import Callable, Iterator

from filelock import FileLock, Timeout

from fastkf.base import files, local_server
from fastkf.base.connections import Server
from fastkf.base.errors import FastkfError
from fastkf.base.local_server import LocalServer
from fastkf.base.ports import bind
from fastkf.base.signals import on_end
from fastkf.server import leftovers, peer_credentials
from fastkf.server.app import create_app
from fastkf.server.security import PARAMETER
from fastkf.server.settings import Settings

SECONDS_TO_ANSWER = 3  # what is asked when the server is told to end


def serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Serves until SIGINT, SIGTERM or SIGHUP; the runs' processes end too.

    While it serves, server.json in the folder has its `url`, `pid` and `token_file`.

    Args:
        settings: its token is replaced by the folder's own.
        on_ready: called when requests are answered, with the address for a browser.

    Raises:
        FastkfError: another server has the folder, the port is taken, or the files are unusable.
    """
    _make_folders(settings)
    with _lock(settings), bind(settings.host, settings.port) as listener:
        port = listener.getsockname()[1]
        settings = dataclasses.replace(settings, port=port, token=_read_token(settings))
        url = _address(listener)
        note = LocalServer(url, settings.token_file, os.getpid())

        def announce() -> None:
            local_server.write(settings.folder, note)
            is_open = not _is_loopback(listener) or not peer_credentials.can_tell()
            on_ready(f"{url}/?{PARAMETER}={settings.token}" if is_open else url)

        try:
            _Server(
                create_app(settings),
                announce,
                lifespan="on",
                server_header=False,
                timeout_graceful_shutdown=SECONDS_TO_ANSWER,
            ).run(sockets=[listener])
        finally:
            local_server.remove(settings.folder)


class _Server(Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ends on a signal, and has that for success; uvicorn would raise the signal again."""
        on_end(self.handle_exit)
        yield


def _lock(settings: Settings) -> FileLock:
    lock = FileLock(settings.folder / "server.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise FastkfError(
            f"{settings.folder}: another fastkf server works in this folder{_where(settings)}",
            "use that one, end it, or name another --folder",
        ) from error
    return lock


def _where(settings: Settings) -> str:
    with contextlib.suppress(FastkfError):
        if local := local_server.read(settings.folder):
            return f" ({local.url})"
    return ""


def _address(listener: socket.socket) -> str:
    """The address for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def _make_folders(settings: Settings) -> None:
    settings.folder.mkdir(parents=True, exist_ok=True)
    settings.folder.chmod(0o700)  # before there is anything in it
    leftovers.set_aside(settings)
    for name in ("pipelines", "runs"):
        (settings.folder / name).mkdir(exist_ok=True)


def _read_token(settings: Settings) -> str:
    """The folder's token, made when there is none; it stays, so that clients are set up once."""
    file = settings.token_file
    if not file.exists() or not file.read_text(encoding="ascii").strip():
        files.write_text(file, secrets.token_urlsafe(32) + "\n", mode=0o600)
    file.chmod(0o600)
    return file.read_text(encoding="ascii").strip()
