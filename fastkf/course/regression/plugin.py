r"""The regression suite: what is proven of every Kale notebook in a folder, as a pytest plugin.

    python -m pytest -p fastkf.course.regression.plugin --kale notebooks \
        [--kale-quick] [--kale-changed]

Each notebook gives one test a check, named NOTEBOOK::CHECK. `fastkf test` calls it.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastkf.base.clock import format_name, now
from fastkf.base.errors import FastkfError
from fastkf.course import places
from fastkf.course.data import fetch
from fastkf.course.regression import checks, green, once
from fastkf.notebook.model import read


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kale", "Kale notebooks")
    group.addoption("--kale", action="store_true", help="collect Kale notebooks (.ipynb)")
    group.addoption("--kale-quick", action="store_true", help="leave the long checks out")
    group.addoption("--kale-changed", action="store_true", help="only what changed since green")
    group.addoption("--kale-output", default=None, help="where failed checks leave their files")


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--kale-output"):
        name = f"{format_name(now())}_{os.getpid()}"  # others may start in the same second
        config.option.kale_output = str(places.RUNS / "regression" / name)
    if config.getoption("--kale") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(GreenRecord(config))


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.Collector | None:
    wanted = parent.config.getoption("--kale") and file_path.suffix == ".ipynb"
    if wanted and ".ipynb_checkpoints" not in file_path.parts:
        return NotebookFile.from_parent(parent, path=file_path)
    return None


class NotebookFile(pytest.File):
    """A notebook, collected as one test a check."""

    def collect(self) -> Iterator[pytest.Item]:
        quick = self.config.getoption("--kale-quick")
        if self.config.getoption("--kale-changed") and green.is_green(self.path, quick):
            return
        of_labs = checks.QUICK if quick else checks.FULL
        is_solution = self.path.parent.name == checks.SOLUTIONS
        for name, check in (checks.OF_SOLUTIONS if is_solution else of_labs).items():
            yield NotebookCheck.from_parent(self, name=name, check=check)


class NotebookCheck(pytest.Item):
    """One check of one notebook; the files it makes are kept when it fails."""

    def __init__(self, *, check: Callable, **arguments):
        super().__init__(**arguments)
        self.check = check
        parts = (self.path.parent.name, self.path.stem, self.name)
        self.folder = Path(self.config.getoption("--kale-output")).joinpath(*parts)

    def runtest(self) -> None:
        notebook = read(self.path)
        fetch(notebook.course.needs, progress=print)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.check(notebook, self.folder.resolve())
        shutil.rmtree(self.folder)

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, checks.CheckError | FastkfError):
            return f"{excinfo.value}\nkept: {self.folder}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"{self.path.stem}: {self.name}"


class GreenRecord:
    """Remembers which notebooks passed every check, and what they were made of then."""

    def __init__(self, config: pytest.Config):
        self.config = config
        self.passed: dict[str, bool] = {}
        self.forget_executions()  # of a session that was killed, and had the same folder

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        path = report.nodeid.split("::")[0]
        if path.endswith(".ipynb"):
            self.passed[path] = self.passed.get(path, True) and not report.failed

    def pytest_sessionfinish(self) -> None:
        quick = self.config.getoption("--kale-quick")
        paths = {self.config.rootpath / path: passed for path, passed in self.passed.items()}
        green.keep(paths, quick)
        self.forget_executions()

    def forget_executions(self) -> None:
        """Removes what two checks of one notebook have shared in this session."""
        for folder in Path(self.config.getoption("--kale-output")).glob(f"*/*/{once.FOLDER}"):
            shutil.rmtree(folder)
