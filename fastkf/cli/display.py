"""What a run shows in the terminal: progress while it works, tables when it is done."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from fastkf.runs.model import State, Step
from fastkf.runs.progress import Advance, Cell

MARKS = {
    State.SUCCEEDED: "[green]✓[/]",
    State.FAILED: "[red]✗[/]",
    State.SKIPPED: "[yellow]–[/]",
    State.CANCELED: "[yellow]–[/]",
    State.PENDING: " ",
    State.RUNNING: "…",
}


class Display:
    """A `fastkf.runs.progress.Progress` on one console.

    On a terminal long work shows a bar, elsewhere a line an event.
    """

    def __init__(self, console: Console | None = None):
        # Named, since `sys.stdout` leads to a log while KFP runs a pipeline.
        self.console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        self.console.print(Text(text))

    def done(self, text: str, seconds: float | None = None) -> None:
        self.show_outcome(State.SUCCEEDED, text, "" if seconds is None else f"{seconds:.1f} s")

    def failed(self, text: str) -> None:
        self.show_outcome(State.FAILED, text)

    def warn(self, text: str) -> None:
        self.console.print(Text.assemble(("! ", "yellow"), text))

    def relay(self, source: str, text: str) -> None:
        self.console.print(Text.assemble((f"{source} | ", "dim"), text))

    def conclude(self, text: str, succeeded: bool, rest: str = "") -> None:
        style = "bold green" if succeeded else "bold red"
        self.console.print(Text.assemble((text, style), " " if rest else "", rest))

    def show_step(self, step: Step) -> None:
        self.show_outcome(step.state, f"{step.name:<28}", f"{step.seconds:6.1f} s", indent="  ")

    def show_outcome(self, state: State, text: str, rest: str = "", indent: str = "") -> None:
        mark = Text.from_markup(f"{indent}{MARKS[state]} ")
        self.console.print(mark + Text.assemble(text, " " if rest else "", (rest, "dim")))

    def show_table(
        self, headings: Sequence[str], rows: Iterable[Sequence[Cell]], title: str | None = None
    ) -> None:
        table = Table(*headings, title=title, title_justify="left")
        for row in rows:
            table.add_row(*[_draw_cell(cell) for cell in row])
        table.columns[0].no_wrap = True  # names, which are typed whole
        self.console.print(table)

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

    def show_summary(self, record: dict, folder: str) -> None:
        """The tables of a finished run: its steps, its metrics, and where the rest is.

        Args:
            record: the content of run.json.
            folder: the run's folder, as the user would type it.
        """
        pipeline = record["pipeline"]
        if pipeline:
            self.console.print(_steps_table(pipeline["steps"]))
        if any(part and part["metrics"] for part in (record["notebook"], pipeline)):
            self.console.print(_metrics_table(record))
        for name, value in (pipeline or {}).get("outputs", {}).items():
            self.console.print(f"Output {name}: ", end="")
            self.console.print(str(value), markup=False)
        for error in _errors(record, Path(folder)):
            self.failed(error)
        style = "bold green" if record["status"] == "succeeded" else "bold red"
        self.console.print(f"[{style}]{record['name']} {record['status']}[/] {record['seconds']} s")
        self.console.print(f"Report: {folder}/report.html")


def _draw_cell(cell: Cell) -> Text:
    return Text.from_markup(MARKS[cell]) if isinstance(cell, State) else Text(cell)


def _steps_table(steps: list[dict]) -> Table:
    table = Table("", "step", "state", "seconds", "after", title="Pipeline", title_justify="left")
    table.columns[3].justify = "right"
    for step in steps:
        after = ", ".join(step["after"])
        seconds = f"{step['seconds']:.1f}"
        table.add_row(MARKS[step["status"]], step["name"], step["status"], seconds, after)
    return table


def _metrics_table(record: dict) -> Table:
    table = Table("metric", title="Metrics", title_justify="left")
    parts = [part for part in ("notebook", "pipeline") if record[part]]
    for part in parts:
        table.add_column(part, justify="right")
    if record["parity"]:
        table.add_column("equal")
    names = dict.fromkeys(name for part in parts for name in record[part]["metrics"])
    for name in names:
        row = [_number(record[part]["metrics"].get(name)) for part in parts]
        if record["parity"]:
            row.append(MARKS["succeeded" if record["parity"][name]["equal"] else "failed"])
        table.add_row(name, *row)
    return table


def _number(value) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "–" if value is None else str(value)


def _errors(record: dict, folder: Path) -> list[str]:
    """The messages a learner needs, the first cause first."""
    errors = [record["error"]] if record.get("error") else []
    notebook, pipeline = record["notebook"], record["pipeline"]
    if notebook and notebook.get("error"):
        errors.append(f"notebook: {notebook['error']}")
    for step in pipeline["steps"] if pipeline else []:
        if step["error"]:
            log = Path("logs", f"{step['name']}.log")
            where = f" (log: {log})" if (folder / log).exists() else ""
            errors.append(f"step {step['name']}: {step['error']}{where}")
    for name, values in record["parity"].items():
        if not values["equal"]:
            errors.append(
                f"metric {name}: the notebook gives {values['notebook']}, the pipeline "
                f"{values['pipeline']}; look for a missing seed, or a variable that a step "
                "changes after another step has received it"
            )
    return errors
