"""What a room tells of its work while it works, to whoever shows it."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from fastkf.runs.model import State, Step

# What stands in a table: text as it is, a state with its mark.
Cell = str | State


class Advance(Protocol):
    """Moves the bar of a long work."""

    def __call__(self, done: int, note: str = "") -> None: ...


class Progress(Protocol):
    """The lines, bars and tables of one command. All texts are plain: nothing in them is markup."""

    def say(self, text: str) -> None:
        """A line."""

    def done(self, text: str, seconds: float | None = None) -> None:
        """Something has succeeded."""

    def failed(self, text: str) -> None:
        """Something has failed, and why."""

    def warn(self, text: str) -> None:
        """Something that the user should know before going on."""

    def relay(self, source: str, text: str) -> None:
        """A line that a process of this name has written."""

    def conclude(self, text: str, succeeded: bool, rest: str = "") -> None:
        """The outcome of all the work, with a `rest` of less weight."""

    def show_step(self, step: Step) -> None:
        """A step that has ended."""

    def show_outcome(self, state: State, text: str, rest: str = "") -> None:
        """Any other part of the work that has ended, with a `rest` of less weight."""

    def show_table(
        self, headings: Sequence[str], rows: Iterable[Sequence[Cell]], title: str | None = None
    ) -> None:
        """A table; a state in it is shown by its mark."""

    def progress(self, description: str, total: int | None) -> AbstractContextManager[Advance]:
        """A long work, of `total` parts where that is known."""
