"""Cells under headings as steps, each behind those whose variables it uses."""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import last_part
from fastkf.notebook.step_names import free_name, name_of
from fastkf.notebook.suggest.parts import headings_of
from fastkf.notebook.suggest.roles import Role
from fastkf.notebook.suggest.uses import Uses

SAYS_STEP = re.compile(r"^(?:steps?|stage)\s+\d", re.I)
# What cells without headings do, in the order in which notebooks do it.
STAGES = ("Load data", "Prepare data", "Train", "Evaluate")
PREPARES = re.compile(
    r"\w*(?:Scaler|Encoder|Imputer|Vectorizer|Transformer|Binarizer|PCA|Tokenizer)"
)
DOES = (
    re.compile(r"(?:read|load|fetch|make|download)_\w+|urlretrieve|glob|connect"),
    re.compile(
        r"train_test_split|fit_transform|transform|dropna|fillna|get_dummies|to_categorical"
    ),
    re.compile(r"fit|train|cross_validate|fit_predict|polyfit|compile"),
    re.compile(
        r"score|\w+_score|\w+_error|evaluate|classification_report|confusion_matrix|predict"
    ),
)


@dataclass
class Group:
    """Code cells under one heading.

    Attributes:
        is_whole: they are one step, whether they need each other or not.
    """

    heading: str
    cells: list[Cell]
    why: str = ""
    is_whole: bool = False


def group_cells(notebook: Notebook, roles: dict[int, Role]) -> list[Group]:
    """The cells without a role, by the headings above them; without headings, by what they do."""
    groups = [Group("", [], "above all headings")]
    for cell in notebook.cells:
        headings = headings_of(cell.source) if cell.type == "markdown" else []
        if headings:
            groups.append(Group(headings[-1], [], f'under "{headings[-1]}"'))
        elif cell.type == "code" and cell.number not in roles:
            groups[-1].cells.append(cell)
    groups = [group for group in groups if group.cells]
    if len(groups) == 1 and not SAYS_STEP.match(groups[0].heading):
        return group_by_stage(groups[0])
    return groups


def group_by_stage(group: Group) -> list[Group]:
    """The cells of a notebook without headings, by what they do: it never goes back."""
    groups: list[Group] = []
    stage = -1
    for cell in group.cells:
        found = stage_of(cell)
        if found > stage or not groups:
            stage = max(found, 0 if found < 0 else found)
            heading = STAGES[stage] if found >= 0 else STAGES[1]
            stage = STAGES.index(heading)
            groups.append(Group(heading, [], f"no heading; {heading.lower()}", is_whole=True))
        groups[-1].cells.append(cell)
    if len(groups) > 1:
        return groups
    return [Group(group.heading, group.cells, group.why if group.heading else "no heading", True)]


def stage_of(cell: Cell) -> int:
    """The last of the stages that a cell has a part in; -1: it does not tell."""
    calls = [node for node in cell.nodes if isinstance(node, ast.Call)]
    names = {last_part(call.func) for call in calls}
    found = [stage for stage, does in enumerate(DOES) if any(map(does.fullmatch, names))]
    if found and found[-1] == 2 and any(map(PREPARES.fullmatch, names)):
        return 1
    return found[-1] if found else -1


def leave_out_explorations(
    groups: list[Group], roles: dict[int, Role], printed: frozenset[str], uses: Uses
) -> None:
    """Takes the cells out of the groups that make nothing of what is needed below."""
    needed = set(printed)
    last = groups[-1] if groups and not printed else None
    for group in reversed(groups):
        is_step = bool(SAYS_STEP.match(group.heading)) or group is last
        for cell in reversed(list(group.cells)):
            if is_step or needed & uses.changes(cell):
                needed |= uses.needs(cell)
            else:
                group.cells.remove(cell)
                roles[cell.number] = (("skip",), "makes nothing that is needed below")
    groups[:] = [group for group in groups if group.cells]


def leave_out_functions(
    notebook: Notebook, groups: list[Group], roles: dict[int, Role], uses: Uses
) -> None:
    """Takes the functions out that no step calls, as explorations do."""
    needed = {name for group in groups for cell in group.cells for name in uses.needs(cell)}
    unused = [cell for cell in notebook.code_cells if is_unused(roles, cell)]
    while called := [cell for cell in unused if needed & cell.names.bound]:
        needed.update(*map(uses.needs, called))
        unused = [cell for cell in unused if cell not in called]
    for cell in unused:
        roles[cell.number] = (("skip",), "no step uses it")


def is_unused(roles: dict[int, Role], cell: Cell) -> bool:
    """Whether a cell of functions and constants may turn out to be one that no step uses."""
    return has_tag(roles, cell, "functions") and bool(cell.names.bound)


def has_tag(roles: dict[int, Role], cell: Cell, tag: str) -> bool:
    return tag in roles.get(cell.number, ((), ""))[0]


class Steps:
    """The cells of the groups as cells of steps.

    Args:
        groups: without explorations.
        metrics: the names that the metrics cell prints.
        uses: what the cells need, and change.
    """

    def __init__(self, groups: list[Group], metrics: frozenset[str], uses: Uses) -> None:
        self._groups, self._metrics, self._uses = groups, metrics, uses
        self._made: dict[str, str] = {}  # variables to the steps that made them last
        self._steps: dict[str, Group] = {}
        self._waits: dict[str, list[str]] = {}

    def roles(self) -> dict[int, Role]:
        """The tags of the cells, by their numbers, and why."""
        for place, group in enumerate(self._groups):
            cells_below = [cell for other in self._groups[place + 1 :] for cell in other.cells]
            below = self._metrics.union(*map(self._uses.needs, cells_below))
            name = name_of(group.heading)
            for cells in self._split(group, below):
                self._add(free_name(name, self._steps), Group(group.heading, cells, group.why))
        self._let_the_last_win(self._metrics, set(self._steps))
        roles: dict[int, Role] = {}
        for step, group in self._steps.items():
            for position, cell in enumerate(group.cells):
                prevs = (f"prev:{one}" for one in self._waits[step] if not position)
                roles[cell.number] = (f"step:{step}", *prevs), group.why
        return roles

    def _add(self, step: str, group: Group) -> None:
        """Takes in a step: it waits for those that made last what it needs."""
        needed = frozenset().union(*map(self._uses.needs, group.cells))
        makers = {self._made[one] for one in needed if one in self._made}
        self._let_the_last_win(needed, makers)
        self._waits[step] = self._nearest(makers)
        self._steps[step] = group
        self._made |= dict.fromkeys(self._uses.changed_by(group.cells), step)

    def _let_the_last_win(self, needed: frozenset[str], makers: set[str]) -> None:
        """Where one step makes a variable anew that another beside it has, orders the two.

        Kale takes it from the nearest step, and of two as near from the first in the alphabet.
        """
        above = makers.union(*map(self._before, makers))
        for name in sorted(needed & self._made.keys()):
            last = self._made[name]
            for other in [one for one in self._steps if one in above and one != last]:
                is_apart = not {last, other} & (self._before(last) | self._before(other))
                if is_apart and name in self._passed_on(other):
                    self._waits[last] = self._nearest({*self._waits[last], other})

    def _passed_on(self, step: str) -> frozenset[str]:
        """What a step makes or uses: Kale passes on both."""
        cells = self._steps[step].cells
        made = (cell.names.changed | self._uses.needs(cell) for cell in cells)
        return frozenset().union(*made)

    def _before(self, step: str) -> set[str]:
        """All steps that come before a step."""
        return {far for one in self._waits[step] for far in (one, *self._before(one))}

    def _nearest(self, steps: set[str]) -> list[str]:
        """Steps without those that come before others of them, in their order."""
        order = list(self._steps)
        far = set[str]().union(*map(self._before, steps))
        return sorted(steps - far, key=order.index)

    def _split(self, group: Group, needed: frozenset[str]) -> list[list[Cell]]:
        """The cells under a heading as steps: those that do not need each other are apart.

        Args:
            group: the cells.
            needed: the names that cells below the group need.
        """
        if group.is_whole:
            return [group.cells]
        parts: list[list[Cell]] = []
        for place, cell in enumerate(group.cells):
            rest = group.cells[place + 1 :]
            below = needed.union(*map(self._uses.needs, rest))
            before = [part for part in parts if self._uses.needs(cell) & self._made_by(part)]
            goes_on = len(before) == 1 and before[0] is parts[-1]
            goes_on = goes_on and not self._forks(group, place, parts[-1])
            is_alone = bool(below & self._uses.changes(cell))
            if parts and (
                goes_on or not is_alone or not self._serves(parts[-1], [cell, *rest], needed)
            ):
                parts[-1].append(cell)
            else:
                parts.append([cell])
        return parts

    def _serves(self, part: list[Cell], rest: list[Cell], needed: frozenset[str]) -> bool:
        """Whether a part makes anything of what comes after it, and is worth a step."""
        return bool(needed.union(*map(self._uses.needs, rest)) & self._made_by(part))

    def _forks(self, group: Group, place: int, part: list[Cell]) -> bool:
        """Whether a cell further down needs a part, and not the cell that comes after the part.

        Under a heading that says that it is a step, all that goes on from the part is that step.
        """
        if SAYS_STEP.match(group.heading):
            return False
        made, cell = self._made_by(part), group.cells[place]
        later = [one for one in group.cells[place + 1 :] if self._uses.needs(one) & made]
        return any(not self._uses.needs(one) & self._uses.changes(cell) for one in later)

    def _made_by(self, cells: Iterable[Cell]) -> frozenset[str]:
        return self._uses.changed_by(cells)
