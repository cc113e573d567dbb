"""Artifacts as a browser shows them: pictures, and pages for a frame without scripts."""

import itertools
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response, StreamingResponse

from fastkf.base.files import open_inside
from fastkf.server.pages import files
from fastkf.server.pages.errors import NotFoundError
from fastkf.server.pages.metadata import MetadataViews
from fastkf.server.pages.previews import (
    LARGEST_PAGE,
    find_picture,
    render_markdown,
)

FRAME = Path(__file__).parents[2] / "runs" / "report" / "templates" / "frame.html"


def add_shown(router: APIRouter, views: MetadataViews, headers: dict[str, str]) -> None:
    """The address of an artifact that is shown.

    Args:
        headers: under which a stranger's page runs, loads and sends nothing.
    """

    @router.get("/files/runs/{id}/shown")
    def send_shown(id: str, node: str, output: str, request: Request) -> Response:
        try:
            with request.app.state.database.read() as session:
                item = views.find_shown(session, id, node, output)
        except NotFoundError as error:
            raise HTTPException(404, str(error)) from error
        file = open_inside(views.settings.run_folder(id), item.made.uri) if item else None
        if item is None or file is None:
            raise HTTPException(404, "there is no such file")
        kind = find_picture(file.read(16))
        file.seek(0)
        if kind:
            return StreamingResponse(files.send(file), headers=headers, media_type=kind)
        start = FRAME.read_bytes()
        if item.made.type == "system.Markdown":
            with file:
                return Response(start + render_markdown(file), 200, headers, "text/html")
        if item.made.type != "system.HTML":
            file.close()
            raise HTTPException(404, "this file is only to download")
        pieces = itertools.islice(files.send(file), LARGEST_PAGE // files.CHUNK)
        return StreamingResponse(
            itertools.chain([start], pieces), headers=headers, media_type="text/html"
        )
