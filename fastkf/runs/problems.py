"""What went wrong in a run, in the words of whoever wrote the notebook or the package."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from fastkf.base.errors import shorten
from fastkf.runs.model import Failure, Run, State, Step
from fastkf.runs.text import clean_text

LONGEST_MESSAGE = 1000  # characters of an exception; its log has all of it
Cells = Mapping[str, str | None]


@dataclass(frozen=True)
class Problem:
    """One thing that went wrong.

    Attributes:
        where: "run", "notebook", "pipeline", "step train" or "metric accuracy".
        step: the step's name, where it is one's.
        log: the step's log as a path from the run's folder, where there is one.
    """

    where: str
    text: str
    step: str | None = None
    log: str | None = None

    @property
    def title(self) -> str:
        return self.where[:1].upper() + self.where[1:]


def list_problems(run: Run) -> list[Problem]:
    """What went wrong, the first cause first, each thing said once."""
    problems: list[Problem] = []
    for problem in _find_problems(run):
        if problem.text and not any(problem.text in known.text for known in problems):
            problems.append(problem)
    if not problems and run.state is State.FAILED:
        problems.append(Problem("run", "The run failed; the logs say more."))
    return problems


def explain(failure: Failure, cells: Cells) -> str:
    """An exception, with the learner's own line that raised it, and what to do where it is known.

    Args:
        cells: source of a cell, as `clean_source` leaves it, to what the reader calls the cell,
            such as "cell 7"; None where the reader knows only of the step's cell.
    """
    said = _tell_place(failure, cells)
    return f"{said}; {failure.remedy}" if failure.remedy else said


def _tell_place(failure: Failure, cells: Cells) -> str:
    said = ": ".join(
        part for part in (failure.name, shorten(failure.message.strip(), LONGEST_MESSAGE)) if part
    )
    if failure.source is None:
        is_cell, name, text = failure.line is not None, None, failure.text
    else:
        source = clean_source(failure.source)
        is_cell, name = source in cells, cells.get(source)
        text = failure.text or _line_of(failure.source, failure.line)
    if is_cell and failure.line is not None and text:
        if name:
            return f"{said} ({name}, line {failure.line}: {text})"
        return f"{said} (line {failure.line} of the step's cell: {text})"
    if is_cell:
        return f"{said} ({name})" if name else said
    if failure.text:
        return f"{said} (in the code that Kale adds to pass data between steps: {failure.text})"
    return said


def explain_step(step: Step, cells: Cells) -> Step:
    """The step with the error of each failure in it; cells as for `explain`."""
    if not any(one.failure for one in (step, *step.steps, *step.attempts)):
        return step
    return replace(
        step,
        error=explain(step.failure, cells) if step.failure else step.error,
        steps=tuple(explain_step(one, cells) for one in step.steps),
        attempts=tuple(explain_step(one, cells) for one in step.attempts),
    )


def clean_source(source: str) -> str:
    """A cell's code without what Kale does to it: it indents the code of the cells."""
    return textwrap.dedent(source).strip()


def _line_of(source: str, line: int | None) -> str | None:
    lines = source.splitlines()
    return lines[line - 1].strip() if line and line <= len(lines) else None


def _find_problems(run: Run) -> Iterator[Problem]:
    yield Problem("run", _clean(run.error))
    yield Problem("notebook", _clean(run.notebook.error if run.notebook else None))
    for step in run.steps:
        yield from _find_problems_of_step(run, step)
    yield Problem("pipeline", _clean(run.pipeline.error if run.pipeline else None))
    has_failed = any(step.state is State.FAILED for step in run.steps)
    for name, values in run.parity.items():
        if has_failed and None in (values.notebook, values.pipeline):
            continue  # the step that failed is why there is none
        if not values.equal:
            yield Problem(
                f"metric {name}",
                f"the notebook gives {values.notebook}, the pipeline {values.pipeline}; "
                "look for a missing seed, or a variable that a step changes after another step "
                "has received it",
            )


def _find_problems_of_step(run: Run, step: Step) -> Iterator[Problem]:
    """Why a step has failed; of a loop's, why each iteration has, where that is known."""
    for one in [one for one in step.steps if one.state is State.FAILED and one.error] or [step]:
        if one.state is State.FAILED or (one.error and one.state is not State.SUCCEEDED):
            text = _clean(one.error) or "The step failed; its log says more."
            yield Problem(f"step {one.name}", text, one.name, _find_log(run, one))


def _find_log(run: Run, step: Step) -> str | None:
    """The log of a step; of a loop's, that of the first iteration that has failed."""
    failed = (one for one in step.steps if one.state is State.FAILED)
    logs = [f"logs/{one.name}.log" for one in (step, *failed)]
    return next((log for log in logs if (run.folder / log).is_file()), None)


def _clean(text: str | None) -> str:
    return clean_text(text or "").strip()
