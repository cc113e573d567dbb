"""What is proven of a Kale notebook: a function for each check, which raises CheckError.

Each gets the notebook and an empty folder for the files that it makes.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fastkf.notebook.model import Notebook, read
from fastkf.package.model import Package

SANITISING = Path(__file__).parent / "nbval.cfg"
SOLUTIONS = "solutions"


class CheckError(Exception):
    """What a check has found; the text says what is wrong and what to do."""


def rules(notebook: Notebook, folder: Path) -> None:
    """The notebook has no findings."""
    from fastkf.notebook.check import check

    if findings := check(notebook):
        raise CheckError("\n".join(map(str, findings)))


def outputs(notebook: Notebook, folder: Path) -> None:
    """The notebook is committed executed, without errors and warnings."""
    cells = [cell for cell in notebook.code_cells if cell.source.strip()]
    results = [(cell, output) for cell in cells for output in cell.outputs]
    if not results:
        raise CheckError(f"{notebook.path}: committed without outputs; execute and save it")
    for cell, output in results:
        if output["output_type"] == "error" or output.get("name") == "stderr":
            raise CheckError(
                f"{notebook.path}: cell {cell.number}: an error or a warning is among its outputs"
            )
    if missing := set(notebook.metrics) - set(committed_metrics(notebook)):
        raise CheckError(
            f"{notebook.path}: no committed value of {', '.join(sorted(missing))}; "
            "execute the metrics cell and save the notebook"
        )


def package(notebook: Notebook, folder: Path) -> None:
    """It compiles, twice to the same bytes, to the pipeline that golden/<name>.json describes."""
    from fastkf.notebook.compile import compile_notebook

    first = compile_notebook(notebook, folder / "first.yaml")
    if first.read_bytes() != compile_notebook(notebook, folder / "second.yaml").read_bytes():
        raise CheckError(f"{notebook.path}: compiled twice, it gives different packages")
    golden = golden_path(notebook)
    if golden.exists():
        was, now = json.loads(golden.read_text()), Package.read(first).describe()
        if different := [key for key in was if was[key] != now[key]]:
            raise CheckError(
                f"{notebook.path}: the pipeline is not the one of {golden} any more: "
                + "; ".join(f"{key} was {was[key]}, is {now[key]}" for key in different)
                + f"; if that is meant: fastkf test {notebook.path} --update-golden"
            )


def execution(notebook: Notebook, folder: Path) -> None:
    """Executed again, its cells give the committed outputs (nbval), its metrics within tolerance.

    A cell whose output may differ carries nbval's marker `# NBVAL_IGNORE_OUTPUT`.
    """
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-sanitize-with", str(SANITISING)]
    command += ["-q", "--color=no", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", os.devnull]
    command += ["-p", "fastkf.course.regression.nbval"]
    result = subprocess.run(
        [*command, "--rootdir", str(notebook.path.parent), notebook.path.name],
        cwd=notebook.path.parent,
        capture_output=True,
        text=True,
    )
    if result.returncode:
        execute(notebook, {}, folder)
        raise CheckError(
            f"{notebook.path}: executed again, it gives other outputs than the committed ones:\n"
            + result.stdout[-6000:]
        )


def run(notebook: Notebook, folder: Path) -> None:
    """With its quick parameters it runs as a notebook and as a pipeline, to the same metrics."""
    run_command(notebook, folder, quick_options(notebook))


def pipeline(notebook: Notebook, folder: Path) -> None:
    """With its own parameters it runs as a pipeline, to the committed metrics."""
    record = run_command(notebook, folder, ["--only", "pipeline"])
    compare_metrics(notebook, committed_metrics(notebook), record["pipeline"]["metrics"])


def exercises(notebook: Notebook, folder: Path) -> None:
    """Its exercises say what to do; in the solution, executed, each says that it is right."""
    wanted = len(
        re.findall(r"^###? Exercise ", "\n".join(c.source for c in notebook.text_cells), re.M)
    )
    if right_answers(notebook):
        raise CheckError(f"{notebook.path}: an exercise is solved in the lab itself")
    solved = solution_path(notebook)
    if not solved.exists():
        if wanted:
            raise CheckError(f"{notebook.path}: its exercises have no solution {solved}")
        pytest.skip("no exercises, no solution")
    executed = read(execute(read(solved), notebook.course.quick, folder))
    for solution in (read(solved), executed):
        if right_answers(solution) != wanted:
            raise CheckError(
                f"{solution.path}: {right_answers(solution)} of {wanted} exercises are right"
            )


QUICK = [rules, outputs, package, exercises, run]
# Each way to the committed metrics, with the lab's own parameters, shows what `run` shows.
FULL = [pipeline, execution, rules, outputs, package, exercises]
OF_SOLUTIONS = [rules, outputs]


def committed_metrics(notebook: Notebook) -> dict:
    from fastkf.engine.notebook import read_metrics

    return read_metrics(notebook.path)


def compare_metrics(notebook: Notebook, committed: dict, measured: dict) -> None:
    from fastkf.runs.compare import is_equal

    tolerance = notebook.course.tolerance or 0.0
    for name, value in committed.items():
        if not is_equal(value, measured.get(name), tolerance):
            raise CheckError(
                f"{notebook.path}: metric {name} is committed as {value}, and is now "
                f"{measured.get(name)} (tolerance {tolerance})"
            )


def run_command(notebook: Notebook, folder: Path, options: list[str]) -> dict:
    """`fastkf run` in a process of its own; returns the content of its run.json."""
    command = [sys.executable, "-m", "fastkf.cli", "run", str(notebook.path), *options]
    output = folder / "run"
    result = subprocess.run(
        [*command, "--output", str(output)], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise CheckError(result.stdout + result.stderr)
    return json.loads((output / "run.json").read_text())


def execute(notebook: Notebook, parameters: Mapping[str, Any], folder: Path) -> Path:
    """Executes the notebook and returns the executed copy."""
    from fastkf.engine.notebook import execute_notebook

    output = folder / notebook.path.name
    result = execute_notebook(notebook, output, parameters, lambda done, total: None)
    if result.error:
        raise CheckError(f"{notebook.path}: {result.error}")
    return output


def quick_options(notebook: Notebook) -> list[str]:
    quick = notebook.course.quick
    return [word for name, value in quick.items() for word in ("-p", f"{name}={value}")]


def right_answers(notebook: Notebook) -> int:
    printed = ["".join(o.get("text", "")) for cell in notebook.code_cells for o in cell.outputs]
    return sum(text.startswith("Right") for text in printed)


def golden_path(notebook: Notebook) -> Path:
    return notebook.path.parent / "golden" / f"{notebook.name}.json"


def solution_path(notebook: Notebook) -> Path:
    return notebook.path.parent / SOLUTIONS / notebook.path.name


def write_golden(notebook: Notebook) -> Path:
    """Writes down the pipeline that the notebook compiles to now, for `package` to compare."""
    from fastkf.notebook.compile import compile_notebook

    golden = golden_path(notebook)
    golden.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        compiled = compile_notebook(notebook, Path(folder) / "package.yaml")
        golden.write_text(json.dumps(Package.read(compiled).describe(), indent=1) + "\n")
    return golden
