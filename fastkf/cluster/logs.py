"""The log of a step, and the exception of a learner in it."""

import re
import signal
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

import httpx

from fastkf.base.errors import shorten
from fastkf.cluster.connection import Connection
from fastkf.cluster.texts import fetch_text
from fastkf.runs.model import Failure
from fastkf.runs.text import TERMINAL_CODES

LAST_LINES = 12
SOURCES = {"gs": "gcs"}  # as the pages' server calls the kinds of stores
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
# What the launcher and the drivers of Kubeflow Pipelines write before they give up (glog).
FATAL = re.compile(r"^F\d{4} [\d:.]+ +\d+ [\w.]+:\d+\] (.+)$", re.M)
EXIT_STATUS = re.compile(r"failed to execute component: exit status (\d{1,3})")
KILLED_BY = 128  # and the signal's number


def fetch_log(
    connection: Connection,
    run_id: str,
    namespace: str,
    pods: Sequence[str],
    created: datetime | None = None,
    archived: str = "",
) -> str:
    """The log of a step; "" when the server has none.

    The pages' server has logs at /k8s/pod/logs, the API's at a path of its version. Of a pod that
    is gone, the pages' server looks for an archived log, whose folder is called after the day.

    Args:
        pods: the names that the step's pod may have.
        created: when the run was.
        archived: the URI of the log that Kubeflow Pipelines has kept itself.
    """
    day = created.strftime("%Y-%m-%d") if created else ""
    for pod in pods:
        query = {"podname": pod, "runid": run_id, "podnamespace": namespace, "createdat": day}
        if log := _read_log(connection, f"{connection.pages}/k8s/pod/logs?{_query(query)}"):
            return log
    if archived and (log := _read_archived(connection, archived, namespace)):
        return log
    for pod in pods:
        node = f"runs/{quote(run_id, safe='')}/nodes/{quote(pod, safe='')}/log"
        for version in ("v2beta1", "v1alpha1"):
            if log := _read_log(connection, f"{connection.host}/apis/{version}/{node}"):
                return log
    return ""


def _read_archived(connection: Connection, uri: str, namespace: str) -> str:
    source, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    query = {
        "source": SOURCES.get(source, source),
        "namespace": namespace,
        "bucket": bucket,
        "key": key,
    }
    return _read_log(connection, f"{connection.pages}/artifacts/get?{_query(query)}")


def _query(values: dict[str, str]) -> str:
    return str(httpx.QueryParams({name: value for name, value in values.items() if value}))


def _read_log(connection: Connection, place: str) -> str:
    """The log at an address; "" when there is none: a page for a browser, or an error as JSON."""
    answer = fetch_text(connection, place)
    is_page = "html" in answer.kind and answer.is_page
    if not 200 <= answer.status < 300 or is_page or "json" in answer.kind:
        return ""
    return TERMINAL_CODES.sub("", answer.text) if answer.text.strip() else ""


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
    number = int(ended[1]) - KILLED_BY
    if number not in signal.valid_signals():
        return None  # that of Python after an exception, which says more
    name = signal.Signals(number).name
    why = "; memory may have run out" if number == signal.SIGKILL else ""
    return Failure("", f"its process was ended by {name} (exit status {ended[1]}){why}")


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
