"""How long a pipeline takes on this machine: plain, with fastkf, and as a notebook.

    .venv/bin/python benchmarks/local_run.py [--runs 3] [NOTEBOOK]...

Per notebook, alternating and in one go, each in a process of its own:

- plain: Kale's code under `kfp.local.SubprocessRunner(use_venv=False)`, from a compiled package;
- fastkf: `fastkf run --only pipeline`, which also checks, compiles and writes the report;
- papermill: the `papermill` command on the same file.

Prints the median of each with its spread, on the clock and of the processors, which other work on
the machine hardly changes; the ratios of both within each round; and the peak memory of the whole
process tree (proportional set size on Linux, so pages that forks share count once).
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil
from rich.console import Console
from rich.table import Table

from fastkf.course import data
from fastkf.course.places import NOTEBOOKS
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.model import read

FOLDER = Path(__file__).resolve().parent
DEFAULT = [FOLDER / "add_integers.ipynb", NOTEBOOKS / "02_titanic.ipynb"]
METHODS = ["plain", "fastkf", "papermill"]
KALE_FILES = [Path("/tmp/marshal"), Path("/tmp/mlpipeline-metrics.json")]
PLAIN = """
import sys
from kfp import components, local
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[2])
components.load_component_from_file(sys.argv[1])()
"""
SAMPLE_SECONDS = 0.1


class Cost(NamedTuple):
    """What a command took, with all its descendants: seconds twice, and megabytes."""

    clock: float
    processors: float
    peak: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, default=DEFAULT)
    parser.add_argument(
        "--runs", type=int, default=3, help="rounds that count, after one that does not"
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    arguments = parser.parse_args()
    for path in arguments.notebooks:
        notebook = read(path)
        data.fetch(notebook.course.needs, progress=print)
        print_results(path, measure(notebook, arguments.runs, arguments.methods))


def measure(notebook, runs: int, methods: list[str]) -> dict[str, list[Cost]]:
    """Method to what it took in each counted round."""
    results = {method: [] for method in methods}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        folder = Path(folder)
        package = compile_notebook(notebook, folder / "pipeline.yaml")
        for round_number in range(runs + 1):
            for method, command in commands(notebook.path, package, folder).items():
                if method not in methods:
                    continue
                remove_files_of_kale()
                result = run(command, notebook.path.parent)
                if round_number:
                    results[method].append(result)
                print(
                    f"{notebook.name} {round_number}/{runs} {method} "
                    f"{result.clock:.1f} s of clock, "
                    f"{result.processors:.1f} s of processors",
                    flush=True,
                )
    remove_files_of_kale()
    return results


def commands(path: Path, package: Path, folder: Path) -> dict[str, list[str]]:
    output = Path(tempfile.mkdtemp(dir=folder))
    python = sys.executable
    fastkf = [python, "-m", "fastkf.cli", "run", str(path.resolve()), "--only", "pipeline"]
    return {
        "plain": [python, "-c", PLAIN, str(package), str(output / "artifacts")],
        "fastkf": [*fastkf, "--output", str(output / "run")],
        "papermill": [
            *[python, "-m", "papermill", str(path.resolve()), str(output / "out.ipynb")],
            *["-k", "python3", "--no-progress-bar"],
        ],
    }


def run(command: list[str], folder: Path) -> Cost:
    """What a command and all its descendants take; stops when it fails."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with tempfile.TemporaryFile() as output:
        before, began, peak = processor_seconds(), time.monotonic(), 0.0
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        while process.poll() is None:
            peak = max(peak, memory_of_tree(process.pid))
            time.sleep(SAMPLE_SECONDS)
        seconds = time.monotonic() - began
        if process.returncode:
            output.seek(0)
            sys.exit(f"{' '.join(command)[:200]}\n{output.read().decode()[-2000:]}")
    return Cost(seconds, processor_seconds() - before, peak)


def processor_seconds() -> float:
    """Of all descendants that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def memory_of_tree(pid: int) -> float:
    """Megabytes of a process, its descendants, and those that a fastkf run's warm parent has."""
    total = 0
    for process in members_of_tree(pid):
        try:
            memory = process.memory_full_info()
            total += getattr(memory, "pss", memory.rss)
        except psutil.Error:
            continue
    return total / 1e6


def members_of_tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def remove_files_of_kale() -> None:
    """What a plain run leaves at fixed paths in /tmp would break the next one."""
    for path in KALE_FILES:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def print_results(path: Path, results: dict[str, list[Cost]]) -> None:
    columns = ("", "clock, s", "min–max", "processors, s", "min–max", "peak MB")
    table = Table(*columns, title=path.stem, title_justify="left")
    for method, costs in results.items():
        seconds = [
            cell
            for measured in ([cost.clock for cost in costs], [cost.processors for cost in costs])
            for cell in describe(measured, "{:.1f}")
        ]
        table.add_row(method, *seconds, f"{max(cost.peak for cost in costs):.0f}")
    console = Console()
    console.print(table)
    for one, other in (("plain", "fastkf"), ("fastkf", "papermill")):
        if one in results and other in results:
            print_ratio(console, one, other, results)


def print_ratio(console: Console, one: str, other: str, results: dict[str, list[Cost]]) -> None:
    def measure(seconds: Callable[[Cost], float]) -> str:
        pairs = zip(results[one], results[other], strict=True)
        median, spread = describe(
            [seconds(above) / seconds(below) for above, below in pairs], "{:.2f}"
        )
        return f"{median} ({spread})"

    clock, processors = measure(lambda cost: cost.clock), measure(lambda cost: cost.processors)
    console.print(f"{one} / {other}: {clock} on the clock, {processors} of processors")


def describe(values: list[float], form: str) -> tuple[str, str]:
    """The median, and from where to where they go."""
    least, most = form.format(min(values)), form.format(max(values))
    return form.format(statistics.median(values)), f"{least}–{most}"


if __name__ == "__main__":
    main()
