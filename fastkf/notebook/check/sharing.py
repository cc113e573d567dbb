"""Through which variables one object is reached: two names of it, or a thing that holds it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from fastkf.notebook.check.calls import NUMPY, PANDAS, PLAIN, SKLEARN
from fastkf.notebook.check.held import GIVE_THEMSELVES
from fastkf.notebook.check.kinds import Kinds, imported_names
from fastkf.notebook.check.mutations import functions_of, values_for
from fastkf.notebook.model import Notebook
from fastkf.notebook.names import last_part, outer_nodes

# What gives another look at an array, and no copy.
VIEWS = ("reshape", "ravel", "view", "squeeze", "transpose", "swapaxes")
VIEWS_OF_FIRST = tuple(f"numpy.{name}" for name in ("asarray", *VIEWS))
PARTIAL = "functools.partial"
PIPELINES = ("sklearn.pipeline.Pipeline", "sklearn.pipeline.make_pipeline")
TAKE_IN = ("append", "appendleft", "insert", "add")
# What follows a dictionary, whatever becomes of it.
FOLLOWS = ("keys", "values", "items")
DICTIONARIES = ("dict", "defaultdict", "OrderedDict", "UserDict")
# Attributes that objects make anew when they are asked for them, or that never change.
COMPUTED = ("values", "T", "index", "columns", "shape", "dtypes", "dtype", "size", "loc", "iloc")
# What makes, of a figure of matplotlib, a part to draw on; and the way back.
MAKES_AXES = ("add_subplot", "add_axes", "gca", "subplots")
GIVES_FIGURE = ("get_figure", "figure")


@dataclass(frozen=True)
class Share:
    """One object that two variables lead to.

    Attributes:
        item: the variable that is the object.
        other: the variable that is it, too, or holds it.
        holds: whether it holds it.
        key: under what it holds it, as code: `'x'`, `.x`; None where the code does not tell.
        only_by_key: whether nothing but what is under that key counts as the object, as in a
            table, whose columns are looked at by themselves.
        method: the other is this method of it: `log = history.append`; or what follows it, with
            the brackets of the call: `names = table.keys()`.
        is_drawn: it is what one draws on, and the other its figure.
        place: the line of the cell that makes it so.
    """

    item: str
    other: str
    place: tuple[int, int]
    holds: bool = False
    key: str | None = None
    only_by_key: bool = False
    method: str | None = None
    is_drawn: bool = False


class Sharing:
    """The objects of a notebook's steps that two variables lead to."""

    def __init__(self, notebook: Notebook) -> None:
        self._kinds = Kinds(notebook)
        self._functions = functions_of(notebook)
        self._imported = set(imported_names(notebook)) | {
            name for cell in notebook.code_cells for name in cell.names.imported
        }
        nodes = (node for cell in notebook.code_cells for node in cell.nodes)
        functions = (one.func for one in nodes if isinstance(one, ast.Call))
        self._called = {one.id for one in functions if isinstance(one, ast.Name)}
        self.by_step: dict[str, list[Share]] = {}
        for cell in notebook.code_cells:
            for statement in cell.statements:
                place = (cell.number, statement.lineno)
                if cell.step:
                    found = self.by_step.setdefault(cell.step, [])
                    for node in outer_nodes(statement):
                        found += self._made_by(node, place)
                self._kinds.read(ast.Module([statement], []))

    def _made_by(self, node: ast.AST, place: tuple[int, int]) -> Iterator[Share]:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [one.id for one in targets if isinstance(one, ast.Name)]
            for name in names:
                yield from (Share(name, other, place) for other in names if other != name)
                yield from self._of_value(name, node.value, place)
            for target in targets:
                if isinstance(node.value, ast.Name):
                    yield from self._put_into(target, node.value.id, place)
                yield from self._figure_of(target, node.value, place)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            func, given = node.value.func, node.value.args[-1:]
            is_taking = isinstance(func, ast.Attribute) and func.attr in TAKE_IN
            if is_taking and given and isinstance(given[0], ast.Name):
                holder = func.value if isinstance(func, ast.Attribute) else func
                if self._kinds.of(holder) == PLAIN and isinstance(holder, ast.Name):
                    yield Share(given[0].id, holder.id, place, holds=True)

    def _put_into(self, target: ast.expr, item: str, place: tuple[int, int]) -> Iterator[Share]:
        """Of `d["x"] = item` and `one.x = item`; a table and an array copy what they take."""
        holder = getattr(target, "value", None)
        if not isinstance(holder, ast.Name) or holder.id in self._imported:
            return
        if isinstance(target, ast.Subscript):
            if self._is_dictionary(holder):
                yield Share(item, holder.id, place, True, _key(target))
        elif isinstance(target, ast.Attribute) and self._kinds.of(holder) not in (PANDAS, NUMPY):
            yield Share(item, holder.id, place, True, _key(target))

    def _of_value(self, name: str, value: ast.expr, place: tuple[int, int]) -> Iterator[Share]:
        """What a variable has in common with others that its value is made of."""
        for other in self._same_as(value):
            if other != name:
                yield Share(name, other, place)
                yield Share(other, name, place)
        for item, key in self._held_by(value):
            if item != name:
                yield Share(item, name, place, True, key)
        yield from self._part_of(name, value, place)

    def _same_as(self, value: ast.expr) -> Iterator[str]:
        """The variables whose object a value is."""
        if isinstance(value, ast.Name):
            yield value.id
        elif isinstance(value, ast.Call):
            yield from self._given_back(value)
        elif isinstance(value, ast.Subscript | ast.Attribute) and self._is_array(value.value):
            if isinstance(value, ast.Attribute):
                yield from self._same_as(value.value) if value.attr == "T" else ()
            elif _is_slice(value.slice):
                yield from self._same_as(value.value)

    def _given_back(self, call: ast.Call) -> Iterator[str]:
        func = call.func
        function = self._functions.get(func.id) if isinstance(func, ast.Name) else None
        if function:
            for given in values_for(call, function.arguments, function.returns):
                yield from self._same_as(given) if isinstance(given, ast.Name) else ()
        elif self._kinds.full_name(func) in VIEWS_OF_FIRST:
            yield from self._same_as(call.args[0]) if self._is_array(*call.args[:1]) else ()
        elif isinstance(func, ast.Attribute):
            kind = self._kinds.of(func.value)
            is_view = kind == NUMPY and func.attr in VIEWS
            if is_view or (kind == SKLEARN and func.attr in GIVE_THEMSELVES):
                yield from self._same_as(func.value)

    def _is_array(self, node: ast.expr | None = None) -> bool:
        return isinstance(node, ast.Name) and self._kinds.of(node) == NUMPY

    def _held_by(self, value: ast.expr) -> Iterator[tuple[str, str | None]]:
        """The variables that a value holds, each with the key."""
        pairs: list[tuple[ast.AST, str | None]] = []
        if isinstance(value, ast.List | ast.Tuple | ast.Set):
            pairs = [(one, str(place)) for place, one in enumerate(value.elts)]
        elif isinstance(value, ast.Dict):
            keys = [ast.unparse(one) if one else None for one in value.keys]
            pairs = list(zip(value.values, keys, strict=True))
        elif isinstance(value, ast.Call) and self._kinds.full_name(value.func) == "dict":
            pairs = [(word.value, repr(word.arg)) for word in value.keywords if word.arg]
        elif isinstance(value, ast.Call) and self._kinds.full_name(value.func) in PIPELINES:
            pairs = [(one, None) for arg in value.args for one in ast.walk(arg)]
        yield from ((one.id, key) for one, key in pairs if isinstance(one, ast.Name))

    def _part_of(self, name: str, value: ast.expr, place: tuple[int, int]) -> Iterator[Share]:
        """Of `name = d["x"]` and `name = one.x`, `partial(one.x, 2)` and `name = d.keys()`."""
        if isinstance(value, ast.Call) and not (value.args or value.keywords):
            yield from self._followed(name, value.func, place)
            return
        if isinstance(value, ast.Call) and self._kinds.full_name(value.func) == PARTIAL:
            value = value.args[0]
        is_column = isinstance(value, ast.Attribute) and value.attr == "values"
        if is_column and isinstance(value, ast.Attribute):
            value = value.value
        holder = getattr(value, "value", None)
        if not isinstance(holder, ast.Name) or holder.id in (name, *self._imported):
            return
        kind = self._kinds.of(holder)
        if isinstance(value, ast.Attribute) and self._is_method(name, value, holder):
            yield Share(holder.id, name, place, holds=True, method=value.attr)
            return
        if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant):
            is_table = kind not in (PLAIN, NUMPY)
            yield Share(name, holder.id, place, True, _key(value), is_table)
        is_attribute = isinstance(value, ast.Attribute) and value.attr not in COMPUTED
        if is_attribute and not is_column and kind not in (PANDAS, NUMPY):
            yield Share(name, holder.id, place, True, _key(value), kind is None)

    def _followed(self, name: str, func: ast.expr, place: tuple[int, int]) -> Iterator[Share]:
        of = func.value if isinstance(func, ast.Attribute) else None
        if isinstance(of, ast.Name) and last_part(func) in FOLLOWS and self._is_dictionary(of):
            yield Share(of.id, name, place, holds=True, method=f"{last_part(func)}()")

    def _is_dictionary(self, node: ast.Name) -> bool:
        made = (self._kinds.maker_of(node) or "").rsplit(".", 1)[-1]
        return self._kinds.of(node) == PLAIN or made in DICTIONARIES

    def _is_method(self, name: str, value: ast.Attribute, holder: ast.Name) -> bool:
        """Whether an attribute is a method of a variable's object: it is called by its new name."""
        is_object = self._kinds.of(holder) or self._kinds.maker_of(holder)
        return bool(is_object) and name in self._called and value.attr not in COMPUTED

    def _figure_of(
        self, target: ast.expr, value: ast.expr, place: tuple[int, int]
    ) -> Iterator[Share]:
        """Of `fig, ax = plt.subplots()`, `ax = fig.add_subplot()` and `fig = ax.get_figure()`."""
        call = value.func if isinstance(value, ast.Call) else value
        of = call.value if isinstance(call, ast.Attribute) else None
        last = last_part(call)
        names = [one.id for one in ast.walk(target) if isinstance(one, ast.Name)]
        if last == "subplots" and isinstance(target, ast.Tuple) and len(target.elts) == 2:
            pairs = [(one, names[0]) for one in names[1:]]
        elif isinstance(of, ast.Name) and of.id not in self._imported:
            pairs = [(one, of.id) for one in names if last in MAKES_AXES]
            pairs += [(of.id, one) for one in names if last in GIVES_FIGURE]
        else:
            pairs = []
        yield from (Share(one, figure, place, holds=True, is_drawn=True) for one, figure in pairs)


def _key(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return f".{node.attr}"
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return ast.unparse(node.slice)
    return None


def _is_slice(node: ast.expr) -> bool:
    """Whether a part of an array is a look at it: a slice, or several parts with one."""
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    plain = (ast.Slice, ast.Constant)
    return all(isinstance(one, plain) for one in parts) and any(
        isinstance(one, ast.Slice) for one in parts
    )
