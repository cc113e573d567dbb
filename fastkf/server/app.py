"""The HTTP application of the local Kubeflow Pipelines server."""

from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from fastapi.responses import Response

from fastkf.base.asgi import SizeLimit
from fastkf.base.guard import Access, Guard
from fastkf.base.tokens import new_token
from fastkf.server import errors, pages
from fastkf.server.api import add_routers
from fastkf.server.api.experiments import default_experiment
from fastkf.server.database import Database
from fastkf.server.errors import Code, answer
from fastkf.server.queue import RunQueue
from fastkf.server.scheduler import Scheduler
from fastkf.server.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The application of one server; its folder must exist and be no other server's.

    `app.state` has settings, database and queue, for the routers, and the scheduler.

    Raises:
        FastkfError: the database in the folder cannot be used.
    """
    database = Database(settings.database)
    queue = RunQueue(settings, database)
    scheduler = Scheduler(settings, database, queue)

    @asynccontextmanager
    async def lifespan(app: FastAPI):
        with database.write() as session:
            default_experiment(session)
        queue.start()
        scheduler.start()
        yield
        scheduler.stop()
        queue.stop()
        database.close()

    app = FastAPI(
        lifespan=lifespan, openapi_url=None, title="fastkf server", redirect_slashes=False
    )
    app.state.settings, app.state.database, app.state.queue = settings, database, queue
    app.state.scheduler = scheduler
    # The one that is added last is asked first: who is not let in gets nowhere with a large body.
    app.add_middleware(
        SizeLimit, limit=settings.largest_request, respond=partial(answer, Code.TOO_LARGE)
    )
    app.add_middleware(Guard, access=describe_access(settings), respond=refuse)
    errors.add_handlers(app)
    add_routers(app)
    app.include_router(pages.router(settings))
    return app


def describe_access(settings: Settings) -> Access:
    """Whom the guard lets in. What is submitted is run as this user, so without a token nobody."""
    token = None if settings.is_open else settings.token or new_token()
    hint = f"; it is in {settings.token_file}"
    return Access(
        token, host=settings.host, hint=hint, secret=settings.secret, other=settings.panel_token
    )


def refuse(status: int, text: str) -> Response:
    """The guard's refusal, in the form of the API's errors."""
    return answer(Code.of_status(status), text, status)
