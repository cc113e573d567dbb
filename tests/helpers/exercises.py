"""The exercises of a lab, answered as a learner does: in the lab's kernel, then the check."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import nbformat
import pytest
from lab_processes import ForkedKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from fastkf.course import places
from fastkf.course.data import fetch
from fastkf.course.exercises import EXERCISE, group_cells
from fastkf.notebook.model import read

EXERCISES = 3
WRONG_ANSWERS, RIGHT_ANSWERS = 6, 3
SAVE = "_saved = {name: value for name, value in globals().items() if not name.startswith('_')}"
RESTORE = """\
for _name in [name for name in globals() if name not in _saved and not name.startswith("_")]:
    del globals()[_name]
globals().update(_saved)
"""


@dataclass
class Lab:
    """A lab whose cells above its exercises have run.

    Attributes:
        checks: the folded cell of each exercise, by the exercise's number.
        empty: the cell that waits for the answer, by the exercise's number.
    """

    client: NotebookClient
    checks: dict[int, str]
    empty: dict[int, str]

    def answer(self, exercise: int, code: str | None) -> str:
        """What the check of an exercise prints to an answer; None: to the cell as it is.

        What the answer defines is gone afterwards. One that raises leaves the cell as it was: the
        learner has seen the error by then.
        """
        self.execute(SAVE)
        self.execute(self.empty[exercise])
        try:
            if code is not None:
                self.execute(code)
        except CellExecutionError:
            pass
        try:
            return self.execute(self.checks[exercise])
        finally:
            self.execute(RESTORE)

    def execute(self, code: str) -> str:
        cell = new_code_cell(code)
        self.client.nb.cells.append(cell)
        self.client.execute_cell(cell, len(self.client.nb.cells) - 1)
        return "".join(output.get("text", "") for output in cell.outputs)


@contextmanager
def open_lab(
    name: str, without: tuple[str, ...] = (), changed: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Lab]:
    """Runs a lab with its quick parameters, up to its exercises.

    Args:
        without: texts; a cell with one of them is left out, such as a long plot.
        changed: texts that are in cells, to what stands in their place, such as a smaller network.
    """
    path = places.NOTEBOOKS / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    fetch(notebook.metadata["fastkf"]["needs"])
    first = next(n for n, cell in enumerate(notebook.cells) if EXERCISE.search(cell.source))
    cells = group_cells(notebook.cells)[:EXERCISES]
    empty = {number: answer.source for number, (answer, _check) in enumerate(cells, 1)}
    checks = {number: check.source for number, (_answer, check) in enumerate(cells, 1)}
    client = NotebookClient(
        new_notebook(metadata=notebook.metadata),
        timeout=300,
        resources={"metadata": {"path": str(path.parent)}},
        kernel_manager_class=type(
            "Kernel", (ForkedKernelManager,), {"imports": read(path).imports}
        ),
    )
    lab = Lab(client, checks=checks, empty=empty)
    sources = "".join(cell.source for cell in notebook.cells[:first])
    assert [text for text in (*without, *changed) if text not in sources] == []
    with client.setup_kernel():
        for cell in notebook.cells[:first]:
            if cell.cell_type == "code" and not any(text in cell.source for text in without):
                source = cell.source
                for old, new in changed.items():
                    source = source.replace(old, new)
                lab.execute(source)
                if "pipeline-parameters" in cell.metadata.get("tags", []):
                    quick = notebook.metadata["fastkf"]["quick"]
                    lab.execute("\n".join(f"{key} = {value!r}" for key, value in quick.items()))
        yield lab


def fixture_of(name: str, **options: Any) -> Any:
    """A fixture: the lab, opened once for the tests of a file."""

    @pytest.fixture(scope="module")
    def lab() -> Iterator[Lab]:
        with open_lab(name, **options) as opened:
            yield opened

    return lab


def assert_refused(told: str, hint: str) -> None:
    assert not told.lstrip().startswith("Right"), told
    assert hint.lower() in told.lower(), told


def assert_accepted(told: str) -> None:
    assert told.lstrip().startswith("Right"), told


def assert_enough(wrong: list[tuple[int, str, str]], right: list[tuple[int, str]]) -> None:
    """Each of the three exercises is tried with enough answers, and no answer twice."""
    for answers, least in ((wrong, WRONG_ANSWERS), (right, RIGHT_ANSWERS)):
        tried = Counter(exercise for exercise, *_ in answers)
        assert all(tried[number] >= least for number in range(1, EXERCISES + 1)), tried
        assert len({tuple(answer[:2]) for answer in answers}) == len(answers)
