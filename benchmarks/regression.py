"""How long the regression suite takes, against the same proofs one after another.

    .venv/bin/python benchmarks/regression.py [--runs 2] [NOTEBOOK]...

On the same notebooks, in alternation:

- one after another: `papermill`, `pytest --nbval`, `kale`, and the compiled package under
  `kfp.local.SubprocessRunner(use_venv=False)`, for each notebook in turn;
- fastkf: `fastkf test`, which also checks the rules, the golden pipelines, the parity of metrics,
  the quick parameters and the solutions.

Prints the medians, and the ratio within each round.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from local_run import PLAIN, remove_files_of_kale, run
from rich.console import Console

from fastkf.course import data
from fastkf.course.places import NOTEBOOKS
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.model import read

DEFAULT = [NOTEBOOKS / "01_first_pipeline.ipynb", NOTEBOOKS / "02_titanic.ipynb"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, default=DEFAULT)
    parser.add_argument("--runs", type=int, default=2)
    arguments = parser.parse_args()
    notebooks = [read(path.resolve()) for path in arguments.notebooks]
    for notebook in notebooks:
        data.fetch(notebook.course.needs, progress=print)
    rounds = [measure(notebooks) for _ in range(arguments.runs)]
    plain, fastkf = zip(*rounds, strict=True)
    ratios = [one / other for one, other in rounds]
    console = Console()
    console.print(f"one after another: {statistics.median(plain):.0f} s")
    console.print(f"fastkf test: {statistics.median(fastkf):.0f} s")
    spread = f"{min(ratios):.2f}–{max(ratios):.2f}"
    console.print(f"one after another / fastkf test: {statistics.median(ratios):.2f} ({spread})")


def measure(notebooks: list) -> tuple[float, float]:
    """Seconds of the plain proofs, and of the suite."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        plain = sum(measure_plainly(notebook, Path(folder)) for notebook in notebooks)
        names = [str(notebook.path) for notebook in notebooks]
        command = [sys.executable, "-m", "fastkf.cli", "test", *names]
        fastkf, _ = run([*command, "--output", f"{folder}/suite"], Path(folder))
    return plain, fastkf


def measure_plainly(notebook, folder: Path) -> float:
    """Seconds of papermill, nbval, kale and the plain local run, one after another."""
    python, path = sys.executable, str(notebook.path)
    package = compile_notebook(notebook, folder / f"{notebook.name}.yaml")
    nbval = ["-m", "pytest", "--nbval", "-q", "-c", "/dev/null", "-p", "no:cacheprovider"]
    commands = {
        "papermill": ["-m", "papermill", path, str(folder / "out.ipynb"), "-k", "python3"],
        "nbval": [*nbval, path],
        "kale": ["-m", "kale.cli", "--nb", path],
        "plain local run": ["-c", PLAIN, str(package), str(folder / "artifacts")],
    }
    seconds = 0.0
    for name, command in commands.items():
        remove_files_of_kale()
        # Kale writes a folder .kale where it is called.
        took, _ = run([python, *command], folder if name == "kale" else notebook.path.parent)
        print(f"{notebook.name}: {name} {took:.0f} s", flush=True)
        seconds += took
    remove_files_of_kale()
    return seconds


if __name__ == "__main__":
    main()
