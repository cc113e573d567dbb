"""Serves trained models until it is told to end."""

import contextlib
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from fastkf.base.errors import UsageError
from fastkf.base.ports import PortError, bind
from fastkf.runs.progress import Progress
from fastkf.serving.folders import find_models

LOOPBACK = ("127.0.0.1", "localhost")


def serve_models(folders: list[Path], host: str, port: int, display: Progress) -> None:
    """Serves models until Ctrl-C or SIGTERM.

    Args:
        folders: a folder for each model, named as the model.
        host: the address to listen on.
        port: the TCP port; 0 for a free one.
        display: where the models and the server's address are shown.

    Raises:
        UsageError: no such folder, no model in it, two of one name, an address not to be had.
        FastkfError: a model does not load.
    """
    found = find_models(folders)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), _bind(host, port) as listener:
        if host not in LOOPBACK:
            display.warn(f"whoever can reach {host} can ask the models")
        with _no_arguments():
            from fastkf.serving.load import load_model
            from fastkf.serving.server import Server
        models = []
        for folder in found:
            models.append(load_model(folder))
            for warning in models[-1].warnings:
                display.warn(warning)
            display.done(f"{folder.name}: {models[-1].description}")
        address = "http://{}:{}".format(*listener.getsockname()[:2])
        Server(
            models, listener, lambda: display.say(f"Serving at {address} (Ctrl-C ends it)")
        ).serve()
    display.say("Stopped")


def _bind(host: str, port: int) -> socket.socket:
    try:
        return bind(host, port)
    except PortError as error:
        raise UsageError(error.problem, error.remedy) from error


@contextlib.contextmanager
def _no_arguments() -> Iterator[None]:
    """kserve reads the command line of whatever program imports it, as if it were its own."""
    arguments = sys.argv[1:]
    del sys.argv[1:]
    try:
        yield
    finally:
        sys.argv[1:] = arguments
