"""Serves trained models on this machine through kserve's own model server."""

import contextlib
import signal
import socket
import sys
from pathlib import Path
from unittest import mock

from fastkf.base.errors import UsageError
from fastkf.base.ports import PortError, bind
from fastkf.runs.progress import Progress

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
    from fastkf.serving.folders import find_models, load_model

    found = find_models(folders)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), _bind(host, port) as listener:
        if host not in LOOPBACK:
            display.warn(f"whoever can reach {host} can ask the models")
        # kserve reads the command line when it is imported.
        with mock.patch.object(sys, "argv", sys.argv[:1]):
            from fastkf.serving.server import Server
        models = []
        for folder in found:
            models.append(load_model(folder))
            for warning in models[-1].warnings:
                display.warn(warning)
            display.done(f"{folder.name}: {models[-1].description}")
        address = "http://{}:{}".format(*listener.getsockname()[:2])
        server = Server(
            listener, on_ready=lambda: display.say(f"Serving at {address} (Ctrl-C ends it)")
        )
        server.start(models)
    display.say("Stopped")


def _bind(host: str, port: int) -> socket.socket:
    try:
        return bind(host, port)
    except PortError as error:
        raise UsageError(error.problem, error.remedy) from error
