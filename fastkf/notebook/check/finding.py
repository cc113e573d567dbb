"""What a rule finds, and the list of rules."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import total_ordering, wraps

from fastkf.notebook.model import Cell, Notebook


@total_ordering
@dataclass(frozen=True)
class Finding:
    """One thing to put right; `cell` counts from 1, text cells included, None for the file."""

    path: str
    cell: int | None
    rule: str
    message: str

    def __str__(self) -> str:
        place = f"cell {self.cell}: " if self.cell else ""
        return f"{self.path}: {place}{self.rule}: {self.message}"

    def __lt__(self, other: "Finding") -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple:
        return self.path, self.cell or 0, self.rule, self.message


Rule = Callable[[Notebook], Iterator[Finding]]
RULES: list[Rule] = []


def rule(find: Callable[[Notebook], Iterator[tuple[Cell | None, str]]]) -> Rule:
    """Makes a rule of a function that yields cells (None: the file) with what is wrong there.

    The rule is named as the function, with hyphens; its docstring explains it in one line.
    """
    name = find.__name__.replace("_", "-")

    @wraps(find)
    def find_all(notebook: Notebook) -> Iterator[Finding]:
        for cell, message in find(notebook):
            yield Finding(str(notebook.path), cell and cell.number, name, message)

    RULES.append(find_all)
    return find_all
