"""Cells that have to be in one step: what they share cannot go from one step to another."""

import ast
from collections.abc import Iterable, Iterator

from fastkf.notebook.check.calls import CANNOT_TRAVEL, DRAWS, ENDINGS, ITERATOR, LOCK
from fastkf.notebook.check.kinds import Kinds
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import is_name
from fastkf.notebook.suggest.steps import Group
from fastkf.notebook.suggest.uses import Uses

PLAIN = ("float", "int", "len")


class Joins:
    """Joins the groups of cells that would tear apart what cannot be in two steps.

    Args:
        notebook: a view of the parts.
        printed: the names that the metrics cell prints.
        uses: what the cells need, and change.
    """

    def __init__(self, notebook: Notebook, printed: frozenset[str], uses: Uses) -> None:
        self._printed, self._uses = printed, uses
        self._kinds: dict[int, dict[str, str]] = {}  # cells to the kinds of the variables above
        self._after: dict[int, dict[str, str]] = {}  # and behind them
        self._numbers: dict[int, frozenset[str]] = {}  # and to those that are plain numbers above
        kinds, numbers = Kinds(notebook), set[str]()
        for cell in notebook.code_cells:
            self._kinds[cell.number] = dict(kinds.known)
            self._numbers[cell.number] = frozenset(numbers)
            kinds.read(cell.tree)
            self._after[cell.number] = dict(kinds.known)
            made = {name for name, value in _given(cell.statements) if is_plain(value, numbers)}
            numbers = numbers - cell.names.bound | made

    def join(self, groups: list[Group]) -> list[Group]:
        """The groups, those joined of which one cannot do without what another has."""
        joined: list[Group] = []
        for place, group in enumerate(groups):
            own, tied = self._holders(group, groups[place:]), self._tied(group, groups[place:])
            above = own | self._from_above(group, tied)
            makers = [n for n, one in enumerate(joined) if above & self._uses.changed_by(one.cells)]
            is_torn = any((own | tied) & cell.names.bound for cell in group.cells)
            if makers or is_torn:
                first = max(makers, default=len(joined))
                cells = [cell for one in joined[first:] for cell in one.cells]
                group = Group(group.heading, [*cells, *group.cells], group.why, is_whole=True)
                del joined[first:]
            joined.append(group)
        return joined

    def _holders(self, group: Group, below: list[Group]) -> frozenset[str]:
        """What holds another object that is changed through it.

        An optimizer that comes from another step has a copy of the model's weights, and changes
        that.
        """
        cells = [cell for other in below for cell in other.cells]
        needed = self._printed.union(*map(self._uses.needs, cells))
        holders = frozenset(
            holder
            for cell in group.cells
            for holder, held in self._uses.changed_through(cell).items()
            if held & needed and holder in self._uses.needs(cell)
        )
        return holders.union(*(needed & self._uses.holders_of_changed(one) for one in group.cells))

    def _tied(self, group: Group, below: list[Group]) -> frozenset[str]:
        """What Kale cannot pass on to a group, and what the group makes another type of."""
        found: set[str] = set()
        for cell in group.cells:
            kinds, needs = self._kinds[cell.number], self._uses.needs(cell)
            found |= {name for name in needs if self._is_live(name, kinds.get(name), below)}
            after = self._after[cell.number]
            for name in needs & cell.names.bound:
                both = {kinds.get(name), after.get(name)}
                if (len(both) == 2 and both <= set(ENDINGS)) or self._turns(name, cell):
                    found.add(name)
        return frozenset(found)

    def _is_live(self, name: str, kind: str | None, below: list[Group]) -> bool:
        takers = [one for one in below if any(name in self._uses.needs(c) for c in one.cells)]
        is_copied = kind == LOCK or (kind in (ITERATOR, DRAWS) and len(takers) > 1)
        return kind in CANNOT_TRAVEL or is_copied

    def _turns(self, name: str, cell: Cell) -> bool:
        """Whether a plain number may turn into one of NumPy, which Kale saves as an array."""
        numbers = self._numbers[cell.number]
        given = [value for one, value in _given(cell.nodes) if one == name]
        return name in numbers and not all(is_plain(value, numbers) for value in given)

    def _from_above(self, group: Group, names: frozenset[str]) -> frozenset[str]:
        """Which of the names a group needs of those above it."""
        made: set[str] = set()
        found: set[str] = set()
        for cell in group.cells:
            found |= names & self._uses.needs(cell) - made
            made |= cell.names.bound
        return frozenset(found)


def _given(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """The variables that code gives values, each with one."""
    for node in nodes:
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.value
        elif isinstance(node, ast.Assign):
            pairs = [pair for target in node.targets for pair in _pairs(target, node.value)]
            yield from ((one.id, value) for one, value in pairs if isinstance(one, ast.Name))


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What an assignment gives values, each with its own: two of `a, b = 1, 2`."""
    if not isinstance(target, ast.Tuple):
        yield target, value
    elif isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
        yield from zip(target.elts, value.elts, strict=True)
    else:
        yield from ((one, value) for one in target.elts)


def is_plain(node: ast.expr, numbers: frozenset[str] | set[str]) -> bool:
    """Whether an expression gives a plain number, of constants and of variables that are such."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float)
    if isinstance(node, ast.BinOp):
        return is_plain(node.left, numbers) and is_plain(node.right, numbers)
    if isinstance(node, ast.UnaryOp):
        return is_plain(node.operand, numbers)
    if isinstance(node, ast.Call):
        return any(is_name(node.func, name) for name in PLAIN)
    return isinstance(node, ast.Name) and node.id in numbers
