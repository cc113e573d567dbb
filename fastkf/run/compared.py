"""What of a notebook and its pipeline is compared: metrics, or what steps print."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from fastkf.base.files import BYTES_OF_AN_END, read_end
from fastkf.notebook.model import read
from fastkf.runs.log_passages import divide
from fastkf.runs.model import Run, State
from fastkf.runs.text import clean_text, count

LONGEST = 120  # characters of a line that is quoted


def say_what_is_compared(run: Run) -> str | None:
    """A sentence for the reader of a run that went both ways; None of any other.

    Without a metric, the lines that each step's cells have printed in the notebook are looked for,
    in their order, in the step's log. They may hold times of day or paths, so a line that is not
    there is told, and fails nothing.
    """
    if not (run.notebook and run.pipeline):
        return None
    if {run.notebook.state, run.pipeline.state} != {State.SUCCEEDED}:
        return None
    if metrics := {**run.notebook.metrics, **run.pipeline.metrics}:
        return f"Compared: {count(len(metrics), 'metric')}."
    printed = dict(_list_printed(run.folder / "notebook.ipynb"))
    if not printed:
        return (
            "Nothing was compared: the notebook has no metric, and no step prints anything. Print "
            "a number in a cell tagged `pipeline-metrics`."
        )
    missing = {step: line for step, line in _list_missing(run.folder, printed) if line is not None}
    if not missing:
        return (
            f"There is no metric to compare. What {count(len(printed), 'step')} printed in the "
            "notebook, they printed in the pipeline too."
        )
    step, line = next(iter(missing.items()))
    return (
        f"There is no metric to compare, and {count(len(missing), 'step')} did not print in the "
        f"pipeline what they printed in the notebook. The first line that {step} lacks: {line}"
    )


def _list_printed(executed: Path) -> Iterator[tuple[str, list[str]]]:
    """Step to the lines that its cells have printed in the executed notebook."""
    for step, cells in read(executed).steps.items():
        texts = [
            "".join(output.get("text", ""))
            for cell in cells
            for output in cell.outputs
            if output.get("name") == "stdout"
        ]
        if lines := _lines("".join(texts)):
            yield step, lines


def _list_missing(folder: Path, printed: dict[str, list[str]]) -> Iterator[tuple[str, str | None]]:
    """Step to the first line that its log lacks."""
    for step, lines in printed.items():
        log = folder / "logs" / f"{step}.log"
        if log.exists() and log.stat().st_size > BYTES_OF_AN_END:
            yield step, None  # too long to be read
            continue
        own = "\n".join(passage.text for passage in divide(read_end(log)) if passage.is_own)
        yield step, _first_missing(lines, _lines(own))


def _first_missing(lines: Iterable[str], log: Iterable[str]) -> str | None:
    """The first of the lines that does not come in the log, after those before it."""
    rest = iter(log)
    return next((line[:LONGEST] for line in lines if line not in rest), None)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in clean_text(text).splitlines() if line.strip()]
