"""Rules on what steps change: each has a copy of its own, and hands on what it makes of that."""

from collections.abc import Iterator

from fastkf.notebook.check.finding import Found, Rule
from fastkf.notebook.check.flow import (
    changes,
    met_needs,
    reported_metrics,
)
from fastkf.notebook.check.mutations import changed_in
from fastkf.notebook.model import Cell, Notebook


def lineage(notebook: Notebook, step: str, name: str) -> set[str]:
    """The steps whose copies of a variable lead to the one that a step passes on."""
    steps = {step}
    while name in notebook.sources[step] and notebook.sources[step][name] not in steps:
        step = notebook.sources[step][name]
        steps.add(step)
    return steps


def writers(notebook: Notebook, name: str, before: Cell) -> Iterator[Cell]:
    """The cells that make what a variable is in the notebook, run from top to bottom.

    The last comes first; the one that makes it anew ends them.
    """
    for cell in reversed(notebook.code_cells):
        if cell.number >= before.number or name not in changed_in(notebook, cell):
            continue
        yield cell
        if name in cell.names.bound and not takes(notebook, cell, name):
            return


def takes(notebook: Notebook, cell: Cell, name: str) -> bool:
    """Whether a cell goes on from the value that the variable has before it."""
    if cell.step:
        return name in notebook.sources.get(cell.step, {})
    return name in cell.names.loaded


def different_value(notebook: Notebook) -> Found:
    """A variable that is another in the pipeline, since other steps or cells change it, too."""
    for need, maker in [*met_needs(notebook), *reported_metrics(notebook)]:
        step, name, cell = need
        if not changes(notebook, maker, name):
            continue
        ways = {*lineage(notebook, maker, name), step}
        cells = list(writers(notebook, name, cell))
        others = [writer for writer in cells if writer.step not in ways]
        if not others:
            continue
        place = f"step `{others[0].step}`" if others[0].step else "which is no step"
        if others[0] is cells[0]:
            problem = (
                f"`{name}` comes from step `{maker}` in the pipeline, but from cell "
                f"{others[0].number} ({place}) in the notebook"
            )
        else:
            problem = (
                f"`{name}` comes from step `{maker}` in the pipeline, without what cell "
                f"{others[0].number} ({place}) makes of it in the notebook"
            )
        yield cell, problem, "use another name there, or let prev: and data lead here"


RULES = (Rule(different_value),)
