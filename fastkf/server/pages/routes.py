"""The addresses of the pages."""

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy.orm import Session

from fastkf.base.files import open_inside
from fastkf.package.model import Package
from fastkf.runs.drawing.svg import STYLE
from fastkf.runs.report.page import TEMPLATES as SHARED
from fastkf.runs.report.page import make_environment
from fastkf.runs.text import format_time, show_value
from fastkf.server import database as db
from fastkf.server.errors import Answer
from fastkf.server.pages import files
from fastkf.server.pages.errors import NotFoundError
from fastkf.server.pages.metadata import MetadataViews
from fastkf.server.pages.package import read_package
from fastkf.server.pages.shown import add_shown
from fastkf.server.pages.views import Views
from fastkf.server.settings import Settings

HOME = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# A report is whatever a step has printed: it runs nothing, loads nothing, and sends nothing. The
# same origin, without scripts, only lets the page around it measure its height.
REPORT_POLICY = (
    "sandbox allow-same-origin; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
BYTES = "application/octet-stream"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def _open_session(request: Request) -> Iterator[Session]:
    with request.app.state.database.read() as session:
        yield session


DatabaseSession = Annotated[Session, Depends(_open_session)]


def _find_run_folder(id: str, request: Request, session: DatabaseSession) -> Path:
    if session.get(db.Run, id) is None:
        raise HTTPException(404, f"there is no run {id}")
    return request.app.state.settings.run_folder(id)


RunFolder = Annotated[Path, Depends(_find_run_folder)]


def router(settings: Settings) -> APIRouter:
    """The pages of a server, whose database is `app.state.database`."""
    pages = APIRouter(include_in_schema=False)
    render = _make_renderer()
    _add_page(pages, render)
    _add_fragments(pages, Views(settings), MetadataViews(settings), render)
    add_shown(pages, MetadataViews(settings), {**HEADERS, "Content-Security-Policy": REPORT_POLICY})
    _add_files(pages)
    return pages


Render = Callable[..., Response]


def _make_renderer() -> Render:
    """`render(request, template, context, status=200)`: the answer that a template makes."""
    environment = make_environment(HOME / "templates")
    environment.filters["moment"] = lambda moment: format_time(moment.astimezone())
    environment.filters["value"] = show_value

    def render(request: Request, template: str, context: dict, status: int = 200) -> Response:
        html = environment.get_template(f"{template}.html.jinja").render(context)
        content = html.encode("utf-8", "replace")
        return _answer_tagged(request, content, "text/html; charset=utf-8", status)

    return render


def _add_page(router: APIRouter, render: Render) -> None:
    """The one page, and what it is made of."""
    static = _load_static()

    @router.get("/")
    def send_page(request: Request) -> Response:
        return render(request, "page", {})

    @router.get("/static/{name}")
    def send_static(request: Request, name: str) -> Response:
        if name not in static:
            raise _no_file()
        return _answer_tagged(request, *static[name])


def _add_fragments(
    router: APIRouter, views: Views, metadata: MetadataViews, render: Render
) -> None:
    """What the page's script shows in it, for each of its addresses."""

    def add(address: str, template: str, view: Callable[..., dict]) -> None:
        def respond(request: Request) -> Response:
            try:
                with request.app.state.database.read() as session:
                    context = view(session, dict(request.query_params), **request.path_params)
            except NotFoundError as error:
                return render(request, "missing", {"what": str(error)}, 404)
            return render(request, template, context)

        router.add_api_route(f"/fragments{address}", respond, methods=["GET"])

    add("/runs", "runs", views.runs)
    add("/runs/details/{id}", "run", views.run)
    add("/runs/new", "new_run", views.new_run)
    add("/compare", "compare", views.compare)
    add("/pipelines", "pipelines", views.pipelines)
    add("/pipelines/details/{id}", "pipeline", views.pipeline)
    add("/pipelines/details/{id}/version/{version_id}", "pipeline", views.pipeline)
    add("/pipelines/details/{id}/version/{version_id}/yaml", "yaml", views.yaml)
    add("/pipelines/details/{id}/versions", "versions", views.versions)
    add("/experiments", "experiments", views.experiments)
    add("/experiments/details/{id}", "experiment", views.experiment)
    add("/recurringruns", "recurring_runs", views.recurring_runs)
    add("/recurringrun/details/{id}", "recurring_run", views.recurring_run)
    add("/artifacts", "artifacts", metadata.artifacts)
    add("/artifacts/details", "artifact", metadata.artifact)
    add("/executions", "executions", metadata.executions)
    add("/executions/details", "execution", metadata.execution)


def _add_files(router: APIRouter) -> None:
    """The files of runs and of pipeline versions."""

    @router.get("/files/runs/{id}/log")
    def send_log_part(folder: RunFolder, step: str, start: int = 0):
        file = None if "/" in step else open_inside(folder, "logs", f"{step}.log")
        return Answer(files.read_log(file, max(start, 0)), headers=HEADERS)

    @router.get("/files/runs/{id}/report")
    def send_report(folder: RunFolder, step: str):
        file = files.open_report(folder, step)
        if file is None:
            raise _no_file()
        headers = {**HEADERS, "Content-Security-Policy": REPORT_POLICY}
        # A page of its own, in the style of the others.
        content = itertools.chain([files.FRAME.read_bytes()], files.send(file))
        return StreamingResponse(content, headers=headers, media_type="text/html")

    @router.get("/files/runs/{id}/pipeline.json")
    def send_package_as_json(folder: RunFolder):
        package = read_package(folder / "pipeline.yaml")
        if package is None:
            raise _no_file()
        both = {"pipeline_spec": package.spec, "platform_spec": package.platform}
        return Answer(both, headers=HEADERS)

    @router.get("/files/runs/{id}/{name}")
    def send_own_file(folder: RunFolder, name: Literal["pipeline.yaml", "run.json"]):
        return _download(open_inside(folder, name), name)

    @router.get("/files/runs/{id}/{part}/{path:path}")
    def send_file(folder: RunFolder, part: Literal["artifacts", "logs"], path: str):
        return _download(open_inside(folder, part, path), path.rpartition("/")[2])

    @router.get("/files/versions/{id}/pipeline.yaml")
    def send_version(id: str, request: Request, session: DatabaseSession):
        version = session.get(db.PipelineVersion, id)
        if version is None:
            raise HTTPException(404, f"there is no pipeline version {id}")
        return _send_version(version, request.app.state.settings.version_file(id))


def _download(file: BinaryIO | None, name: str) -> Response:
    """A file to keep, never to be shown as a page of this server."""
    if file is None:
        raise _no_file()
    headers = {**_name_file(name), "Content-Length": str(os.fstat(file.fileno()).st_size)}
    return StreamingResponse(files.send(file), headers=headers, media_type=BYTES)


def _send_version(version: db.PipelineVersion, path: Path) -> Response:
    file = open_inside(path.parent, path.name)
    if file is not None:
        return _download(file, "pipeline.yaml")
    # Somebody has removed it.
    text = Package.from_spec(version.spec).as_yaml()
    return Response(text, headers=_name_file("pipeline.yaml"), media_type=BYTES)


def _name_file(name: str) -> dict[str, str]:
    return {**HEADERS, "Content-Disposition": f"attachment; filename*=utf-8''{files.quote(name)}"}


def _no_file() -> HTTPException:
    return HTTPException(404, "there is no such file")


def _answer_tagged(request: Request, content: bytes, kind: str, status: int = 200) -> Response:
    """The content, or 304 where the browser has it already."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**HEADERS, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, status, headers, media_type=kind)


def _load_static() -> dict[str, tuple[bytes, str]]:
    """Name to content and type. The style is the report's, the graph's, then the pages' own."""
    folder = HOME / "static"
    own = (folder / "pages.css").read_text(encoding="utf-8")
    style = "\n".join([(SHARED / "report.css").read_text(encoding="utf-8"), STYLE, own])
    kind = "text/javascript; charset=utf-8"
    return {
        **{script.name: (script.read_bytes(), kind) for script in folder.glob("*.js")},
        "pages.css": (style.encode(), "text/css; charset=utf-8"),
        "icon.svg": ((folder / "icon.svg").read_bytes(), "image/svg+xml"),
    }
