"""Errors as the Kubeflow Pipelines API answers them: a google.rpc.Status as JSON."""

import json
from enum import Enum
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from fastkf.base.errors import FastkfError, first_line, shorten
from fastkf.base.files import lacks_space
from fastkf.base.plain_data import DataError, check_data, spell_numbers
from fastkf.package.errors import PackageError, PackageTooLargeError
from fastkf.server.lost import LostDatabaseError

API = "/apis/"
UPLOADS = f"{API}v2beta1/pipelines/upload"


class Code(Enum):
    """A code of google.rpc, and the HTTP status that goes with it."""

    INVALID_ARGUMENT = 3, 400
    NOT_FOUND = 5, 404
    ALREADY_EXISTS = 6, 409
    PERMISSION_DENIED = 7, 403
    TOO_LARGE = 8, 413  # RESOURCE_EXHAUSTED
    FAILED_PRECONDITION = 9, 400
    ABORTED = 10, 409
    UNIMPLEMENTED = 12, 501
    INTERNAL = 13, 500
    UNAVAILABLE = 14, 503
    UNAUTHENTICATED = 16, 401

    @classmethod
    def of_status(cls, status: int) -> "Code":
        """The code for an HTTP status that no route of the API has chosen."""
        if status == 405:
            return cls.UNIMPLEMENTED
        return next((code for code in cls if code.value[1] == status), cls.INVALID_ARGUMENT)


class ApiError(Exception):
    """A request that cannot be done, with the reason for the client."""

    def __init__(self, code: Code, message: str):
        super().__init__(message)
        self.code, self.message = code, message


def invalid(message: str) -> ApiError:
    return ApiError(Code.INVALID_ARGUMENT, message)


def read_json(text: bytes | str, name: str) -> Any:
    """What a client has sent as JSON, as plain data of which each part can be kept and shown.

    Raises:
        ApiError: it is no JSON, or has what `check_data` refuses.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid(f"{name} is not JSON: {first_line(error)}") from error
    try:
        check_data(data, name)
    except DataError as error:
        raise invalid(str(error)) from error
    return data


def not_found(kind: str, id: str) -> ApiError:
    return ApiError(Code.NOT_FOUND, f"{kind} {id} not found")


class Answer(JSONResponse):
    """An answer that is sent whatever is in it: rows of older versions, or made by other programs.

    Half surrogate pairs are sent as "?", numbers that JSON has not as protobuf's JSON has them.
    """

    def render(self, content: Any) -> bytes:
        try:
            text = _write_json(content)
        except ValueError:
            text = _write_json(spell_numbers(content))
        return text.encode("utf-8", "replace")


def answer(code: Code, message: str, status: int | None = None) -> JSONResponse:
    """The response for an error."""
    number, default_status = code.value
    message = shorten(message)
    detail = {"@type": "type.googleapis.com/google.rpc.Status", "code": number, "message": message}
    body = {"code": number, "message": message, "details": [detail]}
    return Answer(body, status or default_status)


def answer_request(request: Request, code: Code, message: str) -> JSONResponse:
    """The response for an error of one request: uploads have a form of their own."""
    if not request.url.path.startswith(UPLOADS):
        return answer(code, message)
    message = shorten(message)
    return Answer({"error_message": message, "error_details": message}, code.value[1])


def add_handlers(app: FastAPI) -> None:
    """Has the app answer each error in this form."""

    @app.exception_handler(ApiError)
    async def answer_api_error(request: Request, error: ApiError):
        return answer_request(request, error.code, error.message)

    @app.exception_handler(FastkfError)
    async def answer_fastkf_error(request: Request, error: FastkfError):
        return answer_request(request, _find_code(error), str(error))

    @app.exception_handler(RequestValidationError)
    async def answer_invalid_request(request: Request, error: RequestValidationError):
        faults = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors())
        return answer_request(request, Code.INVALID_ARGUMENT, faults)

    @app.exception_handler(HTTPException)
    async def answer_http_error(request: Request, error: HTTPException):
        return _answer_http_error(request, error)

    @app.exception_handler(OperationalError)
    async def answer_unusable_database(request: Request, error: OperationalError):
        return answer(Code.UNAVAILABLE, f"nothing can be written down: {error.orig}; try again")

    @app.exception_handler(OSError)
    async def answer_no_place(request: Request, error: OSError):
        reason = _explain_place(error, request.app.state.settings.folder)
        if reason is None:
            raise error
        return answer(Code.UNAVAILABLE, f"nothing can be written: {reason}")

    @app.exception_handler(Exception)
    async def answer_fault(request: Request, error: Exception):
        return answer(Code.INTERNAL, f"a fault of this server: {type(error).__name__}: {error}")


def _answer_http_error(request: Request, error: HTTPException) -> JSONResponse:
    status, detail = error.status_code, str(error.detail)
    code = Code.of_status(status)
    if code is Code.UNIMPLEMENTED and request.url.path.startswith(API):
        status = code.value[1]  # as a grpc-gateway answers a method that is not there
    if request.url.path.startswith(UPLOADS) and status == 400:
        return answer_request(request, code, detail)
    body = {"code": code.value[0], "message": shorten(detail)}
    return Answer(body, status, error.headers)


def _find_code(error: FastkfError) -> Code:
    """Of a package, its sender's fault; else of what is here, such as a folder that is gone."""
    if isinstance(error, PackageTooLargeError):
        return Code.TOO_LARGE
    is_sent = isinstance(error, PackageError)
    return Code.INVALID_ARGUMENT if is_sent else Code.FAILED_PRECONDITION


def _explain_place(error: OSError, folder: Path) -> str | None:
    """Why nothing can be written in the data folder, and what to do; None of another error."""
    if isinstance(error, LostDatabaseError):
        return f"{error.filename} {error.strerror}"
    if lacks_space(error):
        return f"{error.strerror}; make room"
    is_inside = isinstance(error.filename, str) and Path(error.filename).is_relative_to(folder)
    return f"{error.filename}: {error.strerror}" if is_inside else None


def _write_json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
