"""kserve's model server, on one socket, with answers that say what is wrong with a request."""

import asyncio
import functools
import logging
import socket
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import kserve
from fastapi.exceptions import FastAPIDeprecationWarning
from kserve import model_server
from kserve.errors import InvalidInput, ModelNotFound, ModelNotReady
from kserve.logging import KSERVE_LOG_CONFIG, configure_logging
from kserve.protocol.dataplane import DataPlane

from fastkf.base.errors import FastkfError
from fastkf.serving.folders import check_folder, load_model
from fastkf.serving.model import ServedModel
from fastkf.serving.routes import add_routes

SECONDS_TO_FINISH = 5
# What a client did wrong is in the answer; the log is for what the server did wrong.
FAULTS_OF_CLIENTS = (InvalidInput, ModelNotFound, ModelNotReady, NotImplementedError)


class Repository(kserve.ModelRepository):
    """Models by their names, and their versions as NAME/versions/NUMBER."""

    def __init__(self):
        super().__init__()
        self.folders: dict[str, Path] = {}

    def update(self, model: ServedModel, name: str | None = None) -> None:
        super().update(model, name)
        self.folders[name or model.name] = model.folder

    def get_model(self, name: str):
        name, _, version = name.partition("/versions/")
        model = super().get_model(name)
        try:
            return model.of_version(version) if version and model else model
        except FastkfError as error:
            raise ModelNotReady(f"{name}/versions/{version}", str(error)) from error

    async def load(self, name: str) -> None:
        """Reads a model's folder again: for a new version of it, or after it was unloaded."""
        if name not in self.folders:
            raise ModelNotFound(name)
        try:
            check_folder(self.folders[name])
            self.models[name] = await asyncio.to_thread(load_model, self.folders[name])
        except FastkfError as error:
            raise ModelNotReady(name, str(error)) from error


class Decoder(DataPlane):
    """Answers a request that kserve cannot take apart as a wrong one, not as its own failure."""

    def decode(self, *arguments, **options):
        try:
            return super().decode(*arguments, **options)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, InvalidInput):
                raise
            text = f"{type(error).__name__}: {error}"
            raise InvalidInput(f"the request cannot be read ({text})") from error


class Server(kserve.ModelServer):
    """kserve's server, without gRPC.

    Args:
        listener: a bound socket.
        on_ready: called when requests are answered.
    """

    def __init__(self, listener: socket.socket, on_ready: Callable[[], None]):
        configure_logging(quiet_logging())
        # kserve builds its answers in a way that FastAPI wants to drop.
        warnings.simplefilter("ignore", FastAPIDeprecationWarning)
        super().__init__(
            registered_models=Repository(),
            enable_grpc=False,
            enable_latency_logging=False,
            grace_period=SECONDS_TO_FINISH,
        )
        self.dataplane = Decoder(model_registry=self.registered_models)
        self.listener = listener
        self.on_ready = on_ready
        add_routes(model_server.app, self.dataplane)

    async def _serve(self) -> None:
        """kserve listens on all interfaces and has no option for it; uvicorn takes a socket."""
        server = self._rest_server._server
        server.serve = functools.partial(server.serve, sockets=[self.listener])
        await asyncio.gather(super()._serve(), self._announce(server))

    async def _announce(self, server) -> None:
        while not server.started and not server.should_exit:
            await asyncio.sleep(0.02)
        if server.started:
            self.on_ready()


class FaultsOfServer(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], FAULTS_OF_CLIENTS))


def quiet_logging() -> dict:
    """kserve's logging, down to what somebody must look at."""
    handlers = {
        name: {**handler, "stream": sys.stderr, "filters": ["faults"]}
        for name, handler in KSERVE_LOG_CONFIG["handlers"].items()
    }
    loggers = {
        name: {**logger, "level": "WARNING"}
        for name, logger in KSERVE_LOG_CONFIG["loggers"].items()
    }
    faults = {"faults": {"()": FaultsOfServer}}
    return {**KSERVE_LOG_CONFIG, "handlers": handlers, "loggers": loggers, "filters": faults}
