"""Serves trained models until it is told to end."""

import contextlib
import shlex
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastkf.base.errors import UsageError
from fastkf.base.guard import Access
from fastkf.base.ports import bind, is_loopback, url_of
from fastkf.base.tokens import make_token, new_token, read_token
from fastkf.runs.progress import Progress
from fastkf.serving.folders import find_models


@dataclass(frozen=True)
class Address:
    """Where a model server listens, and who may ask it.

    Attributes:
        port: the TCP port; 0 for a free one.
        token_file: the file with the token that requests carry, made when it is missing; None for
            a new token, which is shown.
        is_open: whether whoever reaches the server may ask, without a token.
    """

    host: str = "127.0.0.1"
    port: int = 0
    token_file: Path | None = None
    is_open: bool = False


def serve_models(folders: list[Path], address: Address, display: Progress) -> None:
    """Serves models until Ctrl-C or SIGTERM.

    Args:
        folders: a folder for each model, named as the model.
        display: where the models and the server's address are shown.

    Raises:
        UsageError: no such folder, no model in it, two of one name, an address not to be had, or
            one that others reach without a token.
        FastkfError: a model does not load, or the token's file is no such file.
    """
    found = find_models(folders)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), _bind(address) as listener:
        access = _choose_access(address)
        if not is_loopback(listener):
            display.warn(
                f"whoever can reach {address.host} can ask with the token; nothing of it "
                "is encrypted"
            )
        with _no_arguments():
            from fastkf.serving.load import load_model
            from fastkf.serving.server import Server
        models = []
        for folder in found:
            models.append(load_model(folder, display.warn))
            for warning in models[-1].warnings:
                display.warn(warning)
            display.done(f"{folder.name}: {models[-1].description}")
        url = url_of(listener)

        def announce() -> None:
            display.say(f"{_describe_access(address, access)}\nServing at {url} (Ctrl-C ends it)")

        Server(models, listener, announce, access, display.warn).serve()
    display.say("Stopped")


def _choose_access(address: Address) -> Access:
    if address.is_open:
        return Access(None, address.host)
    token = _read_token(address.token_file) if address.token_file else new_token()
    where = address.token_file or "the terminal that the server was started in"
    return Access(token, address.host, hint=f"; it is in {where}")


def _read_token(file: Path) -> str:
    """The user's own token is never written over, not even one that others can read."""
    return read_token(file) if file.exists() else make_token(file)


def _describe_access(address: Address, access: Access) -> str:
    if access.token is None:
        return "Every user of this machine may ask, without a token"
    token = f"$(cat {shlex.quote(str(address.token_file))})" if address.token_file else access.token
    return f'Requests carry a token: curl --header "Authorization: Bearer {token}" ...'


def _bind(address: Address) -> socket.socket:
    listener = bind(address.host, address.port)
    if address.is_open and not is_loopback(listener):
        listener.close()
        raise UsageError(
            f"--host {address.host}: without a token the models would be open to the network",
            "leave out --host or --allow-unauthenticated",
        )
    return listener


@contextlib.contextmanager
def _no_arguments() -> Iterator[None]:
    """kserve reads the command line of whatever program imports it, as if it were its own."""
    arguments = sys.argv[1:]
    del sys.argv[1:]
    try:
        yield
    finally:
        sys.argv[1:] = arguments
