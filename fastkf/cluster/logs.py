"""The log of a step, and the exception of a learner in it."""

import re
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from fastkf.cluster.connection import Connection
from fastkf.cluster.errors import ClusterError
from fastkf.cluster.tasks import Task
from fastkf.notebook.model import Notebook
from fastkf.runs.text import TERMINAL_CODES

LAST_LINES = 12
# Kale 2.3, kale/common/jputils.py: "... Kale jputils:338 [ERROR] Error: NAME: MESSAGE"
KALE_ERROR = re.compile(r"Kale jputils:\d+\s+\[ERROR\]\s+Error: (\w.*)")
KALE_ERROR_END = re.compile(r"^.*Kale jputils:\d+\s+\[ERROR\]\s+={10,}$", re.M)
KALE_PREFIX = re.compile(r"^\d{4}-\S+ \S+ Kale jputils:\d+\s+\[\w+\] {0,4}", re.M)
ARROW = re.compile(r"^-+> (\d+) (.*)$", re.M)
TRACEBACK = re.compile(
    r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)+?(\w[\w.]*(?::.*)?)$", re.M
)


@dataclass(frozen=True)
class Failure:
    """An exception in a log.

    Attributes:
        error: its name and message.
        line: the line of the cell that raised it, from 1, and its text; None when not known.
    """

    error: str
    line: tuple[int, str] | None = None


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
            try:
                answer = connection.request_page("GET", place)
            except ClusterError:
                continue
            is_log = answer.headers.get("content-type", "").startswith("text/plain")
            if answer.is_success and is_log and answer.text.strip():
                return TERMINAL_CODES.sub("", answer.text)
    return ""


def find_failure(log: str) -> Failure | None:
    """The first exception in a log: after it, Kale goes on with later cells, which fail too."""
    if kale := KALE_ERROR.search(log):
        arrow = ARROW.search(log, kale.end())
        after = KALE_ERROR.search(log, kale.end())
        if arrow and not (after and after.start() < arrow.start()):
            return Failure(kale[1].strip(), (int(arrow[1]), arrow[2].strip()))
        return Failure(kale[1].strip())
    found = TRACEBACK.search(log)
    return Failure(found[1].strip()) if found else None


def describe_failure(failure: Failure, step: str, notebook: Notebook | None) -> str:
    """The exception, with the cell of the notebook and its line."""
    if failure.line is None:
        return failure.error
    number, text = failure.line
    for cell in notebook.steps.get(step, []) if notebook else []:
        lines = cell.source.strip().splitlines()
        if number <= len(lines) and lines[number - 1].strip() == text:
            return f"{failure.error} (cell {cell.number}, line {number}: {text})"
    return f"{failure.error} (line {number} of the step's cell: {text})"


def end_of_log(log: str) -> str:
    """Its last lines; where Kale wrote it, those of the first error: what follows is due to it."""
    if first := KALE_ERROR.search(log):
        end = KALE_ERROR_END.search(log, first.end())
        log = KALE_PREFIX.sub("", log[: end.start() if end else None])
    return "\n".join(log.rstrip().splitlines()[-LAST_LINES:])
