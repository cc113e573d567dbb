"""A limit on the size of a request, for any ASGI application."""

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEGABYTE = 2**20
# A client reads the answer when it has sent its body, so some of what is refused is read too.
MOST_DRAINED = 8  # times the limit


class RequestTooLargeError(HTTPException):
    """A request's body is larger than the limit; raised where the application reads it."""

    def __init__(self, detail: str):
        super().__init__(413, detail)


def answer_too_large(text: str) -> Response:
    """The answer of an application that has no form of its own for errors."""
    return JSONResponse({"error": text}, 413)


class SizeLimit:
    """Middleware that answers 413 to a request whose body is larger than a limit.

    Args:
        app: the application; it may answer the `HTTPException` itself, in its own form.
        limit: bytes of a request's body.
        remedy: what a client can do about it, for the text of the answer.
        respond: makes the answer from its text.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit: int,
        remedy: str | None = None,
        respond: Callable[[str], Response] = answer_too_large,
    ):
        self._app, self._limit, self._respond = app, limit, respond
        text = f"the request is larger than {_describe(limit)}"
        self._text = f"{text}: {remedy}" if remedy else text

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            declared = _content_length(scope)
            if declared > self._limit:
                await self._drain(receive, declared)
                raise RequestTooLargeError(self._text)
            await self._app(scope, self._limited(receive), send)
        except RequestTooLargeError as error:
            await self._respond(error.detail)(scope, receive, send)

    def _limited(self, receive: Receive) -> Receive:
        """Receives a body and stops when it grows too large: a client need not tell its length."""
        received = 0

        async def receive_some() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                if message.get("more_body"):
                    await self._drain(receive, received)
                raise RequestTooLargeError(self._text)
            return message

        return receive_some

    async def _drain(self, receive: Receive, length: int) -> None:
        """Reads what comes and keeps nothing; a body far too large is not waited for."""
        most, received = MOST_DRAINED * self._limit, 0
        while length <= most and received <= most:
            message = await receive()
            received += len(message.get("body", b""))
            if not message.get("more_body"):
                return


def _content_length(scope: Scope) -> int:
    text = Headers(scope=scope).get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _describe(size: int) -> str:
    return f"{size // MEGABYTE} MB" if size % MEGABYTE == 0 else f"{size:,} bytes"
