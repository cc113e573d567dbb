"""Serves one data folder until it is told to end."""

import contextlib
import dataclasses
import socket
from collections.abc import Callable, Iterator

from filelock import FileLock, Timeout

from fastkf.base import local_server
from fastkf.base.connections import Server
from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.files import is_user_folder
from fastkf.base.outputs import cannot_be_written
from fastkf.base.ports import bind, is_loopback, url_of
from fastkf.base.signals import on_end
from fastkf.base.tokens import make_token
from fastkf.server import leftovers
from fastkf.server.app import create_app
from fastkf.server.settings import Settings

SECONDS_TO_ANSWER = 3  # what is asked when the server is told to end
BROUGHT = {local_server.TOKEN, local_server.PANEL_TOKEN, "lost+found"}  # into a new folder


def serve(settings: Settings, on_ready: Callable[[str, str | None], None]) -> None:
    """Serves until SIGINT, SIGTERM or SIGHUP; the runs' processes end too.

    While it serves, server.json in the folder tells this user's programs where it is.

    Args:
        settings: its token and its secret are replaced by the folder's own.
        on_ready: called when requests are answered, with the address and the token, if it has one.

    Raises:
        UsageError: the server was to be open to all on an address that others reach, the port is
            taken, or the folder has other files in it.
        FastkfError: another server has the folder, or the files are unusable.
    """
    with _lock(settings), bind(settings.host, settings.port) as listener:
        _check_access(settings, listener)
        _make_folders(settings)
        url = url_of(listener)
        note = local_server.describe(url, settings.folder)
        settings = _complete(settings, listener.getsockname()[1], note.secret)

        def announce() -> None:
            local_server.write(settings.folder, note)
            on_ready(url, None if settings.is_open else settings.token)

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


def _complete(settings: Settings, port: int, secret: str) -> Settings:
    return dataclasses.replace(
        settings,
        port=port,
        token=make_token(settings.token_file),
        panel_token=make_token(settings.panel_token_file),
        secret=secret,
    )


class _Server(Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ends on a signal, and has that for success; uvicorn would raise the signal again."""
        on_end(self.handle_exit)
        yield


def _lock(settings: Settings) -> FileLock:
    """Makes the folder, and takes it for this process."""
    _make_own_folder(settings)
    settings.folder.chmod(0o700)  # before there is anything in it
    lock = FileLock(settings.folder / local_server.LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise FastkfError(
            f"{settings.folder}: another fastkf server works in this folder{_where(settings)}",
            "use that one, end it, or name another --folder",
        ) from error
    return lock


def _make_own_folder(settings: Settings) -> None:
    """Makes the folder, if it is not there; one that holds anything else is not taken.

    A server closes its folder to others, and tidies it up.
    """
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if is_user_folder(settings.folder):  # nobody has named it
            raise
        if isinstance(error, FileExistsError | NotADirectoryError):
            raise UsageError(f"{settings.folder}: is no folder", "name a new --folder") from error
        raise cannot_be_written(settings.folder, error) from error
    names = {path.name for path in settings.folder.iterdir()} - BROUGHT
    if names and names.isdisjoint({local_server.LOCK, settings.database.name}):
        raise UsageError(f"{settings.folder}: other files are in it", "name a new --folder")


def _check_access(settings: Settings, listener: socket.socket) -> None:
    if settings.is_open and not is_loopback(listener):
        raise UsageError(
            f"--host {settings.host}: without a token the server would be open to the network",
            "leave out --host or --no-token",
        )


def _where(settings: Settings) -> str:
    with contextlib.suppress(FastkfError):
        if local := local_server.read(settings.folder):
            return f" ({local.url})"
    return ""


def _make_folders(settings: Settings) -> None:
    """What is in the folder of a server; only who holds its lock may move anything there."""
    leftovers.set_aside(settings)
    for name in ("pipelines", "runs"):
        (settings.folder / name).mkdir(exist_ok=True)
