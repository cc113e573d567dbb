"""The log of a step, and the exception of a learner in it."""

import re
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

import httpx

from fastkf.base.errors import shorten
from fastkf.cluster.connection import Connection
from fastkf.cluster.errors import SIGN_IN_PAGE
from fastkf.cluster.files import stored_at
from fastkf.cluster.texts import Text, fetch_text
from fastkf.runs.model import Failure
from fastkf.runs.text import TERMINAL_CODES

LAST_LINES = 12
SILENT = "cannot be had: the server does not answer"
SECONDS_FOR_ALL = 25.0  # the places where a log may be
SECONDS_TO_BEGIN = 15.0  # of an archived log, which the pages' server gets from the store first
VERSIONS = ("v2beta1", "v1alpha1")  # fastkf's own server has the first, Kubeflow's the second
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
# What is looked for in the middle of a log that is too long to be kept: these two.
MARKS = (
    re.compile(rb"Kale jputils:\d+\s+\[ERROR\]\s+Error: "),
    re.compile(rb"(?<=\n)Traceback \(most recent call last\):\n"),
)
# What the launcher and the drivers of Kubeflow Pipelines write before they give up (glog).
FATAL = re.compile(r"^F\d{4} [\d:.]+ +\d+ [\w.]+:\d+\] (.+)$", re.M)
EXIT_STATUS = re.compile(r"failed to execute component: (?:exit status (\d{1,3})|signal: killed)")
KILLED_BY = 128  # and the signal's number


def fetch_log(
    connection: Connection,
    run_id: str,
    namespace: str,
    pods: Sequence[str],
    created: datetime | None = None,
    archived: str = "",
) -> tuple[str, str]:
    """The log of a step; "" when the server has none.

    Args:
        pods: the names that the step's pod may have.
        created: when the run was.
        archived: the URI of the log that Kubeflow Pipelines has kept itself.

    Returns:
        The log, and what is to be said of one that is out of reach; "" of one that is not there.
    """
    pages, day = connection.pages, created.strftime("%Y-%m-%d") if created else ""
    asked = {"runid": run_id, "podnamespace": namespace, "createdat": day}
    # Of a pod that is gone the pages' server finds an archived log, in a folder of that day.
    places = [f"{pages}/k8s/pod/logs?{_query({'podname': pod, **asked})}" for pod in pods]
    if archived:
        places.append(stored_at(connection, archived, namespace))
    # The API has them at a path of its version.
    nodes = [f"runs/{quote(run_id, safe='')}/nodes/{quote(pod, safe='')}/log" for pod in pods]
    places += [f"{connection.host}/apis/{v}/{node}" for node in nodes for v in VERSIONS]
    refusal, until = "", time.monotonic() + SECONDS_FOR_ALL
    for place in places:
        answer = fetch_text(connection, place, SECONDS_TO_BEGIN, MARKS)
        if _is_log(answer):
            return TERMINAL_CODES.sub("", answer.text), ""
        if time.monotonic() > until:
            return "", SILENT
        if answer.status in (401, 403) or 300 <= answer.status < 400 or _asks_to_sign_in(answer):
            refusal = refusal or f"may not be read ({answer.refusal})"
    return "", refusal


def _query(values: dict[str, str]) -> str:
    return str(httpx.QueryParams({name: value for name, value in values.items() if value}))


def _is_log(answer: Text) -> bool:
    """Whether it is none of a page for a browser, an error as JSON, nothing."""
    is_page = "html" in answer.kind and answer.is_page
    is_answer = 200 <= answer.status < 300 and not is_page and "json" not in answer.kind
    return is_answer and bool(answer.text.strip())


def _asks_to_sign_in(answer: Text) -> bool:
    is_page = "html" in answer.kind and answer.is_page
    return is_page and bool(SIGN_IN_PAGE.search(answer.text))


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
    if found := TRACEBACK.search(log):
        return _read_failure(found[1])
    return _read_launcher(log)


def _read_launcher(log: str) -> Failure | None:
    """What Kubeflow's own programs say in the end: why a driver failed, how a process ended."""
    told = FATAL.findall(log)
    if not told:
        return None
    ended = EXIT_STATUS.fullmatch(told[-1])
    if ended is None:
        return Failure("", shorten(told[-1]))
    number = int(ended[1]) - KILLED_BY if ended[1] else signal.SIGKILL
    if number not in signal.valid_signals():
        return None  # that of Python after an exception, which says more
    name = signal.Signals(number).name
    why = "; memory may have run out" if number == signal.SIGKILL else ""
    return Failure("", f"its process was ended by {name} (exit status {number + KILLED_BY}){why}")


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
