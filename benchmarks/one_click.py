"""How long one click takes: from Kale's panel to the finished run, against `fastkf run`.

    .venv/bin/python benchmarks/one_click.py [--runs 3] [LAB]

In alternation, on the same lab:

- *Compile and Run*, pressed in Kale's panel in the real JupyterLab, in Chromium: until the run has
  finished, and until the panel shows it (the panel asks every two seconds);
- `fastkf run --only pipeline`, the whole command.

Prints the medians with their spread, and the difference and the ratio within each round.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import urllib3
from rich.console import Console
from rich.table import Table
from server import add, run_here

from fastkf.course import data
from fastkf.course.places import NOTEBOOKS, PROJECT
from fastkf.notebook.model import Notebook, read

sys.path.append(str(PROJECT / "tests"))

import browser
from kale_panel import NotebookPage, start_lab

DEFAULT = NOTEBOOKS / "01_first_pipeline.ipynb"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", nargs="?", type=Path, default=DEFAULT, metavar="LAB")
    parser.add_argument("--runs", type=int, default=3, help="rounds, after one that does not count")
    arguments = parser.parse_args()
    notebook = read(arguments.notebook.resolve())
    data.fetch(notebook.course.needs, progress=print)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        rounds = measure(notebook, Path(folder), arguments.runs)
    show(rounds[1:], notebook.name)


def measure(notebook: Notebook, folder: Path, rounds: int) -> list[dict[str, float]]:
    """Seconds of the parts of a click, and of `fastkf run`, for each round."""
    (folder / "notebooks").mkdir()
    shutil.copy(notebook.path, folder / "notebooks")
    results = []
    with (
        start_lab(folder / "notebooks", FASTKF_SERVER=str(folder / "server")) as lab,
        browser.start_chromium() as chromium,
        browser.open_page(chromium) as page,
    ):
        in_lab = NotebookPage(page, lab)
        in_lab.open(notebook.path.name)
        in_lab.wait_for_panel(notebook)
        for number in range(rounds + 1):
            clicked = click(in_lab, lab.pipelines)
            here = run_here(notebook, folder / f"run-{number}")
            results.append({**clicked, "fastkf run": here})
            print(f"{number}/{rounds}: {json.dumps(results[-1])}", flush=True)
    return results


def click(in_lab: NotebookPage, server: str) -> dict[str, float]:
    began = time.time()
    in_lab.press_run()
    link = in_lab.wait_for_run()
    ended = time.time()
    run_id = link.get_attribute("href").rpartition("/")[2]
    run = json.loads(urllib3.request("GET", f"{server}apis/v2beta1/runs/{run_id}").data)
    if run["state"] != "SUCCEEDED":
        sys.exit(f"the run has not succeeded: {run.get('error')}")
    created, finished = (
        datetime.fromisoformat(run[name]).timestamp() for name in ("created_at", "finished_at")
    )
    return {
        "click to submitted": created - began,
        "submitted to finished": finished - created,
        "click to finished": finished - began,
        "click to shown": ended - began,
    }


def show(rounds: list[dict[str, float]], name: str) -> None:
    table = Table("", "median", "min–max", "", title=f"One click: {name}", title_justify="left")
    for part in rounds[0]:
        add(table, part, [one[part] for one in rounds], "s", 1)
    for part in ("click to finished", "click to shown"):
        pairs = [(one[part], one["fastkf run"]) for one in rounds]
        add(table, f"{part}: difference", [clicked - here for clicked, here in pairs], "s", 1)
        add(table, f"{part}: ratio", [clicked / here for clicked, here in pairs], "", 2)
    Console().print(table)


if __name__ == "__main__":
    main()
