"""The numbers that a notebook ends with, which a pipeline reports as its metrics."""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from fastkf.notebook.check.parameters import METRICS_LINE
from fastkf.notebook.model import Cell
from fastkf.notebook.names import is_name, last_part

SCORES = (
    r"(?:\w+_)?(?:score|error|loss|auc|accuracy|precision|recall|f1|r2|mae|mape|mse|rmse|rmsle)"
)
NUMBERS = re.compile(rf"{SCORES}|float|int|round|len|sqrt|item|log|exp")
MEANS = ("mean", "median", "std", "max", "min", "sum")  # numbers, where an axis is not given
OF_NUMBERS = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[dfgeFGE]|\{[^}]*:[^}]*[dfgeFGE%]\}")
TABLES = re.compile(r"\.(?:groupby|rolling|resample|expanding|corr|describe)\(")
MANY = ("cross_val_score", "precision_recall_fscore_support", "average")


def find_metrics(groups: Sequence[Iterable[Cell]]) -> list[str]:
    """The numbers that cells make and show, in the order in which they are shown.

    Args:
        groups: the cells under each heading. Only of the last that shows any, each number is one;
            of those above it, the scores and losses are.
    """
    found: dict[str, None] = {}
    is_last = True
    for group in reversed(groups):
        shown = list(_numbers_of(group))
        names = [name for name, is_score in shown if is_last or is_score]
        found = dict.fromkeys([*names, *found])
        is_last = is_last and not shown
    return list(found)


def _numbers_of(cells: Iterable[Cell]) -> Iterator[tuple[str, bool]]:
    """The numbers that cells make and show, and whether they are scores."""
    values: dict[str, ast.expr] = {}
    for cell in cells:
        bound = cell.names.bound
        values = {name: value for name, value in values.items() if name not in bound}
        values |= dict(_values(cell))
        for name, is_number in _shown(cell):
            made = values.get(name)
            is_metric = METRICS_LINE.fullmatch(f"print({name})") is not None
            if is_metric and made is not None and (is_number or _gives_number(made, values)):
                calls = [one for one in ast.walk(made) if isinstance(one, ast.Call)]
                words = [name, *(last_part(call.func) for call in calls)]
                yield name, any(re.fullmatch(SCORES, word) for word in words)


def _values(cell: Cell) -> Iterator[tuple[str, ast.expr]]:
    for node in cell.statements:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name):
                yield target.id, node.value


def _shown(cell: Cell) -> Iterator[tuple[str, bool]]:
    """The variables that a cell shows, and whether they are shown as numbers."""
    for place, node in enumerate(cell.statements):
        value = node.value if isinstance(node, ast.Expr) else None
        if isinstance(value, ast.Call) and last_part(value.func) in ("print", "display"):
            for argument in value.args:
                yield from _shown_by(argument, is_number=False)
        elif isinstance(value, ast.Name) and place == len(cell.statements) - 1:
            yield value.id, False


def _shown_by(node: ast.expr, is_number: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(node, ast.Name):
        yield node.id, is_number
    elif isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                spec = ast.unparse(part.format_spec) if part.format_spec else ""
                yield from _shown_by(part.value, bool(re.search(r"[dfgeFGE%]['\"]$", spec)))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
        text = node.left.value if isinstance(node.left, ast.Constant) else ""
        are_numbers = isinstance(text, str) and bool(OF_NUMBERS.search(text))
        given = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
        for one in (node.left, *given):
            yield from _shown_by(one, are_numbers)
    elif isinstance(node, ast.Call):
        yield from _shown_by_call(node)


def _shown_by_call(call: ast.Call) -> Iterator[tuple[str, bool]]:
    """`round(x, 2)`, `str(x)`, `"{:.2f}".format(x)`."""
    name = last_part(call.func)
    text = call.func.value if isinstance(call.func, ast.Attribute) else None
    is_format = name == "format" and isinstance(text, ast.Constant)
    if is_format or name in ("round", "str", "float"):
        template = str(text.value) if isinstance(text, ast.Constant) else ""
        are_numbers = name in ("round", "float") or bool(OF_NUMBERS.search(template))
        for one in call.args if is_format else call.args[:1]:
            yield from _shown_by(one, are_numbers)


def _gives_number(node: ast.expr, values: dict[str, ast.expr]) -> bool:
    """Whether an expression gives one number, as far as the code tells."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool)
    if isinstance(node, ast.Name):
        rest = {name: value for name, value in values.items() if name != node.id}
        return node.id in values and _gives_number(values[node.id], rest)
    if isinstance(node, ast.UnaryOp):
        return _gives_number(node.operand, values)
    if isinstance(node, ast.BinOp):
        return _gives_number(node.left, values) and _gives_number(node.right, values)
    if isinstance(node, ast.Call):
        name, words = last_part(node.func), {word.arg for word in node.keywords}
        if name in MANY or words & {"axis", "average", "multioutput"} - _named(node):
            return False
        is_known = bool(NUMBERS.fullmatch(name)) or is_name(node.func, "sum")
        return is_known or (name in MEANS and _is_column(node))
    return False


def _is_column(call: ast.Call) -> bool:
    """Whether a method is one of a column or an array, and not of a table or of its groups."""
    of = call.func.value if isinstance(call.func, ast.Attribute) else None
    if call.args or of is None or isinstance(of, ast.Name) or TABLES.search(ast.unparse(of)):
        return False
    return not (isinstance(of, ast.Subscript) and isinstance(of.slice, ast.List))


def _named(call: ast.Call) -> set[str | None]:
    """The words of a call that name a way to make one number of many: `average="macro"`."""
    return {
        word.arg
        for word in call.keywords
        if isinstance(word.value, ast.Constant) and isinstance(word.value.value, str)
    }
