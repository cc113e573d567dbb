"""How long a pipeline takes on this machine: plain, with fastkf, and as a notebook.

    .venv/bin/python benchmarks/local_run.py [--runs 3] [NOTEBOOK]...

Per notebook, alternating and in one go, each in a process of its own:

- plain: Kale's code under `kfp.local.SubprocessRunner(use_venv=False)`, from a compiled package;
- fastkf: `fastkf run --only pipeline`, which also checks, compiles and writes the report;
- papermill: the `papermill` command on the same file.

Prints the median of each with its spread, the ratios within each round, and the peak memory of
the whole process tree (proportional set size on Linux, so pages that forks share count once).
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def measure(notebook, runs: int, methods: list[str]) -> dict[str, list[tuple[float, float]]]:
    """Method to (seconds, peak megabytes) of each counted round."""
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
                    f"{notebook.name} {round_number}/{runs} {method} {result[0]:.1f} s", flush=True
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


def run(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds and peak megabytes of a command and all its descendants; stops when it fails."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with tempfile.TemporaryFile() as output:
        began, peak = time.monotonic(), 0.0
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
    return seconds, peak


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


def print_results(path: Path, results: dict[str, list[tuple[float, float]]]) -> None:
    table = Table("", "seconds", "min–max", "peak MB", title=path.stem, title_justify="left")
    for method, measured in results.items():
        seconds = [second for second, _ in measured]
        peak = max(megabytes for _, megabytes in measured)
        spread = f"{min(seconds):.1f}–{max(seconds):.1f}"
        table.add_row(method, f"{statistics.median(seconds):.1f}", spread, f"{peak:.0f}")
    console = Console()
    console.print(table)
    for one, other in (("plain", "fastkf"), ("fastkf", "papermill")):
        if one in results and other in results:
            print_ratio(console, f"{one} / {other}", results[one], results[other])


def print_ratio(console: Console, title: str, above: list, below: list) -> None:
    ratios = [one[0] / other[0] for one, other in zip(above, below, strict=True)]
    spread = f"{min(ratios):.2f}–{max(ratios):.2f}"
    console.print(f"{title}: {statistics.median(ratios):.2f} ({spread})")


if __name__ == "__main__":
    main()
