"""What a page shows of a file that a step has made: a text, a table, a picture, or a frame.

All of it is data of a stranger's: only its beginning is read, a frame is another page's business
(see `routes`), and what is a picture the file says itself, not its name.
"""

import csv
import io
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from markdown_it import MarkdownIt

from fastkf.base.files import open_inside
from fastkf.base.plain_data import show_text
from fastkf.runs.model import Artifact
from fastkf.runs.text import clean_text

START = 16 * 1024  # bytes of a file that a preview reads
MOST_ROWS, MOST_COLUMNS, MOST_LETTERS = 10, 12, 4_000
LONGEST_CELL = 80
LARGEST_PAGE = 2 * 2**20  # of Markdown or HTML that is shown
LARGEST_PICTURE = 20 * 2**20
MOST_NAMES = 50  # of a folder
PICTURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}
FRAMES = ("system.HTML", "system.Markdown")
FORMATS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True)
class Preview:
    """What there is to show.

    Attributes:
        kind: text, table, picture, frame, folder, or nothing.
        text: of a text; why there is nothing to show.
        rows: of a table, the first its head; of a folder, the names.
        more: whether the file goes on.
        size: bytes; None where there is no file here.
    """

    kind: str
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    more: bool = False
    size: int | None = None


def preview(folder: Path, made: Artifact) -> Preview:
    """What a page shows of an artifact of the run in a folder."""
    file = open_inside(folder, made.uri)
    if file is None:
        seen = _preview_folder(folder, made.uri)
        # What is only metadata, such as metrics, needs no file.
        return Preview("nothing") if made.metadata and seen.kind == "nothing" else seen
    with file:
        size, start = os.fstat(file.fileno()).st_size, file.read(START)
    more = size > len(start)
    if not size:
        return Preview("nothing", "The file is empty.", size=0)
    if made.type in FRAMES and size <= LARGEST_PAGE:
        return Preview("frame", size=size)
    if find_picture(start):
        return Preview("picture" if size <= LARGEST_PICTURE else "nothing", size=size)
    text = _read_text(start, more)
    if text is None:
        return Preview("nothing", size=size)
    rows = _read_table(text, made, more)
    if rows:
        return Preview("table", rows=rows, more=more or text.count("\n") > MOST_ROWS + 1, size=size)
    return Preview("text", text[:MOST_LETTERS], more=more or len(text) > MOST_LETTERS, size=size)


def find_picture(start: bytes) -> str | None:
    """The media type of a picture that a browser may show; None of anything else."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in PICTURES.items() if start.startswith(magic)), None)


def render_markdown(file: BinaryIO) -> bytes:
    """The HTML of a Markdown file; markup in it is shown as it is written."""
    text = file.read(LARGEST_PAGE).decode("utf-8", "replace")
    html: str = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return html.encode("utf-8", "replace")


def _preview_folder(folder: Path, uri: str) -> Preview:
    """The names in a folder that a step has made, one level deep."""
    parts = uri.split("/")
    if "://" in uri or any(part in ("", ".", "..") for part in parts):
        return Preview("nothing", "It is not in this run’s folder.")
    place = folder
    for part in parts:
        place = place / part
        if place.is_symlink() or not place.is_dir():
            return Preview("nothing", "There is no such file any more.")
    names = sorted(show_text(name) for name in islice(os.listdir(place), 10 * MOST_NAMES))
    rows = tuple((name,) for name in names[:MOST_NAMES])
    return Preview("folder", rows=rows, more=len(names) > MOST_NAMES)


def _read_text(start: bytes, more: bool) -> str | None:
    if b"\0" in start:
        return None
    try:
        # The last letter may be cut in two.
        return clean_text(start.decode("utf-8", "ignore" if more else "strict"))
    except UnicodeDecodeError:
        return None


def _read_table(text: str, made: Artifact, more: bool) -> tuple[tuple[str, ...], ...]:
    """The rows of a table with separated values; none of another text."""
    ending = Path(made.uri).suffix.lower()
    if ending not in FORMATS and made.type != "system.Dataset":
        return ()
    lines = text.split("\n")[: -1 if more else None][: MOST_ROWS + 1]
    try:
        rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=FORMATS.get(ending, ",")))
    except csv.Error:
        return ()
    rows = [row for row in rows if row]
    if len(rows) < 2 or len(rows[0]) < 2 or len({len(row) for row in rows}) > 1:
        return ()
    return tuple(tuple(_shorten(cell) for cell in row[:MOST_COLUMNS]) for row in rows)


def _shorten(cell: str) -> str:
    return cell if len(cell) <= LONGEST_CELL else f"{cell[: LONGEST_CELL - 1]}…"
