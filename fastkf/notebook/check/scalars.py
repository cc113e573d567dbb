"""The rule on single numbers of NumPy: they arrive as arrays, and a metric may not be one."""

import ast
from collections.abc import Iterator

from fastkf.notebook.check.calls import NUMPY, PANDAS, PLAIN
from fastkf.notebook.check.finding import Found, Rule
from fastkf.notebook.check.flow import find_use
from fastkf.notebook.check.held import values_once
from fastkf.notebook.check.kinds import Kinds
from fastkf.notebook.check.objects import passed_on, values_of
from fastkf.notebook.check.steps import is_understood
from fastkf.notebook.model import Notebook
from fastkf.notebook.names import last_part
from fastkf.notebook.pipeline import PipelineStep

# Functions, and methods, that give one number of many.
PLACES = ("argmax", "argmin")
REDUCING = (*PLACES, "mean", "median", "std", "var", "sum", "max", "min", "prod", "ptp")
OF_COLUMNS = ("mean", "median", "std", "var")  # whatever else is in a column, these give numbers
TAKE_NUMBERS = ("round", "hash", "isinstance", "json.dumps", "json.dump")


def numpy_scalar(notebook: Notebook) -> Found:
    """A single number of NumPy that arrives as an array, or is a metric that JSON does not know."""
    yield from _metrics_of_numpy(notebook)
    yield from _numbers_passed_on(notebook)


def _metrics_of_numpy(notebook: Notebook) -> Found:
    """Of the step that reports the metrics: Kale writes them as JSON, which knows Python's own."""
    if not is_understood(notebook):
        return
    kinds = _read_all(notebook)
    for step in notebook.pipeline.steps:
        cells = notebook.steps[step.name]
        for name in notebook.metrics:
            makers = [cell for cell in cells if name in cell.names.bound]
            values = [value for cell in makers for value in values_of(cell, name)]
            is_made_once = len(makers) == 1 and len(values) == 1
            if is_made_once and _reports(step, name) and _is_no_json(values[0], kinds):
                yield (
                    makers[0],
                    f"Kale cannot write down the metric `{name}`, a whole number of NumPy",
                    f"make it one of Python's: `{name} = int(...)`",
                )


def _reports(step: PipelineStep, name: str) -> bool:
    """Whether the code of a step ends with a report of the metric."""
    return step.metrics and f'"{name}": {name}' in step.source[-1]


def _is_no_json(value: ast.expr, kinds: Kinds) -> bool:
    """Whether it is certainly no `numpy.float64`, the one number of NumPy that is Python's, too."""
    if not isinstance(value, ast.Call):
        return False
    if last_part(value.func) in PLACES:
        return _is_number(value, kinds)
    match value:  # how many places hold something: `np.sum(said == y)`, `(said == y).sum()`
        case ast.Call(func=func, args=[ast.Compare() as of], keywords=[]):
            is_count = kinds.full_name(func) == "numpy.sum"
        case ast.Call(func=ast.Attribute(value=ast.Compare() as of, attr="sum"), args=[]):
            is_count = not value.keywords
        case _:
            return False
    return is_count and _has_numbers(of, "sum", kinds)


def _numbers_passed_on(notebook: Notebook) -> Found:
    kinds: Kinds | None = None
    told: set[str] = set()
    for step, name, cell in passed_on(notebook):
        takers = [s for s in notebook.pipeline.steps if s.producers.get(name) == step.name]
        uses = [(s.name, use) for s in takers if (use := next(_broken_by(notebook, s, name), None))]
        if not uses or name in told:
            continue
        kinds = kinds or _read_all(notebook)
        values = list(values_of(cell, name))
        if values and all(_is_number(value, kinds) for value in values):
            told.add(name)
            taker, use = uses[0]
            yield (
                find_use(notebook.steps[taker], name),
                f"`{name}` is a number of NumPy in step `{step.name}`, and an array without "
                f"dimensions in step `{taker}`, which `{use}` does not take for a number",
                f"make it one of Python's where it is computed: `{name} = float(...)`, or `int`",
            )


def _read_all(notebook: Notebook) -> Kinds:
    kinds = Kinds(notebook)
    for cell in notebook.code_cells:
        kinds.read(cell.tree)
    return kinds


def _is_number(value: ast.expr, kinds: Kinds) -> bool:
    """Whether an expression gives one number of NumPy: `np.mean(scores)`, `scores.max()`."""
    if not isinstance(value, ast.Call) or value.keywords:
        return False
    last, called = last_part(value.func), kinds.full_name(value.func)
    if last not in REDUCING:
        return False
    if called == f"numpy.{last}":
        return len(value.args) == 1 and _has_numbers(value.args[0], last, kinds)
    of = value.func.value if isinstance(value.func, ast.Attribute) and not value.args else None
    if of is None:
        return False
    is_column = isinstance(of, ast.Subscript) and isinstance(of.slice, ast.Constant)
    if is_column and isinstance(of, ast.Subscript):
        return last in OF_COLUMNS and kinds.of(of.value) == PANDAS
    return kinds.of(of) == NUMPY


def _has_numbers(node: ast.expr, last: str, kinds: Kinds) -> bool:
    """Whether it is no table, of which NumPy's functions give a number for each column."""
    if isinstance(node, ast.Compare):
        found = {kinds.of(side) for side in (node.left, *node.comparators)}
        return NUMPY in found and PANDAS not in found
    kind = kinds.of(node)
    return kind in (NUMPY, PLAIN) or (last in PLACES and kind != PANDAS)


def _broken_by(notebook: Notebook, step: PipelineStep, name: str) -> Iterator[str]:
    """The code of a step that wants a number, and gets the variable as it has come.

    A metric is one: the step whose code ends with the report of the metrics has to give it.
    """
    cells = notebook.steps[step.name]
    if any(name in cell.names.bound for cell in cells):
        return
    for node in (one for cell in cells for one in cell.nodes):
        given: list[ast.expr | None] = []
        if isinstance(node, ast.Call) and ast.unparse(node.func) in TAKE_NUMBERS:
            given = [inner for one in node.args[:1] for inner in _parts(one)]
        elif isinstance(node, ast.Set):
            given = list(node.elts)
        elif isinstance(node, ast.Dict):
            given = list(node.keys)
        elif isinstance(node, ast.Subscript) and _is_dictionary(notebook, node.value):
            given = [node.slice]
        if any(isinstance(one, ast.Name) and one.id == name for one in given):
            yield ast.unparse(node).splitlines()[0]
    if name in notebook.metrics and _reports(step, name):
        yield f"print({name})"


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    """What a value holds as it is, without what calls make of it."""
    yield node
    if isinstance(node, ast.List | ast.Tuple | ast.Dict):
        inner = node.values if isinstance(node, ast.Dict) else node.elts
        yield from (part for one in inner for part in _parts(one))


def _is_dictionary(notebook: Notebook, node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        node = values_once(notebook).get(node.id, node)
    is_made = isinstance(node, ast.Call) and ast.unparse(node.func) == "dict"
    return is_made or isinstance(node, ast.Dict | ast.DictComp)


RULES = (Rule(numpy_scalar),)
