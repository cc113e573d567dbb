"""The log of a step, and the exception of a learner in it."""

import re
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import quote

import httpx

from fastkf.base.files import BYTES_OF_AN_END
from fastkf.cluster.connection import Connection
from fastkf.cluster.errors import ClusterError
from fastkf.cluster.tasks import Task
from fastkf.runs.model import Failure
from fastkf.runs.text import TERMINAL_CODES

LAST_LINES = 12
LARGEST_LOG = 2**30  # bytes; a server may send without an end
# Kale 2.3, kale/common/jputils.py: "... Kale jputils:338 [ERROR] Error: NAME: MESSAGE"
KALE_ERROR = re.compile(r"Kale jputils:\d+\s+\[ERROR\]\s+Error: (\w.*)")
KALE_ERROR_END = re.compile(r"^.*Kale jputils:\d+\s+\[ERROR\]\s+={10,}$", re.M)
KALE_PREFIX = re.compile(r"^\d{4}-\S+ \S+ Kale jputils:\d+\s+\[\w+\] {0,4}", re.M)
ARROW = re.compile(r"^-+> (\d+) (.*)$", re.M)
# What IPython writes: the class, the frames from the cell inwards, and the class with its message.
IPYTHON_TRACEBACK = re.compile(
    r"^(\w+) +Traceback \(most recent call last\)$(.*?)^\1(?:: ([^\n]*))?$", re.M | re.S
)
TRACEBACK = re.compile(
    r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)+?(\w[\w.]*(?::.*)?)$", re.M
)


def fetch_log(connection: Connection, run_id: str, namespace: str, task: Task) -> str:
    """The log of a step's last pod; "" when the server has none.

    The pages' server has logs at /k8s/pod/logs, the API's at a path of its version.
    """
    for pod in reversed(task.pods):
        query = {"podname": pod, "runid": run_id, "podnamespace": namespace}
        pages = httpx.QueryParams({name: value for name, value in query.items() if value})
        node = f"runs/{quote(run_id, safe='')}/nodes/{quote(pod, safe='')}/log"
        for place in (
            f"{connection.pages}/k8s/pod/logs?{pages}",
            f"{connection.host}/apis/v2beta1/{node}",
            f"{connection.host}/apis/v1alpha1/{node}",
        ):
            if (log := _fetch_ends(connection, place)).strip():
                return TERMINAL_CODES.sub("", log)
    return ""


def _fetch_ends(connection: Connection, place: str) -> str:
    """The log at an address, of a long one its beginning and its end; "" when there is none."""
    head, tail, size = bytearray(), bytearray(), 0
    try:
        headers = connection.credentials.headers()
        with connection.http.stream("GET", place, headers=headers) as answer:
            is_log = answer.headers.get("content-type", "").startswith("text/plain")
            for piece in answer.iter_bytes() if answer.is_success and is_log else ():
                size += len(piece)
                taken = BYTES_OF_AN_END - len(head)
                head += piece[:taken]
                tail = (tail + piece[taken:])[-BYTES_OF_AN_END:]
                if size > LARGEST_LOG:
                    break
    except (ClusterError, httpx.HTTPError, httpx.InvalidURL):
        return ""
    left_out = size - len(head) - len(tail)
    gap = f"\n… {left_out:,} bytes are left out …\n".encode() if left_out else b""
    return bytes(head + gap + tail).decode("utf-8", errors="replace")


def find_failure(log: str) -> Failure | None:
    """The first exception in a log: after it, Kale goes on with later cells, which fail too.

    Returns:
        Where Kale tells them, with the line of the cell and its text; the source is not in a log.
    """
    if kale := KALE_ERROR.search(log):
        arrow = ARROW.search(log, kale.end())
        after = KALE_ERROR.search(log, kale.end())
        if arrow and not (after and after.start() < arrow.start()):
            return _read_failure(kale[1], int(arrow[1]), arrow[2].strip())
        return _read_failure(kale[1])
    if cell := IPYTHON_TRACEBACK.search(log):
        arrow = ARROW.search(cell[2])
        line = (int(arrow[1]), arrow[2].strip()) if arrow else (None, None)
        return Failure(cell[1], cell[3] or "", None, *line)
    found = TRACEBACK.search(log)
    return _read_failure(found[1]) if found else None


def find_source(failure: Failure, cells: Iterable[str]) -> Failure:
    """The failure with the source of the cell, among those of its step, that has its line."""
    for source in cells:
        lines = source.strip().splitlines()
        number = failure.line or 0
        if 0 < number <= len(lines) and lines[number - 1].strip() == failure.text:
            return replace(failure, source=source)
    return failure


def _read_failure(said: str, line: int | None = None, text: str | None = None) -> Failure:
    name, _, message = said.strip().partition(": ")
    return Failure(name, message, line=line, text=text)


def end_of_log(log: str) -> str:
    """Its last lines; where Kale wrote it, those of the first error: what follows is due to it."""
    if first := KALE_ERROR.search(log):
        end = KALE_ERROR_END.search(log, first.end())
        log = KALE_PREFIX.sub("", log[: end.start() if end else None])
    return "\n".join(log.rstrip().splitlines()[-LAST_LINES:])
