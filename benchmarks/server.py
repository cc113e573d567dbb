"""How light the local Kubeflow Pipelines server is, and how much time it adds to a run.

    .venv/bin/python benchmarks/server.py [--runs 3] [NOTEBOOK]

- start: from `fastkf server` to its first answer; the memory of its processes when idle;
- lists, of 100,000 runs: the 20 newest, those of them that are not archived, as the pages of
  Kubeflow Pipelines ask for them, and pages of 200; each also as a multiple of the time of the
  smallest answer, `healthz`, in the same pass;
- a run: from the request that submits the compiled notebook to the end of the run, against
  `fastkf run --only pipeline` of the same notebook, which also checks, compiles and reports.

Alternating and in one go. Prints medians with their spread, and the difference within each round.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert

from fastkf.base import clock
from fastkf.course import data
from fastkf.course.places import NOTEBOOKS
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.model import read
from fastkf.package.model import Package
from fastkf.server import database as db
from fastkf.server import runs as server_runs
from fastkf.server.settings import Settings

LISTED = 100_000
REPEATS = 20
SMALLEST = "healthz"
POLL_SECONDS = 0.05
API = "/apis/v2beta1"
ENDED = ("SUCCEEDED", "FAILED", "CANCELED")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = NOTEBOOKS / "01_first_pipeline.ipynb"
    parser.add_argument("notebook", nargs="?", type=Path, default=default)
    parser.add_argument("--runs", type=int, default=3, help="rounds, after one that does not count")
    arguments = parser.parse_args()
    notebook = read(arguments.notebook)
    data.fetch(notebook.course.needs, progress=print)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        folder = Path(folder)
        starts = [measure_start(folder / f"start-{number}") for number in range(arguments.runs + 1)]
        lists = measure_lists(folder / "lists")
        rounds = measure_runs(notebook, folder, arguments.runs)
    show(starts[1:], lists, rounds[1:], notebook.name)


class Server:
    """A server in a process of its own, on a free port."""

    def __init__(self, folder: Path):
        self.began = time.monotonic()
        command = [sys.executable, "-m", "fastkf.cli", "server", "--port", "0", "--folder", folder]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().split()[-1]
        self.token = (Path(folder) / "token").read_text().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def ask(self, path: str, body: dict | None = None) -> bytes:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.url + API + path, content, headers)
        with urllib.request.urlopen(request) as response:
            return response.read()


def measure_start(folder: Path) -> tuple[float, float]:
    """Seconds to the first answer; megabytes when idle."""
    with Server(folder) as server:
        server.ask("/runs")
        seconds = time.monotonic() - server.began
        root = psutil.Process(server.process.pid)
        members = [root, *root.children(recursive=True)]
        return seconds, sum(member.memory_info().rss for member in members) / 1e6


def measure_lists(folder: Path) -> dict[str, list[float]]:
    """Milliseconds of each request."""
    settings = Settings(folder)
    folder.mkdir()
    fill(db.Database(settings.database))
    available = {"key": "storage_state", "operation": "NOT_EQUALS", "string_value": "ARCHIVED"}
    newest = "/runs?sort_by=created_at%20desc"
    not_archived = quote(json.dumps({"predicates": [available]}))
    questions = {
        SMALLEST: "/healthz",
        "newest 20": newest,
        "newest 20, not archived": f"{newest}&filter={not_archived}",
        "newest 200": f"{newest}&page_size=200",
    }
    with Server(folder) as server:
        assert json.loads(server.ask(newest))["total_size"] == LISTED
        rounds = [
            {name: measure(server, path) for name, path in questions.items()}
            for _ in range(REPEATS)
        ]
    return {name: [one[name] for one in rounds] for name in questions}


def measure(server: Server, path: str) -> float:
    began = time.monotonic()
    server.ask(path)
    return 1000 * (time.monotonic() - began)


def fill(database: db.Database) -> None:
    """Runs that have ended, as a busy month leaves them."""
    moment, kept = clock.now() - timedelta(days=30), [{"state": "SUCCEEDED"}]
    rows = [
        {
            "id": server_runs.new_id(),
            "experiment_id": f"experiment-{number % 10}",
            "display_name": f"titanic-version-{number}",
            "description": "",
            "service_account": "",
            "pipeline_name": "titanic",
            "parameters": {"cv_folds": 5, "random_state": number},
            "pipeline_root": "",
            "state": "SUCCEEDED",
            "storage_state": "ARCHIVED" if number % 50 == 0 else "AVAILABLE",
            "state_history": kept,
            "created_at": moment + timedelta(seconds=20 * number),
            "scheduled_at": moment,
            "finished_at": moment + timedelta(seconds=20 * number + 5),
        }
        for number in range(LISTED)
    ]
    with database.write() as session:
        session.execute(insert(db.Run), rows)
    database.close()


def measure_runs(notebook, folder: Path, rounds: int) -> list[tuple[float, float]]:
    """Seconds of a run on the server and of `fastkf run`, for each round."""
    package = compile_notebook(notebook, folder / "pipeline.yaml")
    # The server caches steps, and `fastkf run` does not: it would run them in the first round only.
    text = package.read_text(encoding="utf-8")
    package.write_text(text.replace("enableCache: true", "enableCache: false"), encoding="utf-8")
    spec = Package.read(package).as_answer()
    results = []
    with Server(folder / "runs") as server:
        for number in range(rounds + 1):
            results.append((run_on(server, spec), run_here(notebook, folder / f"run-{number}")))
            seconds = " s, ".join(f"{value:.1f}" for value in results[-1])
            print(f"{notebook.name} {number}/{rounds}: server, fastkf run: {seconds} s", flush=True)
    return results


def run_on(server: Server, spec: dict) -> float:
    began = time.monotonic()
    run = json.loads(server.ask("/runs", {"display_name": "benchmark", "pipeline_spec": spec}))
    state = ""
    while state not in ENDED:
        time.sleep(POLL_SECONDS)
        run = json.loads(server.ask(f"/runs/{run['run_id']}"))
        state = run["state_history"][-1]["state"]
    if state != "SUCCEEDED":
        sys.exit(f"the run has not succeeded: {run.get('error')}")
    return time.monotonic() - began


def run_here(notebook, output: Path) -> float:
    command = [sys.executable, "-m", "fastkf.cli", "run", str(notebook.path.resolve())]
    command += ["--only", "pipeline", "--output", str(output)]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)
    return time.monotonic() - began


def show(starts, lists: dict[str, list[float]], rounds, name: str) -> None:
    table = Table("", "median", "min–max", "", title="fastkf server", title_justify="left")
    add(table, "start, to the first answer", [seconds for seconds, _ in starts], "s", 2)
    add(table, "memory, idle", [megabytes for _, megabytes in starts], "MB", 0)
    for question, milliseconds in lists.items():
        add(table, question, milliseconds, "ms", 1)
        if question != SMALLEST:
            pairs = zip(milliseconds, lists[SMALLEST], strict=True)
            add(
                table, f"{question}: times {SMALLEST}", [one / least for one, least in pairs], "", 1
            )
    add(table, f"{name} on the server", [on_server for on_server, _ in rounds], "s", 1)
    add(table, f"{name} with fastkf run", [here for _, here in rounds], "s", 1)
    add(table, "what the server adds", [one - other for one, other in rounds], "s", 1)
    Console().print(table)


def add(table: Table, name: str, values: list[float], unit: str, digits: int) -> None:
    shown = [
        f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values))
    ]
    table.add_row(name, shown[0], f"{shown[1]}–{shown[2]}", unit)


if __name__ == "__main__":
    main()
