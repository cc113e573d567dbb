"""What a run's folder holds for its report: plots, the steps' own HTML, logs, files."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from fastkf.base.files import open_inside, read_ends
from fastkf.runs.log_passages import Passage, divide
from fastkf.runs.model import State
from fastkf.runs.report.rows import StepRow
from fastkf.runs.text import clean_text

LOG_LINES = 400
LOG_LETTERS = 60_000
HEAD_LINES, HEAD_LETTERS = 100, 15_000  # of a log of which not all is read
CHUNK = 2**20
LARGEST_OUTPUT = 1_000_000  # bytes
LARGEST_PLOTS = 3_000_000
NO_OUTPUT = b"This step did not produce any HTML output."  # what Kale writes


@dataclass(frozen=True)
class Plot:
    """An image of the executed notebook; `image` in base64."""

    caption: str
    cell: int
    image: str


@dataclass(frozen=True)
class Output:
    """The HTML that a step showed; None where it is too large for the page."""

    id: str
    name: str
    status: State
    html: str | None
    path: str


@dataclass(frozen=True)
class Log:
    """The end of a log; of one that is too long to be read, its beginning and its end.

    Attributes:
        status: of the step whose log it is; None where it is no step's.
        lines: how many the whole file has.
        whole: whether `text` is all of it.
        path: of the file, from the run's folder.
    """

    id: str
    name: str
    status: State | None
    lines: int
    whole: bool
    text: str
    path: str

    @property
    def passages(self) -> tuple[Passage, ...]:
        return divide(self.text)


@dataclass(frozen=True)
class File:
    """A file or folder of the run, and what it is."""

    path: str
    about: str


def read_plots(path: Path) -> tuple[list[Plot], int]:
    """The images of a notebook with the headings above them, and how many were left out."""
    found: list[tuple[str, int, str]] = []
    left_out, size, heading = 0, 0, ""
    for number, cell in enumerate(_read_cells(path), start=1):
        if cell.get("cell_type") == "markdown":
            heading = _last_heading("".join(cell.get("source") or "")) or heading
        for image in _images(cell):
            size += len(image)
            left_out += size > LARGEST_PLOTS
            if size <= LARGEST_PLOTS:
                found.append((heading, number, image))
    return _caption(found), left_out


def read_outputs(folder: Path, rows: Sequence[StepRow]) -> list[Output]:
    """What the steps have written to folder/outputs, in their order."""
    outputs = []
    for number, row in enumerate(rows, start=1):
        with _open(folder, "outputs", f"{row.name}.html") as file:
            content = file.read(LARGEST_OUTPUT + 1) if file else NO_OUTPUT
        if NO_OUTPUT in content:
            continue
        outputs.append(
            Output(
                id=f"output-{number}",
                name=row.name,
                status=row.status,
                html=_decode(content) if len(content) <= LARGEST_OUTPUT else None,
                path=f"outputs/{_quote(row.name)}.html",
            )
        )
    return outputs


def read_logs(folder: Path, rows: Sequence[StepRow]) -> list[Log]:
    """The ends of the logs: the steps' in their order, then what else is in folder/logs."""
    states = {row.name: row.status for row in rows}
    found = (path.stem for path in (folder / "logs").glob("*.log"))
    others = sorted(name for name in found if name not in states)
    logs = []
    for number, name in enumerate([*states, *others], start=1):
        with _open(folder, "logs", f"{name}.log") as file:
            log = _read_log(file, f"log-{number}", name, states.get(name)) if file else None
        if log is not None:
            logs.append(log)
    return logs


def _read_log(file: BinaryIO, id: str, name: str, status: State | None) -> Log | None:
    """The end of a log, and of one that is too long to be read the beginning too."""
    path = f"logs/{_quote(name)}.log"
    head, left_out, tail = read_ends(file)
    last = _decode(tail if left_out else head).rstrip().split("\n")
    if not left_out and last == [""]:
        return None
    shown = clean_text("\n".join(last[-LOG_LINES:]))[-LOG_LETTERS:]
    whole = not left_out and len(last) <= LOG_LINES and len(shown) < LOG_LETTERS
    lines = len(last)
    if left_out:
        first = clean_text("\n".join(_decode(head).split("\n")[:HEAD_LINES]))[:HEAD_LETTERS]
        shown = f"{first}\n… not shown: what is between, in {path} …\n{shown}"
        lines = _count_lines(file)
    return Log(id, name, status, lines, whole, shown, path)


def _count_lines(file: BinaryIO) -> int:
    file.seek(0)
    return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(CHUNK), b""))


def list_files(folder: Path) -> list[File]:
    """The files of a run that are there."""
    about = {
        "notebook.ipynb": "the executed notebook",
        "pipeline.yaml": "the compiled pipeline",
        "run.json": "this run as data",
        "logs": "what each step wrote",
        "outputs": "what each step showed",
    }
    return [
        File(f"{name}/" if (folder / name).is_dir() else name, text)
        for name, text in about.items()
        if (folder / name).exists()
    ]


def _read_cells(path: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["cells"])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _last_heading(markdown: str) -> str:
    prose = re.sub(r"^(```|~~~).*?^\1", "", markdown, flags=re.M | re.S)
    headings = re.findall(r"^#{1,6}\s+(.+?)\s*#*$", prose, re.M)
    if not headings:
        return ""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)|<[^>]+>", r"\1", headings[-1])
    return re.sub(r"[*`]", "", text).strip()


def _images(cell: dict[str, Any]) -> list[str]:
    images = []
    for output in cell.get("outputs") or []:
        image = "".join((output.get("data") or {}).get("image/png", ""))
        image = re.sub(r"\s", "", image)
        if re.fullmatch(r"[A-Za-z0-9+/]+=*", image):
            images.append(image)
    return images


def _caption(found: Sequence[tuple[str, int, str]]) -> list[Plot]:
    """Numbers the plots that share a heading."""
    totals, seen = Counter(heading for heading, _, _ in found), Counter[str]()
    plots = []
    for heading, cell, image in found:
        seen[heading] += 1
        count = f" ({seen[heading]} of {totals[heading]})" if totals[heading] > 1 else ""
        plots.append(Plot(f"{heading or 'Plot'}{count}", cell, image))
    return plots


@contextmanager
def _open(folder: Path, part: str, name: str) -> Iterator[BinaryIO | None]:
    """A file directly in a part of the run's folder, which the run's own processes write to."""
    file = None if "/" in name else open_inside(folder, part, name)
    try:
        yield file
    finally:
        if file:
            file.close()


def _quote(name: str) -> str:
    """The name of a file in an address; it need not be text in UTF-8."""
    return quote(os.fsencode(name))


def _decode(content: bytes) -> str:
    return content.decode("utf-8", errors="replace")
