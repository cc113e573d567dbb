"""A limit on the size of a request."""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class SizeLimit:
    """Middleware that answers 413 to a request whose body is larger than a limit, in bytes."""

    def __init__(self, app: ASGIApp, limit: int):
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        messages: list[Message] = []
        size, more = 0, True
        while more and scope["method"] in ("POST", "PUT", "PATCH"):
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
            # Read on to the end, or the client never gets to the answer, but keep nothing more.
            messages = [*messages, message] if size <= self.limit else []
        if size > self.limit:
            text = f"the request is larger than {self.limit:,} bytes: send fewer rows at a time"
            return await JSONResponse({"error": text}, 413)(scope, receive, send)

        async def receive_again() -> Message:
            return messages.pop(0) if messages else await receive()

        await self.app(scope, receive_again, send)
