"""The files of a run that its page shows or offers: logs, reports, artifacts.

Whatever a step wrote is untrusted, links too: nothing outside the run's own folder is read.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote as quote_url

from fastkf.base.files import open_inside
from fastkf.base.plain_data import show_text
from fastkf.runs.log_passages import divide
from fastkf.runs.report.contents import NO_OUTPUT
from fastkf.runs.report.rows import StepRow
from fastkf.runs.text import clean_text

CHUNK = 256 * 1024  # of a log, in bytes, for one answer
LONGEST_TAIL = 16 * 1024  # of a line that has not ended
MOST_ARTIFACTS = 500
OWN_FILES = ("executor_output.json",)
FRAME = Path(__file__).parents[2] / "runs" / "report" / "templates" / "frame.html"


def quote(text: str) -> str:
    return quote_url(text, safe="")


def list_reports(folder: Path, rows: list[StepRow]) -> list[dict]:
    """The steps with an HTML report that has something in it, and whether it has pictures."""
    reports = []
    for number, row in enumerate(rows, start=1):
        file = open_report(folder, row.name)
        if file:
            with file:
                start = file.read(CHUNK)
            pictured = b"<img" in start or b"<svg" in start
            id = f"report-{number}"
            reports.append({"id": id, "pictured": pictured, "name": row.name, "status": row.status})
    return reports


def open_report(folder: Path, step: str) -> BinaryIO | None:
    """The HTML that a step has shown; None when it has shown nothing."""
    file = open_inside(folder, "outputs", f"{step}.html")
    if file is not None:
        if NO_OUTPUT not in file.read(4096):
            file.seek(0)
            return file
        file.close()
    return None


def list_logs(folder: Path) -> list[str]:
    names = sorted(path.name for path in (folder / "logs").glob("*.log") if path.is_file())
    return [show_text(name).removesuffix(".log") for name in names]


def send(file: BinaryIO) -> Iterator[bytes]:
    """A file piece by piece, as long as it was at the beginning; it may still grow."""
    with file:
        left = os.fstat(file.fileno()).st_size - file.tell()
        while left > 0 and (piece := file.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece


def list_artifacts(folder: Path) -> list[dict]:
    """The files that the steps passed on: step, name, bytes, and the path below artifacts/.

    KFP keeps them as artifacts/<run of the pipeline>/<task>/<artifact>.
    """
    home = folder / "artifacts"
    artifacts: list[dict] = []
    for place, folders, names in os.walk(home):
        folders.sort()
        below = Path(place).relative_to(home)
        for name in sorted(names):
            path = Path(place, name)
            if len(below.parts) < 2 or name in OWN_FILES or name.endswith("_html_report"):
                continue
            if len(artifacts) == MOST_ARTIFACTS:
                return artifacts
            if not path.is_symlink() and path.is_file():
                artifacts.append(
                    {
                        "task": below.parts[1],
                        "name": show_text("/".join((*below.parts[2:], name))),
                        "bytes": path.stat().st_size,
                        "path": quote_url(os.fsencode(below / name)),
                    }
                )
    return artifacts


def read_log(file: BinaryIO | None, start: int) -> dict:
    """What a log has from a byte on, as a terminal would leave it; the file is closed then.

    Returns:
        text: whole lines; passages: how many lines of them follow each other that are the step's
        author's own, or not; tail: the last line while it is not whole; next: where to go on;
        skipped: bytes at the beginning that were left out of a first answer; reset: whether the
        log is shorter than `start`, so another one; more: whether there is more at once.
    """
    if file is None:
        nothing = {"text": "", "passages": [], "tail": "", "next": 0, "skipped": 0, "more": False}
        return {**nothing, "reset": start > 0}
    with file:
        size = os.fstat(file.fileno()).st_size
        reset = start > size
        start = 0 if reset else start
        skipped = 0
        if start == 0 and size > CHUNK:
            file.seek(size - CHUNK)
            file.readline(LONGEST_TAIL)
            start = skipped = file.tell()
        file.seek(start)
        data = file.read(CHUNK)
    whole = data.rfind(b"\n") + 1
    at_end = start + len(data) >= size
    if not whole and not at_end:  # a line longer than all that one answer holds
        whole = len(data)
    tail = data[whole:][-LONGEST_TAIL:] if at_end else b""
    text = _decode(data[:whole])
    passages = divide(text.removesuffix("\n"))
    return {
        "text": text,
        "passages": [{"lines": one.lines, "own": one.is_own} for one in passages],
        "tail": _decode(tail),
        "next": start + whole,
        "skipped": skipped,
        "reset": reset,
        "more": not at_end,
    }


def _decode(data: bytes) -> str:
    return clean_text(data.decode("utf-8", errors="replace"))
