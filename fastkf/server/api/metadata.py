"""ML Metadata's service in gRPC-Web, at the address where the pages of Kubeflow have it."""

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from fastkf.base.grpc_web import DATA, TRAILERS, frame, read_frames
from fastkf.server.api.context import FromDatabase, WithSettings
from fastkf.server.errors import ApiError, Code
from fastkf.server.metadata.service import Service

router = APIRouter(include_in_schema=False)
KIND = "application/grpc-web+proto"


@router.post("/ml_metadata.MetadataStoreService/{method}")
async def call(
    method: str, request: Request, database: FromDatabase, settings: WithSettings
) -> Response:
    messages = [content for kind, content in read_frames(await request.body()) if kind == DATA]

    def answer() -> bytes:
        with database.read() as session:
            return Service(settings, session).answer(method, messages[0] if messages else b"")

    try:
        return _respond(frame(DATA, await run_in_threadpool(answer)))
    except ApiError as error:
        return _respond(b"", error.code, error.message)


def _respond(content: bytes, code: Code | None = None, message: str = "") -> Response:
    """The status of a call is in the trailers, and the HTTP status is 200 whatever it is."""
    number = code.value[0] if code else 0
    trailers = f"grpc-status:{number}\r\ngrpc-message:{quote(message, safe=' ,;:/()')}\r\n"
    content += frame(TRAILERS, trailers.encode("ascii"))
    return Response(content, media_type=KIND)
