"""What is proven of a Kale notebook: a function for each check, which raises CheckError.

Each gets the notebook and an empty folder for the files that it makes.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fastkf.base.outputs import check_inside, write_named
from fastkf.course.exercises import EXERCISE, RIGHT, is_right
from fastkf.course.regression.once import FOLDER, execute_once
from fastkf.notebook.composition import whole
from fastkf.notebook.model import Cell, Notebook, read
from fastkf.package.model import Package

SOLUTIONS = "solutions"
# Jupyter's tag of a cell that is to raise, and nbval's words for the same.
RAISES = ("raises-exception", "nbval-raises-exception")
RAISES_COMMENT = "# NBVAL_RAISES_EXCEPTION"


class CheckError(Exception):
    """What a check has found; the text says what is wrong and what to do."""


def rules(notebook: Notebook, folder: Path) -> None:
    """The notebook has no findings, notes aside."""
    from fastkf.notebook.check import Severity, check

    if findings := [one for one in check(notebook) if one.severity is not Severity.NOTE]:
        raise CheckError("\n".join(map(str, findings)))


def outputs(notebook: Notebook, folder: Path) -> None:
    """It is committed executed, without warnings, and without an error that is not meant."""
    complete = whole(notebook)
    cells = [cell for cell in complete.code_cells if cell.source.strip()]
    results = [(cell, output) for cell in cells for output in cell.outputs]
    if not results:
        raise CheckError(f"{notebook.path}: committed without outputs; execute and save it")
    for cell, output in results:
        is_told = output.get("name") == "stderr" and not is_bar("".join(output.get("text", "")))
        if is_told or (output["output_type"] == "error" and not is_to_raise(cell)):
            raise CheckError(
                f"{notebook.path}: {cell.label}: an error or a warning is among its outputs"
            )
    if missing := set(complete.metrics) - set(committed_metrics(notebook)):
        raise CheckError(
            f"{notebook.path}: no committed value of {', '.join(sorted(missing))}; "
            "execute the metrics cell and save the notebook"
        )


def is_to_raise(cell: Cell) -> bool:
    """Whether an exception is what a cell is there to show."""
    return not set(RAISES).isdisjoint(cell.tags) or RAISES_COMMENT in cell.source


def is_bar(text: str) -> bool:
    """Whether a text is a progress bar alone, as tqdm writes it to stderr."""
    lines = [line for line in re.split(r"[\r\n]", text) if line.strip()]
    return all(re.search(r"\d+%\|.*\| \d|\dit \[\d+:", line) for line in lines)


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
    done = execute_once(notebook, solution_path(notebook), folder.parent / FOLDER)
    if done.code:
        execute(notebook, {}, folder)
        raise CheckError(
            f"{notebook.path}: executed again, it gives other outputs than the committed ones:\n"
            + done.told[-6000:]
        )


def run(notebook: Notebook, folder: Path) -> None:
    """With its quick parameters it runs as a notebook and as a pipeline, to the same metrics."""
    run_command(notebook, folder, quick_options(notebook))


def pipeline(notebook: Notebook, folder: Path) -> None:
    """With its own parameters it runs as a pipeline, to the committed metrics."""
    record = run_command(notebook, folder, ["--only", "pipeline"])
    compare_metrics(notebook, committed_metrics(notebook), record["pipeline"]["metrics"])


def exercises(notebook: Notebook, folder: Path) -> None:
    """Its exercises say what to do; with the solution's answers, each says that it is right.

    The answers are tried where learners write them: in the lab's kernel, after `execution`.
    """
    wanted, solved = find_exercises(notebook)
    done = execute_once(notebook, solved, folder.parent / FOLDER)
    expect_right(read(solved), count_right(c.outputs for c in read(solved).code_cells), wanted)
    expect_right(read(solved), count_right(done.answers), wanted, list_problems(done.answers))


def quick_exercises(notebook: Notebook, folder: Path) -> None:
    """The same with quick parameters: the solution is executed by itself."""
    wanted, solved = find_exercises(notebook)
    executed = read(execute(read(solved), notebook.course.quick, folder))
    for solution in (read(solved), executed):
        expect_right(solution, count_right(c.outputs for c in solution.code_cells), wanted)


def find_exercises(notebook: Notebook) -> tuple[int, Path]:
    """How many exercises a lab has, and its solution; skips the check where it has neither."""
    wanted = len(EXERCISE.findall("\n".join(cell.source for cell in notebook.text_cells)))
    if count_right(cell.outputs for cell in notebook.code_cells):
        raise CheckError(f"{notebook.path}: an exercise is solved in the lab itself")
    solved = solution_path(notebook)
    if not solved.exists():
        if wanted:
            raise CheckError(f"{notebook.path}: its exercises have no solution {solved}")
        pytest.skip("no exercises, no solution")
    return wanted, solved


QUICK = {
    "rules": rules,
    "outputs": outputs,
    "package": package,
    "exercises": quick_exercises,
    "run": run,
}
# Each way to the committed metrics, with the lab's own parameters, shows what `run` shows.
# `exercises` comes after `execution`, most often in the same process, and takes no time of its own.
FULL = {
    "pipeline": pipeline,
    "execution": execution,
    "exercises": exercises,
    "rules": rules,
    "outputs": outputs,
    "package": package,
}
OF_SOLUTIONS = {"rules": rules, "outputs": outputs}


def committed_metrics(notebook: Notebook) -> dict:
    from fastkf.engine.notebook import printed_metrics

    metrics: dict = {}
    for cell in whole(notebook).cells_with_role("pipeline-metrics"):
        metrics |= printed_metrics(cell.source, cell.outputs)
    return metrics


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
    result = execute_notebook(whole(notebook), output, parameters, lambda done, total: None)
    if result.error:
        raise CheckError(f"{notebook.path}: {result.error}")
    return output


def quick_options(notebook: Notebook) -> list[str]:
    quick = notebook.course.quick
    return [word for name, value in quick.items() for word in ("-p", f"{name}={value}")]


def count_right(outputs_of_cells: Iterable[Iterable[Mapping[str, Any]]]) -> int:
    """How many cells say that an answer is right."""
    return sum(map(is_right, outputs_of_cells))


def list_problems(outputs_of_cells: Iterable[Iterable[Mapping[str, Any]]]) -> str:
    """What the cells print in place of it, and what they raise."""
    lines = []
    for output in [output for outputs in outputs_of_cells for output in outputs]:
        if "ename" in output:
            lines.append(f"{output['ename']}: {output['evalue']}")
        elif not "".join(output.get("text", "")).startswith(RIGHT):
            lines.append("".join(output.get("text", "")).strip())
    return "".join(f"\n{line}" for line in lines if line)


def expect_right(solution: Notebook, right: int, wanted: int, problems: str = "") -> None:
    if right != wanted:
        raise CheckError(f"{solution.path}: {right} of {wanted} exercises are right{problems}")


def golden_path(notebook: Notebook) -> Path:
    return notebook.path.parent / "golden" / f"{notebook.name}.json"


def solution_path(notebook: Notebook) -> Path:
    return notebook.path.parent / SOLUTIONS / notebook.path.name


def write_golden(notebook: Notebook) -> Path:
    """Writes down the pipeline that the notebook compiles to now, for `package` to compare."""
    from fastkf.notebook.compile import compile_notebook

    golden = golden_path(notebook)
    check_inside(golden, notebook.path.parent)
    golden.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        compiled = compile_notebook(notebook, Path(folder) / "package.yaml")
        described = json.dumps(Package.read(compiled).describe(), indent=1)
    write_named(golden, f"{described}\n".encode())
    return golden
