"""Serves language models of the lab at KServe's addresses of the OpenAI protocol.

    python labs/language_model/server.py FOLDER... [--port PORT] [--token-file FILE]

FOLDER holds a published model. The server listens on this computer only, and each request carries
the token, which the `openai` client calls `api_key`.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from zipfile import BadZipFile

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from model import LanguageModel
from protocol import LAST_EVENT, Answers, ChatRequest, CompletionRequest, list_models
from protocol import Request as AnyRequest
from starlette.exceptions import HTTPException

from fastkf.base import connections
from fastkf.base.asgi import SizeLimit
from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.guard import Access, Guard
from fastkf.base.ports import bind, url_of
from fastkf.base.tokens import make_token, new_token

LARGEST_REQUEST = 2**17  # bytes
WRITING, WAITING = 2, 16  # requests at a time
DEFAULT_TOKENS = 16  # of a completion, as OpenAI has it
PAGE = Path(__file__).with_name("page.html")
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'"
}


class Refused(HTTPException):
    """A request that is not answered, with OpenAI's name of the reason."""

    def __init__(self, status: int, text: str, code: str):
        super().__init__(status, text)
        self.code = code


def answer_error(status: int, text: str, code: str | None = None) -> Response:
    """An error in OpenAI's form."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    error = {"message": text, "type": kind, "param": None, "code": code}
    return JSONResponse({"error": error}, status)


class Turns:
    """Lets a few requests write at a time, has some wait, and refuses the others."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(WRITING)
        self._inside = 0

    async def __aenter__(self) -> None:
        if self._inside >= WRITING + WAITING:
            raise Refused(429, "too many requests at a time: ask again later", "rate_limited")
        self._inside += 1
        try:
            await self._places.acquire()
        except BaseException:
            self._inside -= 1
            raise

    async def __aexit__(self, *_: object) -> None:
        self._places.release()
        self._inside -= 1


class Job:
    """What one request asks of a model.

    Raises:
        Refused: the prompt leaves no room, or the model has no chat.
    """

    def __init__(self, model: LanguageModel, request: AnyRequest):
        self.model, self.request = model, request
        self.is_chat = isinstance(request, ChatRequest)
        most = request.max_tokens
        if isinstance(request, ChatRequest):
            self.prompt = self._lay_out(request.messages[-1].content)
            most = request.max_completion_tokens or most
        elif isinstance(request, CompletionRequest):
            self.prompt = model.start(request.prompt)
        room = model.context - len(self.prompt)
        if room < 1:
            raise Refused(
                400,
                f"the prompt has {len(self.prompt)} tokens, and {model.name} reads at most "
                f"{model.context - 1}: shorten it",
                "context_length_exceeded",
            )
        self.most = min(most or (room if self.is_chat else DEFAULT_TOKENS), room)
        self.written = 0

    def _lay_out(self, message: str) -> list[int]:
        if self.model.template is None:
            raise Refused(
                400, f"{self.model.name} has no chat template: ask for a completion", "no_template"
            )
        return self.model.start_chat(message)

    def write(self, index: int) -> Iterator[tuple[str, str | None]]:
        """Pieces of text, the last one with the reason why the text ends."""
        request, seed = self.request, self.request.seed
        temperature = 1.0 if request.temperature is None else request.temperature
        seed = None if seed is None else seed + index
        sent, text, tokens = 0, "", []
        longest = max((len(stop) for stop in request.stops), default=1)
        for token in self.model.write(self.prompt, self.most, temperature, seed):
            self.written += 1
            tokens.append(token)
            text = self.model.tokenizer.decode(tokens)
            ends = [text.find(stop) for stop in request.stops if stop in text]
            if ends:
                yield text[sent : min(ends)], "stop"
                return
            ready = len(text) - longest + 1  # what may begin a stop is held back
            if ready > sent and not text.endswith("\ufffd"):  # half a character
                yield text[sent:ready], None
                sent = ready
        yield text[sent:], "length" if len(tokens) == self.most else "stop"


async def step_through(job: Job, index: int) -> AsyncIterator[tuple[str, str | None]]:
    """The pieces of a text, each computed in a thread, so that others are answered meanwhile."""
    pieces = job.write(index)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


def make_app(models: dict[str, LanguageModel]) -> FastAPI:
    """The application: three addresses of KServe, and a page to type into."""
    app = FastAPI(title="Language models", docs_url=None, redoc_url=None, openapi_url=None)
    turns, loaded = Turns(), int(time.time())

    @app.get("/", response_class=HTMLResponse)
    async def page():
        return HTMLResponse(PAGE.read_text(), headers=PAGE_HEADERS)

    @app.get("/openai/v1/models")
    async def models_list():
        return list_models([(name, loaded) for name in models])

    @app.post("/openai/v1/completions")
    async def complete(request: CompletionRequest):
        return await answer(request)

    @app.post("/openai/v1/chat/completions")
    async def chat(request: ChatRequest):
        return await answer(request)

    async def answer(request: AnyRequest) -> Response:
        if request.model not in models:
            known = ", ".join(models)
            raise Refused(404, f"no model {request.model[:50]!r} here: {known}", "model_not_found")
        job = Job(models[request.model], request)
        answers = Answers(request.model, job.is_chat)
        if request.stream:
            # A place is taken before the status is sent: afterwards nothing can be refused.
            await turns.__aenter__()
            return Stream(send_pieces(job, answers), turns)
        async with turns:
            texts, reasons = await write_all(job)
        return JSONResponse(answers.whole(texts, reasons, (len(job.prompt), job.written)))

    add_errors(app)
    return app


class Stream(StreamingResponse):
    """Server-sent events. The place is given back however the stream ends."""

    def __init__(self, events: AsyncIterator[str], turns: Turns):
        super().__init__(events, media_type="text/event-stream")
        self._turns = turns

    async def __call__(self, *arguments) -> None:
        try:
            await super().__call__(*arguments)
        finally:
            await self._turns.__aexit__()


async def send_pieces(job: Job, answers: Answers) -> AsyncIterator[str]:
    for index in range(job.request.n or 1):
        async for text, reason in step_through(job, index):
            yield answers.piece(index, text, reason)
    yield LAST_EVENT


async def write_all(job: Job) -> tuple[list[str], list[str]]:
    texts, reasons = [], []
    for index in range(job.request.n or 1):
        pieces = [piece async for piece in step_through(job, index)]
        texts.append("".join(text for text, _ in pieces))
        reasons.append(pieces[-1][1] or "stop")
    return texts, reasons


def add_errors(app: FastAPI) -> None:
    """Has every error answered in OpenAI's form."""

    @app.exception_handler(HTTPException)
    async def refuse(_: Request, error: HTTPException):
        return answer_error(error.status_code, str(error.detail), getattr(error, "code", None))

    @app.exception_handler(RequestValidationError)
    async def wrong_form(_: Request, error: RequestValidationError):
        faults = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()]
        return answer_error(400, "; ".join(faults[:5])[:500])

    app.add_middleware(
        SizeLimit,
        limit=LARGEST_REQUEST,
        remedy="send a shorter prompt",
        respond=lambda text: answer_error(413, text),
    )


def load(folders: list[Path]) -> dict[str, LanguageModel]:
    """The models by their names.

    Raises:
        UsageError: a folder holds no model, or two have one name.
    """
    models: dict[str, LanguageModel] = {}
    for folder in folders:
        try:
            model = LanguageModel(folder)
        except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise UsageError(
                f"{folder}: no published model ({type(error).__name__}: {error})",
                "give the folder with config.json, tokenizer.json and weights.npz",
            ) from error
        if model.name in models:
            raise UsageError(f"{folder}: a second model {model.name}", "give each name once")
        models[model.name] = model
    return models


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--port", type=int, default=0, help="0 is a free one")
    parser.add_argument("--token-file", type=Path, help="made when it is missing")
    options = parser.parse_args(arguments)
    models = load(options.folders)
    token = make_token(options.token_file) if options.token_file else new_token()
    listener = bind("127.0.0.1", options.port)
    url = url_of(listener)

    def announce() -> None:
        shown = f"in {options.token_file}" if options.token_file else token
        print(f"models: {', '.join(models)}\napi_key: {shown}\nServing at {url}/openai/v1")
        if not options.token_file:
            print(f"A page to type into: {url}/?token={token}")
        print("Ctrl-C ends it", flush=True)

    app = make_app(models)
    app.add_middleware(Guard, access=Access(token), respond=answer_error)
    connections.Server(app, announce).run(sockets=[listener])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except FastkfError as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        pass
