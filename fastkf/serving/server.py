"""kserve's REST server, on one socket, with answers that say what is wrong with a request."""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import kserve
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from kserve.context import set_predictor_config
from kserve.errors import InvalidInput, ModelNotFound, ModelNotReady
from kserve.logging import KSERVE_LOG_CONFIG, configure_logging
from kserve.predictor_config import PredictorConfig
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.rest.server import RESTServer

from fastkf.base import connections
from fastkf.base.errors import FastkfError
from fastkf.base.guard import Access, Guard
from fastkf.serving.folders import check_folder
from fastkf.serving.load import load_model
from fastkf.serving.model import ServedModel
from fastkf.serving.routes import add_routes

SECONDS_TO_FINISH = 5
# What a client did wrong is in the answer; the log is for what the server did wrong.
FAULTS_OF_CLIENTS = (InvalidInput, ModelNotFound, ModelNotReady, NotImplementedError)


class Repository(kserve.ModelRepository):
    """Models by their names, and their versions as NAME/versions/NUMBER."""

    def __init__(self, models: Iterable[ServedModel], warn: Callable[[str], None]):
        super().__init__()
        self.warn = warn
        self.folders: dict[str, Path] = {}
        for model in models:
            self.update(model)

    def update(self, model: ServedModel, name: str | None = None) -> None:
        super().update(model, name)
        self.folders[name or model.name] = model.folder

    def get_model(self, name: str) -> ServedModel | None:
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
            self.models[name] = await asyncio.to_thread(load_model, self.folders[name], self.warn)
        except FastkfError as error:
            raise ModelNotReady(name, str(error)) from error


class Decoder(DataPlane):
    """Answers a request that kserve cannot take apart as a wrong one, not as its own failure."""

    def decode(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().decode(*arguments, **options)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, InvalidInput):
                raise
            text = f"{type(error).__name__}: {error}"
            raise InvalidInput(f"the request cannot be read ({text})") from error


class Server(RESTServer):
    """kserve's REST server with an application of its own.

    `kserve.ModelServer` would add routes to an application that all servers of a process share, and
    listen on all interfaces.

    Args:
        models: loaded ones.
        listener: a bound socket.
        on_ready: called when requests are answered.
        access: who may ask.
        warn: is told of what a user should know, while the server serves.
    """

    def __init__(
        self,
        models: Iterable[ServedModel],
        listener: socket.socket,
        on_ready: Callable[[], None],
        access: Access,
        warn: Callable[[str], None],
    ):
        repository = Repository(models, warn)
        self.app = FastAPI(
            title="KServe ModelServer",
            version=metadata.version("kserve"),
            docs_url=None,
            redoc_url=None,
        )
        super().__init__(
            self.app,
            Decoder(model_registry=repository),
            ModelRepositoryExtension(model_registry=repository),
            http_port=listener.getsockname()[1],
            grace_period=SECONDS_TO_FINISH,
        )
        self.listener, self.access = listener, access
        self._server = connections.Server(
            self.app, on_ready, log_config=None, timeout_graceful_shutdown=SECONDS_TO_FINISH
        )

    def create_application(self) -> None:
        """Called once, when the server starts. Of two routes, the one added first answers."""
        add_routes(self.app, self.dataplane)
        self._add_middlewares(self.app)
        self._register_endpoints(self.app)
        self._add_exception_handlers(self.app)
        # The one that is added last is asked first.
        self.app.add_middleware(Guard, access=self.access, respond=refuse)

    def serve(self) -> None:
        """Answers requests until SIGINT or SIGTERM, which come up again when it has ended."""
        # Requests are read as a predictor's, which is kserve's default, not as a transformer's.
        set_predictor_config(PredictorConfig(predictor_host=""))
        self.create_application()
        with quiet():
            self._server.run(sockets=[self.listener])


def refuse(status: int, text: str) -> Response:
    """The guard's refusal, in the form of kserve's errors."""
    return JSONResponse({"error": text}, status)


class FaultsOfServer(logging.Filter):
    """Keeps what is no client's fault."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], FAULTS_OF_CLIENTS))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Has kserve log only what somebody must look at, and nothing of Python's warnings.

    With each answer FastAPI warns of how kserve builds it. A filter does not keep that out for
    long: all threads share the filters, and scikit-learn resets them for moments in each of those
    that answer. A parent that reads no more of the log would then keep the server from answering.
    """
    configure_logging(quiet_logging())
    logging.captureWarnings(True)  # in a logger of which nothing is written
    try:
        yield
    finally:
        logging.captureWarnings(False)


def quiet_logging() -> dict[str, Any]:
    """kserve's configuration of logging, down to what somebody must look at."""
    handlers = {
        name: {**handler, "stream": sys.stderr, "filters": ["faults"]}
        for name, handler in KSERVE_LOG_CONFIG["handlers"].items()
    }
    loggers = {
        name: {**logger, "level": "WARNING"}
        for name, logger in KSERVE_LOG_CONFIG["loggers"].items()
    }
    loggers["py.warnings"] = {"propagate": False}
    faults = {"faults": {"()": FaultsOfServer}}
    return {**KSERVE_LOG_CONFIG, "handlers": handlers, "loggers": loggers, "filters": faults}
