"""What the server answers beside kserve's own routes: versions, sizes, and errors in one form.

TensorFlow Serving's addresses: https://www.tensorflow.org/tfx/serving/api_rest
"""

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kserve.errors import ModelNotFound
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.rest.v1_endpoints import V1Endpoints
from kserve.protocol.rest.v2_datamodels import InferenceRequest
from kserve.protocol.rest.v2_endpoints import V2Endpoints
from starlette.exceptions import HTTPException

from fastkf.base.asgi import SizeLimit
from fastkf.serving.model import ServedModel

BYTES_OF_A_REQUEST = 100_000_000


def add_routes(app: FastAPI, dataplane: DataPlane) -> None:
    """Adds to kserve's application; of two routes, the one added first answers."""
    add_v1(app, dataplane, V1Endpoints(dataplane))
    add_v2(app, dataplane, V2Endpoints(dataplane))
    app.add_middleware(SizeLimit, limit=BYTES_OF_A_REQUEST, remedy="send fewer rows at a time")
    app.add_exception_handler(HTTPException, answer_http_error)
    app.add_exception_handler(RequestValidationError, answer_wrong_form)


def add_v1(app: FastAPI, dataplane: DataPlane, endpoints: V1Endpoints) -> None:
    router = APIRouter(prefix="/v1/models/{name}")

    @router.get("")
    async def status(name: str):
        return await endpoints.model_ready(name) | find_model(dataplane, name).describe_status()

    @router.get("/metadata")
    async def metadata(name: str):
        return find_model(dataplane, name).describe_signatures()

    @router.get("/versions/{version}")
    async def version_status(name: str, version: str):
        return find_model(dataplane, name, version).describe_status()

    @router.get("/versions/{version}/metadata")
    async def version_metadata(name: str, version: str):
        return find_model(dataplane, name, version).describe_signatures()

    @router.post("/versions/{version}:predict", response_model=None)
    async def predict(name: str, version: str, request: Request):
        return await endpoints.predict(f"{name}/versions/{version}", request)

    app.include_router(router)


def add_v2(app: FastAPI, dataplane: DataPlane, endpoints: V2Endpoints) -> None:
    router = APIRouter(prefix="/v2/models/{name}/versions/{version}")

    @router.get("")
    async def metadata(name: str, version: str):
        found = await endpoints.model_metadata(f"{name}/versions/{version}")
        return found.model_copy(update={"name": name, "versions": [version]})

    @router.get("/ready")
    async def ready(name: str, version: str):
        find_model(dataplane, name, version)
        return await endpoints.model_ready(name)

    @router.post("/infer", response_model=None)
    async def infer(
        name: str,
        version: str,
        request: Request,
        response: Response,
        body: InferenceRequest | bytes,
    ):
        return await endpoints.infer(request, response, f"{name}/versions/{version}", body)

    app.include_router(router)

    @app.post("/v2/repository/models/{name}/load")
    async def load(name: str):
        await dataplane.model_registry.load(name)
        return {"name": name, "load": True}


def find_model(dataplane: DataPlane, name: str, version: str | None = None) -> ServedModel:
    name = name if version is None else f"{name}/versions/{version}"
    model = dataplane.model_registry.get_model(name)
    if model is None:
        raise ModelNotFound(name)
    return model


async def answer_http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def answer_wrong_form(_: Request, error: Exception) -> Response:
    """FastAPI tries a body as JSON and as bytes, and lists the faults of both, with the body."""
    if not isinstance(error, RequestValidationError):
        raise error
    faults = [fault for fault in error.errors() if fault["loc"][-1] != "bytes"]
    return JSONResponse({"error": "; ".join(describe_fault(fault) for fault in faults[:5])}, 422)


def describe_fault(fault: dict) -> str:
    if fault["type"] == "json_invalid":
        return f"not JSON: {fault['ctx']['error']}, at character {fault['loc'][-1]}"
    place = [str(part) for part in fault["loc"] if part not in ("body", "InferenceRequest")]
    return f"{'.'.join(place) or 'the request'}: {fault['msg']}"
