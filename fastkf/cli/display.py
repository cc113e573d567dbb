"""What a run shows in the terminal: progress while it works, tables when it is done."""

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column, Table
from rich.text import Text

from fastkf.base.files import shown_path
from fastkf.runs.model import Run, State, Step
from fastkf.runs.problems import Problem, list_problems
from fastkf.runs.progress import Advance, Cell
from fastkf.runs.report.rows import unfold
from fastkf.runs.text import clean_text, show_row, show_value

LONGEST = 1_000  # characters of an output
WIDEST = 10_000  # columns of a table that no terminal shows
FEW_DIGITS, MANY_DIGITS = 0.001, 10_000  # from here to there, a number is shown to four digits
MOST_PARTS = 24  # of one step, in a table
MARKS = {
    State.SUCCEEDED: "[green]✓[/]",
    State.FAILED: "[red]✗[/]",
    State.SKIPPED: "[yellow]–[/]",
    State.CANCELED: "[yellow]–[/]",
    State.PENDING: " ",
    State.RUNNING: "…",
}


def open_console(stream: TextIO) -> Console:
    # Named, since `sys.stdout` leads to a log while KFP runs a pipeline.
    return Console(file=stream, highlight=False, soft_wrap=True)


class Display:
    """A `fastkf.runs.progress.Progress` on one console.

    On a terminal long work shows a bar, elsewhere a line an event.
    """

    def __init__(self, console: Console | None = None):
        self.console = console or open_console(sys.stdout)

    def say(self, text: str) -> None:
        self.console.print(_plain(text))

    def done(self, text: str, seconds: float | None = None) -> None:
        self.show_outcome(State.SUCCEEDED, text, "" if seconds is None else f"{seconds:.1f} s")

    def failed(self, text: str) -> None:
        self.show_outcome(State.FAILED, text)

    def warn(self, text: str) -> None:
        self.console.print(Text.assemble(("! ", "yellow"), _plain(text)))

    def relay(self, source: str, text: str) -> None:
        self.console.print(Text.assemble((f"{source} | ", "dim"), text))

    def conclude(self, text: str, succeeded: bool, rest: str = "") -> None:
        style = "bold green" if succeeded else "bold red"
        self.console.print(
            Text.assemble((clean_text(text), style), " " if rest else "", _plain(rest))
        )

    def show_step(self, step: Step) -> None:
        rest = f"{step.seconds:6.1f} s"
        if step.cached_from:
            rest = f"{step.word}, from {step.cached_from}"
        self.show_outcome(step.state, f"{step.label:<28}", rest, indent="  ")

    def show_outcome(self, state: State, text: str, rest: str = "", indent: str = "") -> None:
        mark = Text.from_markup(f"{indent}{MARKS[state]} ")
        rest = clean_text(rest)
        self.console.print(mark + Text.assemble(_plain(text), " " if rest else "", (rest, "dim")))

    def show_table(
        self, headings: Sequence[str], rows: Iterable[Sequence[Cell]], title: str | None = None
    ) -> None:
        columns = [Column(_plain(heading)) for heading in headings]
        table = Table(*columns, title=title, title_justify="left")
        for row in rows:
            table.add_row(*[_draw_cell(cell) for cell in row])
        table.columns[0].no_wrap = True  # names, which are typed whole
        self._print(table)

    def _print(self, table: Table) -> None:
        """In a frame as wide as the terminal; elsewhere, for a program, a line for each row.

        Where the terminal is too narrow for the words, a line for each cell.
        """
        if self.console.is_terminal:
            room = self.console.options.update(width=WIDEST)
            if Measurement.get(self.console, room, table).minimum <= self.console.width:
                self.console.print(table)
            else:
                self._print_cells(table)
            return
        table.box, table.pad_edge = None, False
        wide = Console(file=io.StringIO(), width=WIDEST, color_system=None, force_terminal=False)
        with wide.capture() as shown:
            wide.print(table)
        for line in shown.get().splitlines():
            self.console.out(line.rstrip())

    def _print_cells(self, table: Table) -> None:
        if table.title:
            self.console.print(table.title)
        for row in zip(*(column.cells for column in table.columns), strict=True):
            named = list(zip((str(column.header) for column in table.columns), row, strict=True))
            lead = 1 if named[0][0] else 2  # a mark has no heading
            self.console.print(*(cell for _, cell in named[:lead]))
            for heading, cell in named[lead:]:
                if str(cell):
                    self.console.print(Text(f"    {heading}:"), cell)

    @contextmanager
    def progress(self, description: str, total: int | None) -> Iterator[Advance]:
        if not self.console.is_terminal:
            yield lambda done, note="": None
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}[/]"),
        )
        with Progress(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(description, total=total, note="")

            def advance(done: int, note: str = "") -> None:
                bar.update(task, completed=done, note=note)

            yield advance

    def show_run(self, run: Run, more: Iterable[str] = ()) -> None:
        """The tables of a finished run: its steps, its metrics, and where the rest is.

        Args:
            more: what else there is to say of it.
        """
        problems, steps = list_problems(run), [unfold(step) for step in run.steps]
        if run.pipeline:
            self._print(_steps_table(steps))
        if any(part and part.metrics for part in (run.notebook, run.pipeline)):
            self._print(_metrics_table(run))
        for name, value in run.pipeline.outputs.items() if run.pipeline else ():
            text = str(value)
            cut = f"… ({len(text):,} characters, whole in run.json)" if len(text) > LONGEST else ""
            self.say(f"Output {name}: {text[:LONGEST]}{cut}")
        if run.compared:
            (self.say if run.parity else self.warn)(run.compared)
        for problem in problems:
            self.failed(_describe_problem(problem))
        outcome = f"{run.name} {run.state}"
        self.conclude(outcome, run.has_succeeded, f"{run.seconds:.1f} s")
        for text in (f"Report: {shown_path(run.folder)}/report.html", *more):
            self.say(text)


def _draw_cell(cell: Cell) -> Text:
    return Text.from_markup(MARKS[cell]) if isinstance(cell, State) else _plain(cell)


def _plain(text: str) -> Text:
    """A text that may hold what others have written, without what a terminal would obey."""
    return Text(clean_text(text))


def _steps_table(steps: Iterable[Sequence[Step]]) -> Table:
    """The table of steps, each with what is inside it after it."""
    table = Table("", "step", "state", "seconds", "after", title="Pipeline", title_justify="left")
    table.columns[3].justify = "right"
    for parts in steps:
        for part in _worth_showing(parts):
            name = part.label if part is parts[0] else f"  {part.name}"
            cells = (name, part.word, f"{part.seconds:.1f}", ", ".join(part.after))
            table.add_row(MARKS[part.state], *map(_plain, cells))
    return table


def _worth_showing(parts: Sequence[Step]) -> Sequence[Step]:
    """A step and what is inside it; of very many iterations only those that did not succeed."""
    if len(parts) <= MOST_PARTS:
        return parts
    return [parts[0], *[one for one in parts[1:] if one.state is not State.SUCCEEDED][:MOST_PARTS]]


def _metrics_table(run: Run) -> Table:
    table = Table("metric", title="Metrics", title_justify="left")
    parts = {"notebook": run.notebook, "pipeline": run.pipeline}
    metrics = {name: part.metrics for name, part in parts.items() if part}
    for name in metrics:
        table.add_column(name, justify="right")
    if run.parity:
        table.add_column("equal")
    for name in dict.fromkeys(name for values in metrics.values() for name in values):
        shown = show_row([values.get(name) for values in metrics.values()], _number)
        row = [_plain(text) for text in shown]
        if name in run.parity:
            state = State.SUCCEEDED if run.parity[name].equal else State.FAILED
            row.append(_draw_cell(state))
        table.add_row(_plain(name), *row)
    return table


def _number(value: object) -> str:
    """A metric: most lie between 0 and 1, and four digits are enough; of others, what counts."""
    if isinstance(value, float) and (value == 0 or FEW_DIGITS <= abs(value) < MANY_DIGITS):
        return f"{value:.4f}"
    return show_value(value)


def _describe_problem(problem: Problem) -> str:
    text = problem.text if problem.where == "run" else f"{problem.where}: {problem.text}"
    return f"{text} (log: {problem.log})" if problem.log else text
