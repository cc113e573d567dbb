"""What a rule is, and what it finds."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from fastkf.base.errors import one_line, write_controls
from fastkf.notebook.model import Cell, Notebook

PAGES = Path(__file__).parent / "pages"


class Severity(StrEnum):
    """What a finding means for the pipeline."""

    ERROR = "error"  # it is not the pipeline that the notebook looks like
    WARNING = "warning"  # it is, as far as can be seen, and something in it wants mending
    NOTE = "note"  # nothing to mend here; good to know


@dataclass(frozen=True)
class Finding:
    """One thing to put right.

    Attributes:
        path: the notebook's file.
        cell: counts from 1, text cells included; None for the file as a whole.
        rule: the name of the rule.
        severity: what it means for the pipeline.
        problem: what is wrong.
        remedy: what to do about it.
    """

    path: str
    cell: int | None
    rule: str
    severity: Severity
    problem: str
    remedy: str

    @property
    def message(self) -> str:
        return f"{self.problem}; {self.remedy}"

    def as_dict(self) -> dict[str, str | int | None]:
        """The finding as JSON has it."""
        return {**asdict(self), "message": self.message}

    def __str__(self) -> str:
        place = f"cell {self.cell}: " if self.cell else ""
        weight = "" if self.severity is Severity.ERROR else f" ({self.severity})"
        return f"{write_controls(self.path)}: {place}{self.rule}{weight}: {self.message}"

    def __lt__(self, other: "Finding") -> bool:
        """Findings are sorted by file and cell."""
        return self._place < other._place

    @property
    def _place(self) -> tuple[str, int, str, str]:
        return self.path, self.cell or 0, self.rule, self.message


# Cells (None: the file), each with what is wrong there and what to do about it.
Found = Iterator[tuple[Cell | None, str, str]]


@dataclass(frozen=True)
class Rule:
    """A rule that notebooks keep.

    Attributes:
        find: what finds cells that break the rule; the rule is named as this function, with
            hyphens, and its docstring explains the rule in one line.
    """

    find: Callable[[Notebook], Found]
    severity: Severity = Severity.ERROR

    @property
    def name(self) -> str:
        return self.find.__name__.replace("_", "-")

    @property
    def explanation(self) -> str:
        return (self.find.__doc__ or "").strip()

    @property
    def page(self) -> str:
        """Why there is the rule, with a notebook that breaks it and one that keeps it: Markdown."""
        return (PAGES / f"{self.name}.md").read_text(encoding="utf-8")

    def findings(self, notebook: Notebook) -> Iterator[Finding]:
        """What the rule finds in a notebook.

        Raises:
            FastkfError: Kale is missing, or in a version that the tests have not seen.
        """
        for cell, problem, remedy in self.find(notebook):
            number = cell.number if cell else None
            path = (cell.path if cell else None) or notebook.path
            words = (one_line(problem), one_line(remedy))
            yield Finding(str(path), number, self.name, self.severity, *words)
