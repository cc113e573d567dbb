"""A learner's project, as the criteria of the rubric look at it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fastkf.base.errors import FastkfError
from fastkf.course.project.flow import Flow, follow
from fastkf.course.project.folder import Folder, Refused
from fastkf.course.project.settings import Settings
from fastkf.notebook.model import Notebook, read

ROWS = "training_rows.csv"
MOST_CODE = 100_000  # characters; the longest notebook of the course has a third


@dataclass(frozen=True)
class Found:
    """What a point is given for.

    Attributes:
        where: the file, or the cell.
        text: what was found there.
    """

    where: str
    text: str


@dataclass(frozen=True)
class Project:
    """A folder with its settings.

    Attributes:
        runs: folders of runs elsewhere that count beside those in the folder.
    """

    folder: Folder
    settings: Settings
    runs: tuple[Path, ...] = ()

    @cached_property
    def notebook(self) -> Notebook:
        """The project's notebook.

        Raises:
            Refused: it is not there, or is none.
        """
        name = self.settings.notebook
        if name not in self.folder.files or not name.endswith(".ipynb"):
            raise Refused(
                name, "there is no such notebook in the folder", "name it in project.toml"
            )
        self.folder.read(name)  # within limits, or it is not read at all
        return read_notebook(self.folder.root / name, name)

    @cached_property
    def flow(self) -> Flow:
        """Where the test rows come from in the notebook, and where they go."""
        return follow(self.notebook, self.settings.test_rows)

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        """Rows of the training table, the target among their columns.

        Raises:
            Refused: there are none.
        """
        return self.folder.read_table(self.rows_file)

    @property
    def rows_file(self) -> str:
        remedy = f"let a step write some hundred rows that the model learns from to {ROWS}"
        return self.folder.find(f"table of training rows ({ROWS})", remedy, ROWS)

    @cached_property
    def features(self) -> frozenset[str]:
        """The columns of the training rows, without the target."""
        return frozenset(self.rows[0]) - {self.settings.target}


def read_notebook(path: Path, where: str) -> Notebook:
    """A notebook whose code is within limits.

    Raises:
        Refused: it is none, or its code is too long or too deep.
    """
    try:
        notebook = read(path)
        length = sum(len(cell.source) for cell in notebook.code_cells)
        if length > MOST_CODE:
            raise FastkfError(f"{length:,} characters of code", f"write at most {MOST_CODE:,}")
        for cell in notebook.code_cells:
            cell.tree  # noqa: B018 - that each can be read
    except FastkfError as error:
        raise Refused(where, error.problem, error.remedy or "correct it") from error
    return notebook


Criterion = Callable[[Project], Found]
