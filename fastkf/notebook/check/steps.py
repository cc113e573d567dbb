"""Rules on the steps and the order that `prev:` tags ask for."""

from collections.abc import Iterator

from fastkf.notebook.check.finding import Found, Rule, Severity
from fastkf.notebook.errors import KaleError
from fastkf.notebook.model import Cell, Notebook


def is_understood(notebook: Notebook) -> bool:
    """Whether Kale accepts the notebook."""
    try:
        return bool(notebook.pipeline)
    except KaleError:
        return False


def links(notebook: Notebook) -> Iterator[tuple[Cell, str, str]]:
    """First cell of each step with a `prev:` tag, the step, and the step that the tag names."""
    for step, cells in notebook.steps.items():
        for previous in cells[0].tag_values("prev"):
            yield cells[0], step, previous


def steps_before(edges: dict[str, list[str]], step: str) -> set[str]:
    """All steps that come before a step, directly or through others."""
    before: set[str] = set()
    waiting = list(edges.get(step, []))
    while waiting:
        previous = waiting.pop()
        if previous not in before:
            before.add(previous)
            waiting += edges.get(previous, [])
    return before


def tagged_edges(notebook: Notebook) -> dict[str, list[str]]:
    edges: dict[str, list[str]] = {}
    for _, step, previous in links(notebook):
        edges.setdefault(step, []).append(previous)
    return edges


def is_above(notebook: Notebook, previous: str, step: str) -> bool:
    names = list(notebook.steps)
    return previous in names and names.index(previous) < names.index(step)


def is_cycle(edges: dict[str, list[str]], previous: str, step: str) -> bool:
    return previous == step or step in steps_before(edges, previous)


def no_steps(notebook: Notebook) -> Found:
    """The notebook has no step, so there is no pipeline to make."""
    is_old = any(cell.tag_values("block") for cell in notebook.code_cells)
    if not (notebook.steps or notebook.cells_with_role("notebook") or is_old):
        yield None, "no cell is a step", "tag the cells that make the pipeline with `step:NAME`"


def prev_unknown(notebook: Notebook) -> Found:
    """`prev:` names a step that does not exist, or one further down."""
    edges = tagged_edges(notebook)
    for cell, step, previous in links(notebook):
        if previous not in notebook.steps:
            known = ", ".join(name for name in notebook.steps if is_above(notebook, name, step))
            yield (
                cell,
                f"there is no step `{previous}` for prev:{previous}",
                f"name a step above ({known or 'there is none: remove the tag'})",
            )
        elif not is_above(notebook, previous, step) and not is_cycle(edges, previous, step):
            yield (
                cell,
                f"step `{previous}` of prev:{previous} stands further down",
                f"move it above step `{step}`",
            )


def prev_cycle(notebook: Notebook) -> Found:
    """Steps that wait for each other, or a step that waits for itself."""
    edges = tagged_edges(notebook)
    for cell, step, previous in links(notebook):
        if not is_above(notebook, previous, step) and is_cycle(edges, previous, step):
            yield (
                cell,
                f"with prev:{previous}, step `{step}` waits for itself",
                "remove this tag",
            )


def prev_without_data(notebook: Notebook) -> Found:
    """`prev:` names a step whose data do not reach this one, so the pipeline does not wait."""
    if notebook.references or not is_understood(notebook):
        return
    for cell, step, previous in links(notebook):
        waits = previous in steps_before(notebook.dependencies, step)
        if not waits and not _leads(notebook, step, previous):
            yield (
                cell,
                f"step `{step}` takes no variable from step `{previous}`, so the pipeline does not "
                f"wait for it as prev:{previous} asks",
                f"use a variable of `{previous}` here or remove the tag",
            )


def _leads(notebook: Notebook, step: str, previous: str) -> bool:
    """Whether a step further down takes a variable from the one that the tag leads to."""
    edges = {name: list(before) for name, before in tagged_edges(notebook).items()}
    edges[step] = [one for one in edges[step] if one != previous]
    takers = [name for name, taken in notebook.sources.items() if previous in taken.values()]
    return any(previous not in steps_before(edges, taker) for taker in takers)


def waits_for_step_above(notebook: Notebook) -> Found:
    """A step that takes no variable: it waits for the step above it, whatever its tags say."""
    if notebook.references or not is_understood(notebook):
        return
    edges = tagged_edges(notebook)
    named = {previous for names in edges.values() for previous in names}
    for step, after in notebook.dependencies.items():
        if notebook.sources[step] or not after or after[0] in steps_before(edges, step):
            continue
        if step in edges or step in named:
            yield (
                notebook.steps[step][0],
                f"step `{step}` takes no variable, so it waits for `{after[0]}`, the step above it",
                "nothing is wrong if that may be; to start it earlier, move it up",
            )


def unowned_cell(notebook: Notebook) -> Found:
    """Code above all tagged cells, which no step owns: the pipeline leaves it out."""
    if not any(cell.role for cell in notebook.code_cells):
        return
    for cell in notebook.code_cells:
        is_empty = not cell.source.strip() or (cell.tree is not None and not cell.tree.body)
        if cell.role is None and not cell.tags and not is_empty:
            yield (
                cell,
                "the pipeline leaves this code out, since nothing above it is tagged",
                "tag the cell imports, functions or step:NAME, or skip if that is what you want",
            )


RULES = (
    Rule(no_steps),
    Rule(prev_unknown),
    Rule(prev_cycle),
    Rule(prev_without_data, Severity.WARNING),
    Rule(waits_for_step_above, Severity.NOTE),
    Rule(unowned_cell, Severity.WARNING),
)
