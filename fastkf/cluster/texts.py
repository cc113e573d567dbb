"""Texts that a server has: the logs of pods, what Kubernetes says of them, files."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from fastkf.base.errors import first_line, shorten
from fastkf.base.files import BYTES_OF_AN_END
from fastkf.cluster.connection import SECONDS_TO_ANSWER, SECONDS_TO_CONNECT, Connection
from fastkf.cluster.errors import ClusterError

LARGEST, LONGEST = 2**30, 120.0  # bytes and seconds; a server may send without an end
PAGES = ("<!doctype", "<html")
BYTES_OF_A_PASSAGE = 16 * 1024  # from the middle of a long text
LONGEST_MARK = 200  # bytes that a pattern may find


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
        """Whether it is a page for a browser, in place of what was asked for."""
        return self.text.lstrip()[:20].lower().startswith(PAGES)

    @property
    def refusal(self) -> str:
        """Why there is no text, in a few words; "" where there is one."""
        if 200 <= self.status < 300:
            return "a web page answers" if self.is_page else ""
        said = "" if self.is_page else shorten(first_line(self.text), 200)
        return f"{self.status}: {said}" if said else str(self.status or "no answer")


@dataclass
class Excerpt:
    """What is kept of a long text: its beginning, its end, and the first place of each mark."""

    marks: Sequence[re.Pattern[bytes]] = ()
    size: int = 0
    _head: bytearray = field(default_factory=bytearray)
    _tail: bytearray = field(default_factory=bytearray)
    _carry: bytes = b""  # the last bytes left out: a mark may lie across two pieces
    _found: dict[re.Pattern[bytes], bytearray] = field(default_factory=dict)

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        taken = BYTES_OF_AN_END - len(self._head)
        self._head += piece[:taken]
        self._tail += piece[taken:]
        if len(self._tail) > BYTES_OF_AN_END:
            self._leave_out(bytes(self._tail[:-BYTES_OF_AN_END]))
            del self._tail[:-BYTES_OF_AN_END]

    def _leave_out(self, piece: bytes) -> None:
        for passage in self._found.values():
            passage += piece[: BYTES_OF_A_PASSAGE - len(passage)]
        seen = (self._carry or bytes(self._head[-LONGEST_MARK:])) + piece
        for mark in self.marks:
            if mark not in self._found and (found := mark.search(seen)):
                at = found.start()
                self._found[mark] = bytearray(seen[at : at + BYTES_OF_A_PASSAGE])
        self._carry = seen[-LONGEST_MARK:]

    def read(self) -> str:
        passages = list(self._found.values())
        left_out = self.size - len(self._head) - len(self._tail) - sum(map(len, passages))
        gap = f"\n… {left_out:,} bytes are left out …\n".encode() if left_out > 0 else b""
        text = gap.join([self._head, *passages, self._tail])
        return text.decode("utf-8", errors="replace")


def fetch_text(
    connection: Connection,
    place: str,
    seconds: float = SECONDS_TO_ANSWER,
    marks: Sequence[re.Pattern[bytes]] = (),
) -> Text:
    """The text at an address of a server, which has some seconds to begin.

    Args:
        marks: what is kept of the middle of a long one: from the first of each on, a passage.
    """
    kept = Excerpt(marks)
    began = time.monotonic()
    try:
        headers = connection.credentials.headers()
        limits = httpx.Timeout(seconds, connect=min(seconds, SECONDS_TO_CONNECT))
        with connection.http.stream("GET", place, headers=headers, timeout=limits) as answer:
            status, kind = answer.status_code, answer.headers.get("content-type", "")
            for piece in answer.iter_bytes():
                kept.add(piece)
                if kept.size > LARGEST or time.monotonic() - began > LONGEST:
                    break
    except (ClusterError, httpx.HTTPError, httpx.InvalidURL):
        return Text()
    return Text(status, kind, kept.read())
