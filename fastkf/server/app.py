"""The HTTP application of the local Kubeflow Pipelines server."""

from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from fastkf.base.asgi import SizeLimit
from fastkf.server import errors, pages
from fastkf.server.api import add_routers
from fastkf.server.api.experiments import default_experiment
from fastkf.server.database import Database
from fastkf.server.errors import Code, answer
from fastkf.server.queue import RunQueue
from fastkf.server.security import Guard
from fastkf.server.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The application of one server; its folder must exist and be no other server's.

    `app.state` has settings, database and queue, for the routers.

    Raises:
        FastkfError: the database in the folder cannot be used.
    """
    database = Database(settings.database)
    queue = RunQueue(settings, database)

    @asynccontextmanager
    async def lifespan(app: FastAPI):
        with database.write() as session:
            default_experiment(session)
        queue.start()
        yield
        queue.stop()
        database.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None, title="fastkf server")
    app.state.settings, app.state.database, app.state.queue = settings, database, queue
    # The one that is added last is asked first: who is not let in gets nowhere with a large body.
    app.add_middleware(
        SizeLimit, limit=settings.largest_request, respond=partial(answer, Code.TOO_LARGE)
    )
    app.add_middleware(Guard, settings=settings)
    errors.add_handlers(app)
    add_routers(app)
    app.include_router(pages.router(settings))
    return app
