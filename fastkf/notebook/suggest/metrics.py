"""The numbers that a notebook ends with, which a pipeline reports as its metrics."""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from fastkf.notebook.check.parameters import METRICS_LINE
from fastkf.notebook.model import Cell
from fastkf.notebook.names import is_name, last_part
from fastkf.notebook.suggest.shown import placed, shown_in

SCORES = (
    r"(?:\w+_)?(?:score|error|loss|auc|accuracy|precision|recall|f1|r2|mae|mape|mse|rmse|rmsle)"
)
EVALUATE = "evaluate"
NUMBERS = re.compile(rf"{SCORES}|float|int|round|len|sqrt|item|log|exp")
MEANS = ("mean", "median", "std", "max", "min", "sum")  # numbers, where an axis is not given
# Functions that give one number, whatever they are given; and those that do, but of a table.
ONE = re.compile(
    r"(?:np|numpy)\.(?:mean|median)|"
    r"(?:(?:statistics|stats?)\.)?(?:f?mean|median|p?stdev|p?variance)"
)
OF_ARRAYS = re.compile(r"(?:np|numpy)\.(?:std|var|sum|max|min)")
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
        values |= dict(values_of(cell))
        for shown in shown_in(cell):
            name = shown.value.id if isinstance(shown.value, ast.Name) else ""
            made, is_number = values.get(name), shown.is_number
            is_metric = METRICS_LINE.fullmatch(f"print({name})") is not None
            if is_metric and made is not None and (is_number or gives_number(made, values)):
                yield name, bool(re.fullmatch(SCORES, name)) or calls_score(made)


def calls_score(node: ast.expr) -> bool:
    """Whether a score or a loss is computed in an expression."""
    calls = [one for one in ast.walk(node) if isinstance(one, ast.Call)]
    return any(re.fullmatch(f"{SCORES}|{EVALUATE}", last_part(call.func)) for call in calls)


def values_of(cell: Cell) -> Iterator[tuple[str, ast.expr]]:
    """The variables that a cell makes, outside loops and functions, with their values."""
    for _, node in placed(cell):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name):
                yield target.id, node.value
            elif isinstance(target, ast.Tuple) and _evaluates(node.value):
                for place, one in enumerate(target.elts):
                    if isinstance(one, ast.Name):
                        yield one.id, ast.Subscript(node.value, ast.Constant(place), ast.Load())


def gives_number(node: ast.expr, values: dict[str, ast.expr]) -> bool:
    """Whether an expression gives one number, as far as the code tells."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool)
    if isinstance(node, ast.Name):
        rest = {name: value for name, value in values.items() if name != node.id}
        return node.id in values and gives_number(values[node.id], rest)
    if isinstance(node, ast.UnaryOp):
        return gives_number(node.operand, values)
    if isinstance(node, ast.Subscript):
        if _is_best(node, values):
            return True
        of = values.get(node.value.id) if isinstance(node.value, ast.Name) else node.value
        return _evaluates(of) and isinstance(node.slice, ast.Constant)
    if isinstance(node, ast.BinOp):
        return gives_number(node.left, values) and gives_number(node.right, values)
    if isinstance(node, ast.Call):
        name, words = last_part(node.func), {word.arg for word in node.keywords}
        if name in MANY or words & {"axis", "average", "multioutput"} - _named(node):
            return False
        is_known = bool(NUMBERS.fullmatch(name)) or is_name(node.func, "sum")
        of = node.func.value if isinstance(node.func, ast.Attribute) else None
        made = values.get(of.id) if isinstance(of, ast.Name) else None
        are_scores = isinstance(made, ast.Call) and last_part(made.func) in MANY[:1]
        is_known = is_known or _is_function_of_many(node, values)
        return is_known or (name in MEANS and (are_scores or _is_column(node)))
    return False


def _is_function_of_many(call: ast.Call, values: dict[str, ast.expr]) -> bool:
    """Whether it is a function of NumPy or `statistics`, of one thing that is no table."""
    name = ast.unparse(call.func)
    given = call.args[0] if len(call.args) == 1 else None
    if given is None or ONE.fullmatch(name):
        return given is not None
    given = values.get(given.id) if isinstance(given, ast.Name) else given
    is_list = isinstance(given, ast.List | ast.ListComp | ast.Compare)
    return is_list and bool(OF_ARRAYS.fullmatch(name))


def _is_best(node: ast.Subscript, values: dict[str, ast.expr]) -> bool:
    """Whether it is the least or the most of a dictionary: `best = min(d, key=d.get); d[best]`."""
    key = values.get(node.slice.id) if isinstance(node.slice, ast.Name) else node.slice
    if not isinstance(key, ast.Call) or ast.unparse(key.func) not in ("min", "max"):
        return False
    of = ast.unparse(node.value)
    return f"key={of}.get" in map(ast.unparse, key.keywords)


def _evaluates(node: ast.expr | None) -> bool:
    """Whether it is `model.evaluate(...)`, the losses and the scores of a network."""
    return isinstance(node, ast.Call) and last_part(node.func) == EVALUATE


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
