"""Proposes Kale's tags for a notebook that has none, from its headings and its data flow.

A heading begins a step. A cell that makes nothing of what later cells need is an exploration, and
stays out of the pipeline, unless its heading says that it is a step. Cells without headings are
steps by what they do: load, prepare, train, evaluate.
"""

from dataclasses import dataclass, field
from functools import cached_property

from fastkf.base.errors import UsageError
from fastkf.notebook.check.tags import MODIFIERS
from fastkf.notebook.file import read_content
from fastkf.notebook.model import SPECIAL_TAGS, Notebook
from fastkf.notebook.suggest.joins import Joins
from fastkf.notebook.suggest.metrics import find_metrics
from fastkf.notebook.suggest.parts import Part, split_settings, take_apart, view_of
from fastkf.notebook.suggest.plain import make_plain
from fastkf.notebook.suggest.roles import Role, Roles
from fastkf.notebook.suggest.scores import name_scores
from fastkf.notebook.suggest.seeds import split_seeds
from fastkf.notebook.suggest.steps import (
    Group,
    Steps,
    group_cells,
    has_tag,
    leave_out_explorations,
    leave_out_functions,
)
from fastkf.notebook.suggest.uses import Uses


@dataclass(frozen=True)
class Proposed:
    """The tags of one code cell.

    Attributes:
        number: the cell's, from 1; several may come from one cell. None: it is a new one.
        tags: what is proposed; for a step, `step:NAME` and `prev:` tags.
        why: in a few words.
        part: the cell of the copy.
    """

    number: int | None
    tags: tuple[str, ...]
    why: str
    part: Part = field(repr=False)


@dataclass(frozen=True)
class Proposal:
    """The tags of all code cells.

    Attributes:
        cells: in the order of the file.
        parts: the cells of the copy, text cells included.
    """

    cells: tuple[Proposed, ...]
    parts: tuple[Part, ...] = ()

    @cached_property
    def steps(self) -> dict[str, list[str]]:
        """The steps, each with those that it waits for."""
        steps: dict[str, list[str]] = {}
        for cell in self.cells:
            names = [tag.removeprefix("step:") for tag in cell.tags if tag.startswith("step:")]
            waits = [tag.removeprefix("prev:") for tag in cell.tags if tag.startswith("prev:")]
            for name in names:
                steps.setdefault(name, []).extend(waits)
        return steps

    def draw(self) -> list[str]:
        """The pipeline, a line a step, behind what it waits for."""
        return [
            f"{', '.join(waits)} → {step}" if waits else step for step, waits in self.steps.items()
        ]


def suggest_tags(notebook: Notebook) -> Proposal:
    """The proposal for a notebook.

    Raises:
        UsageError: it has tags of Kale's already, or nothing that a step could be made of.
    """
    if any(_is_kale(tag) for cell in notebook.code_cells for tag in cell.tags):
        problem = f"{notebook.path}: this notebook has tags of Kale's already"
        raise UsageError(problem, "`fastkf check` says what is wrong with them")
    parts, named = _with_names(notebook, _split_parts(notebook))
    view = view_of(notebook, parts)
    uses = Uses(view)
    roles = Roles(view, parts, uses).find()
    groups = group_cells(view, roles)
    printed, new = _metrics(view, roles, groups, named)
    leave_out_explorations(groups, roles, printed, uses)
    leave_out_functions(view, groups, roles, uses)
    groups = Joins(view, printed, uses).join(groups)
    roles |= Steps(groups, printed, uses).roles()
    if not any(tag.startswith("step:") for tags, _ in roles.values() for tag in tags):
        problem = f"{notebook.path}: no cell computes anything that a later one needs"
        raise UsageError(problem, "tag the cells by hand: `step:NAME`")
    return _propose(make_plain(parts, groups, printed, uses), roles, new)


def _split_parts(notebook: Notebook) -> list[Part]:
    """The notebook's cells, with magics, seeds, and plain values among others, apart."""
    parts = take_apart(read_content(notebook.path))
    view = view_of(notebook, parts)
    parts = split_seeds(view, parts, Roles(view, parts, Uses(view)).find())
    view = view_of(notebook, parts)
    uses = Uses(view)
    for cell in view.code_cells:
        others = (one for one in view.code_cells if one is not cell)
        split = split_settings(parts[cell.number - 1], uses.changed_by(others))
        if len(split) > 1:  # the first such cell alone has parameters
            return [*parts[: cell.number - 1], *split, *parts[cell.number :]]
    return parts


def _with_names(notebook: Notebook, parts: list[Part]) -> tuple[list[Part], list[str]]:
    """The cells, with a name for each score that has none and is shown; and these names."""
    view = view_of(notebook, parts)
    roles = Roles(view, parts, Uses(view)).find()
    if any("pipeline-metrics" in tags for tags, _ in roles.values()):
        return parts, []
    cells = [cell for cell in view.code_cells if cell.number not in roles]
    found = name_scores(view, [one for one in cells if not parts[one.number - 1].is_magic])
    made = list(parts)
    for number, names in found.items():
        lines = [f"{name} = {code}" for name, code in names.items()]
        made[number - 1] = parts[number - 1].with_lines(lines)
    return made, [name for names in found.values() for name in names]


def _metrics(
    view: Notebook, roles: dict[int, Role], groups: list[Group], named: list[str]
) -> tuple[frozenset[str], list[str]]:
    """The names that the metrics cell prints, and those for which one has to be made."""
    cells = [cell for cell in view.code_cells if has_tag(roles, cell, "pipeline-metrics")]
    if cells:
        return frozenset(name for cell in cells for name in cell.names.used), []
    names = [*find_metrics([group.cells for group in groups]), *named]
    return frozenset(names), names


def _propose(parts: list[Part], roles: dict[int, Role], new: list[str]) -> Proposal:
    cells = [
        Proposed(part.number, *roles[place], part)
        for place, part in enumerate(parts, start=1)
        if place in roles
    ]
    if new:
        source = "\n".join(f"print({name})" for name in new)
        part = Part(len(parts) + 1, {"cell_type": "code", "metadata": {}, "source": source}, source)
        why = f"a new cell, for {', '.join(new)}"
        cells.append(Proposed(None, ("pipeline-metrics",), why, part))
        parts = [*parts, part]
    return Proposal(tuple(cells), tuple(parts))


def _is_kale(tag: str) -> bool:
    return tag in SPECIAL_TAGS or tag.partition(":")[0] in (*MODIFIERS, "step", "notebook", "block")
