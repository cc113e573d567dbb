"""The cells whose tags show in what they hold: imports, functions, parameters, metrics."""

import ast
import re

from fastkf.notebook.check.flow import Definition
from fastkf.notebook.check.parameters import METRICS_LINE
from fastkf.notebook.check.seeds import SEEDS
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import IMPORTS, Names, last_part, root_of
from fastkf.notebook.suggest.parts import Part, is_constant, is_parameter
from fastkf.notebook.suggest.uses import Uses

# Calls into a module that are there for what comes after them, and not for what they give.
SETS_UP = re.compile(
    rf"{'|'.join(SEEDS)}|set(?:_\w+)?|filterwarnings|simplefilter|basicConfig|use|download|"
    r"makedirs|enable_\w+|disable_\w+|init_\w+|register_\w+|putenv|update"
)
NO_NUMBERS = (
    *(ast.List, ast.Tuple, ast.Set, ast.Dict, ast.JoinedStr, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)

Role = tuple[tuple[str, ...], str]
PARAMETERS: Role = (("pipeline-parameters", "parameters"), "sets plain values")
FUNCTIONS: Role = (("functions",), "defines functions and constants")
FOR_JUPYTER: Role = (("skip",), "for Jupyter only")


class Roles:
    """The cells of a notebook whose tags show in what they hold.

    Args:
        notebook: a view of the parts.
        parts: its cells.
        uses: what they need, and change.
    """

    def __init__(self, notebook: Notebook, parts: list[Part], uses: Uses) -> None:
        self._notebook, self._parts, self._uses = notebook, parts, uses

    def find(self) -> dict[int, Role]:
        """The tags of these cells, by their numbers, and why."""
        roles: dict[int, Role] = {}
        metrics = self._metrics_cell()
        has_parameters = has_step = False
        made: set[str] = set()  # by cells of steps
        for cell in self._notebook.code_cells:
            if metrics and cell.number > metrics.number:
                roles[cell.number] = (("skip",), "below the metrics")
            elif cell is metrics:
                roles[cell.number] = (("pipeline-metrics",), "prints plain names, last")
            elif not has_parameters and not has_step and self._is_parameters(cell):
                has_parameters = True
                roles[cell.number] = PARAMETERS
            elif roles.get(cell.number - 1) == PARAMETERS and self._is_of_one_cell(cell):
                roles[cell.number] = FUNCTIONS
            elif role := self._role_of(cell, made):
                roles[cell.number] = role
            else:
                has_step = True
                made |= self._uses.changes(cell)
        return roles

    def _is_of_one_cell(self, cell: Cell) -> bool:
        """Whether a cell and the one above it are parts of one."""
        above, own = self._parts[cell.number - 2 : cell.number]
        return above.number == own.number

    def _role_of(self, cell: Cell, made: set[str]) -> Role | None:
        """Skip, imports or functions, for a cell that is nothing else and uses none of `made`."""
        if self._parts[cell.number - 1].is_magic:
            return None if cell.names.bound else FOR_JUPYTER
        if not made and self._are_settings(cell):
            return FUNCTIONS
        if cell.tree is None:
            return ("skip",), "Python cannot read it"
        nodes = cell.statements
        if not nodes:
            return ("skip",), "empty"
        if not self._uses.needs(cell) & made:
            if any(isinstance(node, IMPORTS) for node in nodes) and self._only_sets_up(cell):
                return ("imports",), "imports"
            if all(map(self._sets_up, nodes)):
                return ("functions",), "sets up what all steps use"
        rest = [node for node in nodes if not _is_definition(node)]
        if len(rest) < len(nodes) and all(map(self._goes_with_functions, rest)):
            return FUNCTIONS
        return None

    def _only_sets_up(self, cell: Cell) -> bool:
        """Whether a cell with imports makes nothing but constants that others use."""
        changed, used = self._changed_elsewhere(cell), self._used_elsewhere(cell)
        for node in cell.statements:
            makes = Names.of(node).bound - self._uses.imported
            is_assignment = isinstance(node, ast.Assign) and bool(makes)
            if (is_assignment or makes & used) and not is_constant(node, changed):
                return False
        return True

    def _goes_with_functions(self, node: ast.stmt) -> bool:
        return isinstance(node, IMPORTS) or _is_text(node) or self._sets_up(node)

    def _sets_up(self, node: ast.stmt) -> bool:
        """A seed, or a setting written into a module."""
        if isinstance(node, ast.Assign):
            places = (ast.Attribute, ast.Subscript)
            return all(
                isinstance(target, places) and root_of(target) in self._uses.imported
                for target in node.targets
            )
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not SETS_UP.fullmatch(last_part(call.func)):
            return False
        return root_of(call.func) in self._uses.imported

    def _is_parameters(self, cell: Cell) -> bool:
        changed = self._changed_elsewhere(cell)
        nodes = cell.statements
        return bool(nodes) and all(is_parameter(node, changed) for node in nodes)

    def _are_settings(self, cell: Cell) -> bool:
        """Whether a cell only makes values that stay so, most of them single ones."""
        changed, nodes = self._changed_elsewhere(cell), cell.statements
        values = [one for node in nodes if isinstance(node, ast.Assign) for one in _each(node)]
        single = [one for one in values if isinstance(one, ast.Constant)]
        are_all = all(is_constant(node, changed) for node in nodes)
        return are_all and len(nodes) > 1 and 2 * len(single) > len(values)

    def _changed_elsewhere(self, cell: Cell) -> frozenset[str]:
        others = (one for one in self._notebook.code_cells if one is not cell)
        return self._uses.changed_by(others)

    def _used_elsewhere(self, cell: Cell) -> frozenset[str]:
        others = (one for one in self._notebook.code_cells if one is not cell)
        return frozenset().union(*(one.names.used for one in others))

    def _metrics_cell(self) -> Cell | None:
        """The last cell that only prints names in lower case, of numbers that cells above make."""
        made: dict[str, ast.expr | None] = {}
        found = None
        for cell in self._notebook.code_cells:
            lines = [line for line in cell.source.strip().splitlines() if line.strip()]
            are_prints = bool(lines) and all(METRICS_LINE.fullmatch(line) for line in lines)
            printed = cell.names.used - {"print"}
            if are_prints and printed <= made.keys():
                kinds = [made[name] for name in printed]
                found = cell if not any(isinstance(one, NO_NUMBERS) for one in kinds) else found
            made |= dict.fromkeys(cell.names.bound) | _values(cell)
        return found


def _values(cell: Cell) -> dict[str, ast.expr | None]:
    """The variables of a cell that are given one value each, with that."""
    return {
        node.targets[0].id: node.value
        for node in cell.statements
        if isinstance(node, ast.Assign)
        and len(node.targets) == 1
        and isinstance(node.targets[0], ast.Name)
    }


def _each(node: ast.Assign) -> list[ast.expr]:
    """The values that an assignment gives, two of `a, b = 1, 2`."""
    are_many = isinstance(node.value, ast.Tuple) and isinstance(node.targets[0], ast.Tuple)
    return node.value.elts if are_many and isinstance(node.value, ast.Tuple) else [node.value]


def _is_definition(node: ast.stmt) -> bool:
    """A function, a class, or a constant in capitals."""
    return isinstance(node, Definition) or is_constant(node, Names.of(node).bound)


def _is_text(node: ast.stmt) -> bool:
    """A text that stands alone, or is printed."""
    value = node.value if isinstance(node, ast.Expr) else None
    if isinstance(value, ast.Call) and last_part(value.func) == "print":
        return all(isinstance(one, ast.Constant) for one in value.args)
    return isinstance(value, ast.Constant)
