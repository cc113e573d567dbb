r"""The regression suite: what is proven of every Kale notebook in a folder, as a pytest plugin.

    python -m pytest -p fastkf.course.regression.plugin --kale notebooks \
        [--kale-quick] [--kale-changed]

Each notebook gives one test a check, named NOTEBOOK::CHECK. `fastkf test` calls it.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from fastkf.base.errors import FastkfError
from fastkf.course import places
from fastkf.course.data import fetch, read_sources
from fastkf.notebook.model import Notebook, read
from fastkf.package.model import Package

SANITISING = Path(__file__).parent / "nbval.cfg"
SOLUTIONS = "solutions"
GREEN = "last_green.json"
BYTES_OF_A_CHECK = 3e9  # what a deep-learning lab may take


class CheckFailed(Exception):
    """What a check has found; the text says what is wrong and what to do."""


def rules(notebook: Notebook, folder: Path) -> None:
    """The notebook has no findings."""
    from fastkf.notebook.check import check

    if findings := check(notebook):
        raise CheckFailed("\n".join(map(str, findings)))


def outputs(notebook: Notebook, folder: Path) -> None:
    """The notebook is committed executed, without errors and warnings."""
    cells = [cell for cell in notebook.code_cells if cell.source.strip()]
    results = [(cell, output) for cell in cells for output in cell.outputs]
    if not results:
        raise CheckFailed(f"{notebook.path}: committed without outputs; execute and save it")
    for cell, output in results:
        if output["output_type"] == "error" or output.get("name") == "stderr":
            raise CheckFailed(
                f"{notebook.path}: cell {cell.number}: an error or a warning is among its outputs"
            )
    if missing := set(notebook.metrics) - set(committed_metrics(notebook)):
        raise CheckFailed(
            f"{notebook.path}: no committed value of {', '.join(sorted(missing))}; "
            "execute the metrics cell and save the notebook"
        )


def package(notebook: Notebook, folder: Path) -> None:
    """It compiles, twice to the same bytes, to the pipeline that golden/<name>.json describes."""
    from fastkf.notebook.compile import compile_notebook

    first = compile_notebook(notebook, folder / "first.yaml")
    if first.read_bytes() != compile_notebook(notebook, folder / "second.yaml").read_bytes():
        raise CheckFailed(f"{notebook.path}: compiled twice, it gives different packages")
    golden = golden_path(notebook)
    if golden.exists():
        was, now = json.loads(golden.read_text()), Package.read(first).describe()
        if different := [key for key in was if was[key] != now[key]]:
            raise CheckFailed(
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
        raise CheckFailed(
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
        raise CheckFailed(f"{notebook.path}: an exercise is solved in the lab itself")
    solved = solution_path(notebook)
    if not solved.exists():
        if wanted:
            raise CheckFailed(f"{notebook.path}: its exercises have no solution {solved}")
        pytest.skip("no exercises, no solution")
    executed = read(execute(read(solved), notebook.course.quick, folder))
    for solution in (read(solved), executed):
        if right_answers(solution) != wanted:
            raise CheckFailed(
                f"{solution.path}: {right_answers(solution)} of {wanted} exercises are right"
            )


QUICK = [rules, outputs, package, exercises, run]
FULL = [pipeline, execution, *QUICK]
OF_SOLUTIONS = [rules, outputs]


def committed_metrics(notebook: Notebook) -> dict:
    from fastkf.engine.notebook import read_metrics

    return read_metrics(notebook.path)


def compare_metrics(notebook: Notebook, committed: dict, measured: dict) -> None:
    from fastkf.runs.compare import is_equal

    tolerance = notebook.course.tolerance or 0.0
    for name, value in committed.items():
        if not is_equal(value, measured.get(name), tolerance):
            raise CheckFailed(
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
        raise CheckFailed(result.stdout + result.stderr)
    return json.loads((output / "run.json").read_text())


def execute(notebook: Notebook, parameters: Mapping[str, Any], folder: Path) -> Path:
    """Executes the notebook and returns the executed copy."""
    from fastkf.engine.notebook import execute_notebook

    output = folder / notebook.path.name
    result = execute_notebook(notebook, output, parameters, lambda done, total: None)
    if result.error:
        raise CheckFailed(f"{notebook.path}: {result.error}")
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


def fingerprint(notebook: Notebook) -> str:
    """A hash of all that a notebook's checks depend on: it, its data, the lock, the toolkit."""
    digest = hashlib.sha256()
    files = [notebook.path, solution_path(notebook), golden_path(notebook), places.LOCK]
    files += sorted(Path(__file__).parents[2].rglob("*.py"))
    sources = read_sources()
    files += [
        places.DATA / name / file.name
        for name in notebook.course.needs
        for file in sources[name].files
    ]
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes() if file.exists() else b"").digest())
    return digest.hexdigest()


def run_suite(
    targets: list[Path], quick: bool, changed: bool, jobs: int | None, output: Path | None
) -> int:
    """Runs the suite on notebooks and folders of notebooks; returns the exit code, 0 or 1.

    Args:
        targets: notebooks, or folders that are searched for notebooks.
        quick: leave the checks with the notebooks' own parameters out.
        changed: leave out what has not changed since it last passed.
        jobs: how many checks run at a time; as many as fit when None.
        output: gets junit.xml, summary.html and what failed checks leave.
    """
    started = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    output = output or places.RUNS / "regression" / started
    options = ["-p", "fastkf.course.regression.plugin", "--kale", "--verbose"]
    options += ["--kale-output", str(output)]
    options += ["-c", os.devnull, "--rootdir", ".", "-p", "no:cacheprovider", "--tb=short"]
    options += ["-n", str(jobs or count_jobs()), "--dist", "worksteal", "--durations", "10"]
    options += [f"--junitxml={output}/junit.xml", f"--html={output}/summary.html"]
    options += ["--self-contained-html"]
    options += ["--kale-quick"] if quick else []
    options += ["--kale-changed"] if changed else []
    code = pytest.main([*options, *map(str, targets)])
    print(f"Summary: {output}/summary.html")
    return 0 if code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) else 1


def count_jobs() -> int:
    """How many checks run at a time here: one a processor, where memory allows."""
    fitting = psutil.virtual_memory().available // int(BYTES_OF_A_CHECK)
    return max(1, min(os.cpu_count() or 1, fitting))


def write_golden(notebook: Notebook) -> Path:
    """Writes down the pipeline that the notebook compiles to now, for `package` to compare."""
    from fastkf.notebook.compile import compile_notebook

    golden = golden_path(notebook)
    golden.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        compiled = compile_notebook(notebook, Path(folder) / "package.yaml")
        golden.write_text(json.dumps(Package.read(compiled).describe(), indent=1) + "\n")
    return golden


# The plugin.


def pytest_addoption(parser):
    group = parser.getgroup("kale", "Kale notebooks")
    group.addoption("--kale", action="store_true", help="collect Kale notebooks (.ipynb)")
    group.addoption("--kale-quick", action="store_true", help="leave the long checks out")
    group.addoption("--kale-changed", action="store_true", help="only what changed since green")
    group.addoption("--kale-output", default=None, help="where failed checks leave their files")


def pytest_configure(config):
    if not config.getoption("--kale-output"):
        started = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        config.option.kale_output = str(places.RUNS / "regression" / started)
    if config.getoption("--kale") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(GreenRecord(config))


def pytest_collect_file(parent, file_path):
    wanted = parent.config.getoption("--kale") and file_path.suffix == ".ipynb"
    if wanted and ".ipynb_checkpoints" not in file_path.parts:
        return NotebookFile.from_parent(parent, path=file_path)
    return None


class NotebookFile(pytest.File):
    """A notebook, collected as one test a check."""

    def collect(self):
        quick = self.config.getoption("--kale-quick")
        if self.config.getoption("--kale-changed") and is_green(self.path, quick):
            return
        checks = QUICK if quick else FULL
        for check in OF_SOLUTIONS if self.path.parent.name == SOLUTIONS else checks:
            yield NotebookCheck.from_parent(self, name=check.__name__, check=check)


class NotebookCheck(pytest.Item):
    """One check of one notebook; the files it makes are kept when it fails."""

    def __init__(self, *, check: Callable, **arguments):
        super().__init__(**arguments)
        self.check = check
        parts = (self.path.parent.name, self.path.stem, self.name)
        self.folder = Path(self.config.getoption("--kale-output")).joinpath(*parts)

    def runtest(self):
        notebook = read(self.path)
        fetch(notebook.course.needs, progress=print)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.check(notebook, self.folder.resolve())
        shutil.rmtree(self.folder)

    def repr_failure(self, excinfo):
        if isinstance(excinfo.value, CheckFailed | FastkfError):
            return f"{excinfo.value}\nkept: {self.folder}"
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, None, f"{self.path.stem}: {self.name}"


class GreenRecord:
    """Remembers which notebooks passed every check, and what they were made of then."""

    def __init__(self, config):
        self.config = config
        self.passed: dict[str, bool] = {}

    def pytest_runtest_logreport(self, report):
        path = report.nodeid.split("::")[0]
        if path.endswith(".ipynb"):
            self.passed[path] = self.passed.get(path, True) and not report.failed

    def pytest_sessionfinish(self):
        record = read_green()
        mode = "quick" if self.config.getoption("--kale-quick") else "full"
        for path, passed in self.passed.items():
            key = f"{mode} {(self.config.rootpath / path).resolve()}"
            record.pop(key, None)
            if passed:
                record[key] = fingerprint(read(self.config.rootpath / path))
        if self.passed:
            places.RUNS.mkdir(exist_ok=True)
            (places.RUNS / GREEN).write_text(json.dumps(record, indent=2))


def is_green(path: Path, quick: bool) -> bool:
    """Whether the notebook passed when it, its data, the lock and the toolkit were as they are."""
    modes = ("full", "quick") if quick else ("full",)
    keys = {f"{mode} {path.resolve()}" for mode in modes}
    known = {value for key, value in read_green().items() if key in keys}
    try:
        return fingerprint(read(path)) in known
    except FastkfError:
        return False


def read_green() -> dict[str, str]:
    try:
        return json.loads((places.RUNS / GREEN).read_text())
    except (OSError, ValueError):
        return {}
