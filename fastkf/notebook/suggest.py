"""Proposes Kale's tags for a notebook that has none, from its headings and its data flow.

A heading begins a step. A cell that makes nothing of what later cells need is an exploration, and
stays out of the pipeline, unless its heading says that it is a step.
"""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from fastkf.base.errors import UsageError
from fastkf.notebook.check.code import is_ipython
from fastkf.notebook.check.parameters import METRICS_LINE, explain_parameter
from fastkf.notebook.check.tags import MODIFIERS
from fastkf.notebook.model import SPECIAL_TAGS, Cell, Notebook
from fastkf.notebook.reading.code import missing_names
from fastkf.notebook.step_names import free_name, name_of

IMPORTS = (ast.Import, ast.ImportFrom)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
BRACKETS = (ast.Tuple, ast.List, ast.expr_context)  # of `ONE, TWO = 1, 2`, beside its names
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.M)
SAYS_STEP = re.compile(r"^(?:steps?|stage)\s+\d", re.I)


@dataclass(frozen=True)
class Proposed:
    """The tags of one code cell.

    Attributes:
        number: the cell's, from 1.
        tags: what is proposed; for a step, `step:NAME` and `prev:` tags.
        why: in a few words.
    """

    number: int
    tags: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Proposal:
    """The tags of all code cells.

    Attributes:
        cells: in the order of the file.
    """

    cells: tuple[Proposed, ...]

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


@dataclass
class Group:
    """Code cells under one heading."""

    heading: str
    cells: list[Cell]


def suggest_tags(notebook: Notebook) -> Proposal:
    """The proposal for a notebook.

    Raises:
        UsageError: it has tags of Kale's already, or nothing that a step could be made of.
    """
    if any(_is_kale(tag) for cell in notebook.code_cells for tag in cell.tags):
        problem = f"{notebook.path}: this notebook has tags of Kale's already"
        raise UsageError(problem, "`fastkf check` says what is wrong with them")
    roles = find_roles(notebook)
    groups = _group(notebook, roles)
    metrics = [cell for cell in notebook.code_cells if _has_tag(roles, cell, "pipeline-metrics")]
    printed = frozenset(name for cell in metrics for name in cell.names.used)
    _leave_out_explorations(groups, roles, printed)
    _leave_out_functions(notebook, groups, roles)
    found = {number: Proposed(number, *role) for number, role in roles.items()}
    found |= {cell.number: cell for cell in _make_steps(groups, printed)}
    if not any(tag.startswith("step:") for cell in found.values() for tag in cell.tags):
        problem = f"{notebook.path}: no cell computes anything that a later one needs"
        raise UsageError(problem, "tag the cells by hand: `step:NAME`")
    return Proposal(tuple(found[number] for number in sorted(found)))


Role = tuple[tuple[str, ...], str]


def find_roles(notebook: Notebook) -> dict[int, Role]:
    """The cells whose tags show in what they hold, each with the tags and why."""
    roles: dict[int, Role] = {}
    metrics = _metrics_cell(notebook)
    has_parameters = has_step = False
    made: set[str] = set()  # by cells of steps
    for cell in notebook.code_cells:
        if metrics and cell.number > metrics.number:
            roles[cell.number] = (("skip",), "below the metrics")
        elif cell is metrics:
            roles[cell.number] = (("pipeline-metrics",), "prints plain names, last")
        elif role := _role_of(cell, made):
            roles[cell.number] = role
        elif not has_parameters and not has_step and _is_parameters(cell):
            has_parameters = True
            roles[cell.number] = (("pipeline-parameters", "parameters"), "sets plain values")
        else:
            has_step = True
            made |= cell.names.bound
    return roles


def _role_of(cell: Cell, made: set[str]) -> Role | None:
    """Skip, imports or functions, for a cell that is nothing else and uses nothing of `made`."""
    if cell.tree is None:
        return ("skip",), "for Jupyter only" if is_ipython(cell) else "Python cannot read it"
    nodes = cell.tree.body
    if not nodes:
        return ("skip",), "empty"
    is_apart = not needs_of(cell) & made
    has_imports = any(isinstance(node, IMPORTS) for node in nodes)
    if has_imports and is_apart and all(map(_is_set_up, nodes)):
        return ("imports",), "imports"
    if all(isinstance(node, DEFINITIONS) or _is_constant(node) for node in nodes):
        is_function = any(isinstance(node, DEFINITIONS) for node in nodes)
        if is_function or all(map(_is_constant, nodes)):
            return ("functions",), "defines functions and constants"
    return None


def _is_set_up(node: ast.stmt) -> bool:
    """An import, or what sets up what is imported: a call, a setting written into it."""
    if isinstance(node, ast.Assign):
        return all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets)
    return isinstance(node, (*IMPORTS, ast.Expr, ast.Try))


def _is_constant(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    parts = [part for target in targets for part in ast.walk(target)]
    names = [part for part in parts if not isinstance(part, BRACKETS)]
    return bool(names) and all(isinstance(name, ast.Name) and name.id.isupper() for name in names)


def _is_parameters(cell: Cell) -> bool:
    nodes = cell.statements
    return bool(nodes) and not any(explain_parameter(node) for node in nodes)


def _metrics_cell(notebook: Notebook) -> Cell | None:
    """The last cell that only prints names in lower case that cells above make."""
    made: set[str] = set()
    found = None
    for cell in notebook.code_cells:
        lines = [line for line in cell.source.strip().splitlines() if line.strip()]
        are_prints = bool(lines) and all(METRICS_LINE.fullmatch(line) for line in lines)
        if are_prints and cell.names.used - {"print"} <= made:
            found = cell
        made |= cell.names.bound
    return found


def _group(notebook: Notebook, roles: dict[int, Role]) -> list[Group]:
    """The cells without a role, by the headings above them."""
    groups = [Group("", [])]
    for cell in notebook.cells:
        headings = HEADING.findall(cell.source) if cell.type == "markdown" else []
        if headings:
            groups.append(Group(headings[-1], []))
        elif cell.type == "code" and cell.number not in roles:
            groups[-1].cells.append(cell)
    return [group for group in groups if group.cells]


def _leave_out_explorations(
    groups: list[Group], roles: dict[int, Role], printed: frozenset[str]
) -> None:
    """Takes the cells out of the groups that make nothing of what is needed below."""
    needed = set(printed)
    last = groups[-1] if groups and not printed else None
    for group in reversed(groups):
        is_step = bool(SAYS_STEP.match(group.heading)) or group is last
        for cell in reversed(list(group.cells)):
            if is_step or needed & cell.names.changed:
                needed |= needs_of(cell)
            else:
                group.cells.remove(cell)
                roles[cell.number] = (("skip",), "makes nothing that is needed below")
    groups[:] = [group for group in groups if group.cells]


def _leave_out_functions(notebook: Notebook, groups: list[Group], roles: dict[int, Role]) -> None:
    """Takes the functions out that no step calls, as explorations do."""
    needed = {name for group in groups for cell in group.cells for name in needs_of(cell)}
    unused = [cell for cell in notebook.code_cells if _has_tag(roles, cell, "functions")]
    while called := [cell for cell in unused if needed & cell.names.bound]:
        needed.update(*map(needs_of, called))
        unused = [cell for cell in unused if cell not in called]
    for cell in unused:
        roles[cell.number] = (("skip",), "no step uses it")


def _has_tag(roles: dict[int, Role], cell: Cell, tag: str) -> bool:
    return tag in roles.get(cell.number, ((), ""))[0]


def needs_of(cell: Cell) -> frozenset[str]:
    """The names that a cell uses before it makes them."""
    return missing_names(cell.source) | (cell.names.written - cell.names.bound)


def _make_steps(groups: list[Group], metrics: frozenset[str]) -> list[Proposed]:
    """The cells of the groups as cells of steps.

    Args:
        groups: without explorations.
        metrics: the names that the metrics cell prints.
    """
    made: dict[str, str] = {}  # variables to the steps that made them last
    before: dict[str, set[str]] = {}  # steps to all that come before them
    proposed = []
    for place, group in enumerate(groups):
        cells_below = [cell for other in groups[place + 1 :] for cell in other.cells]
        below = metrics.union(*map(needs_of, cells_below))
        name = name_of(group.heading)
        for cells in _split(group, below):
            step = free_name(name, before)
            needed = {one for cell in cells for one in needs_of(cell)}
            order = list(dict.fromkeys(made.values()))
            waits = sorted({made[one] for one in needed if one in made}, key=order.index)
            waits = [one for one in waits if not any(one in before[other] for other in waits)]
            before[step] = {*waits, *(far for one in waits for far in before[one])}
            made |= {one: step for cell in cells for one in cell.names.changed}
            why = f'under "{group.heading}"' if group.heading else "above all headings"
            for position, cell in enumerate(cells):
                tags = [f"step:{step}", *(f"prev:{one}" for one in waits if not position)]
                proposed.append(Proposed(cell.number, tuple(tags), why))
    return proposed


def _split(group: Group, needed: frozenset[str]) -> list[list[Cell]]:
    """The cells under a heading as steps: those that do not need each other are apart.

    Args:
        group: the cells.
        needed: the names that cells below the group need.
    """
    parts: list[list[Cell]] = []
    for place, cell in enumerate(group.cells):
        below = needed.union(*(needs_of(other) for other in group.cells[place + 1 :]))
        before = [part for part in parts if needs_of(cell) & made_by(part)]
        goes_on = len(before) == 1 and before[0] is parts[-1]
        goes_on = goes_on and not _forks(group, place, parts[-1])
        if parts and (goes_on or not below & cell.names.changed):
            parts[-1].append(cell)
        else:
            parts.append([cell])
    return parts


def _forks(group: Group, place: int, part: list[Cell]) -> bool:
    """Whether a cell further down needs a part, and not the cell that comes after the part.

    Under a heading that says that it is a step, all that goes on from the part is that step.
    """
    if SAYS_STEP.match(group.heading):
        return False
    made, cell = made_by(part), group.cells[place]
    later = [other for other in group.cells[place + 1 :] if needs_of(other) & made]
    return any(not needs_of(other) & cell.names.changed for other in later)


def made_by(cells: Iterable[Cell]) -> set[str]:
    return {name for cell in cells for name in cell.names.changed}


def _is_kale(tag: str) -> bool:
    return tag in SPECIAL_TAGS or tag.partition(":")[0] in (*MODIFIERS, "step", "notebook", "block")
