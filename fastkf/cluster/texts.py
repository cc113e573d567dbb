"""Texts that a server has: the logs of pods, what Kubernetes says of them, files."""

import time
from dataclasses import dataclass

import httpx

from fastkf.base.errors import first_line, shorten
from fastkf.base.files import BYTES_OF_AN_END
from fastkf.cluster.connection import SECONDS_TO_ANSWER, SECONDS_TO_CONNECT, Connection
from fastkf.cluster.errors import ClusterError

LARGEST, LONGEST = 2**30, 120.0  # bytes and seconds; a server may send without an end
PAGES = ("<!doctype", "<html")


@dataclass(frozen=True)
class Text:
    """What a server has answered; of a long text, its beginning and its end.

    Attributes:
        status: 0 where there is no answer.
        kind: its content type, which the pages' server leaves out of a log, and of JSON calls HTML.
    """

    status: int = 0
    kind: str = ""
    text: str = ""

    @property
    def is_page(self) -> bool:
        """Whether it is a page for a browser, in the place of what was asked for."""
        return self.text.lstrip()[:20].lower().startswith(PAGES)

    @property
    def refusal(self) -> str:
        """Why there is no text, in a few words; "" where there is one."""
        if 200 <= self.status < 300:
            return "a web page answers" if self.is_page else ""
        said = "" if self.is_page else shorten(first_line(self.text), 200)
        return f"{self.status}: {said}" if said else str(self.status or "no answer")


def fetch_text(connection: Connection, place: str, seconds: float = SECONDS_TO_ANSWER) -> Text:
    """The text at an address of a server, which has some seconds to begin."""
    head, tail, size = bytearray(), bytearray(), 0
    began = time.monotonic()
    try:
        headers = connection.credentials.headers()
        limits = httpx.Timeout(seconds, connect=min(seconds, SECONDS_TO_CONNECT))
        with connection.http.stream("GET", place, headers=headers, timeout=limits) as answer:
            status, kind = answer.status_code, answer.headers.get("content-type", "")
            for piece in answer.iter_bytes():
                size += len(piece)
                taken = BYTES_OF_AN_END - len(head)
                head += piece[:taken]
                tail = (tail + piece[taken:])[-BYTES_OF_AN_END:]
                if size > LARGEST or time.monotonic() - began > LONGEST:
                    break
    except (ClusterError, httpx.HTTPError, httpx.InvalidURL):
        return Text()
    left_out = size - len(head) - len(tail)
    gap = f"\n… {left_out:,} bytes are left out …\n".encode() if left_out else b""
    return Text(status, kind, bytes(head + gap + tail).decode("utf-8", errors="replace"))
