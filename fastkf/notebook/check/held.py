"""Which of a notebook's own classes the objects are of that an expression gives or holds."""

import ast
from collections.abc import Iterable

from fastkf.notebook.check.kinds import full_name, imported_names
from fastkf.notebook.check.once import once
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import Names

ELEMENTS = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp)
COLLECTIONS = ("list", "tuple", "dict", "set", "sorted")
KEEP_FUNCTIONS = (*COLLECTIONS, "partial", "defaultdict", "vectorize")
LAZY = ("map", "filter")  # the builtins; methods of these names call what they are given
GIVE_THEMSELVES = ("fit", "set_params")


# What pickle asks of an object before it has given it its attributes.
LOADS_ITSELF = ("__setstate__", "__reduce__", "__reduce_ex__", "__getnewargs__")


class Held:
    """The classes and functions of cells: those that every step runs, or those of one step.

    Args:
        cells: the cells.
        notebook: the whole, for what its variables and imported names stand for.

    Attributes:
        classes: names to definitions.
    """

    def __init__(self, cells: Iterable[Cell], notebook: Notebook) -> None:
        nodes = [node for cell in cells for node in cell.statements]
        self.classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
        self._functions = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
        self._names = imported_names(notebook) if self.classes else {}
        self._values = values_once(notebook) if self.classes else {}

    def cannot_load(self, name: str) -> bool:
        """Whether Kale fails to load an object of a class, as it does not know the class yet."""
        return self.is_enum(name) or self._is_estimator(name)

    def is_enum(self, name: str) -> bool:
        bases = [ast.unparse(base) for base in self.classes[name].bases]
        return any(base.endswith(("Enum", "Flag")) for base in bases)

    def is_array(self, name: str) -> bool:
        """Whether an object is saved as a plain array of NumPy."""
        return self._first_base(name) == "numpy.ndarray"

    def asks_without_end(self, name: str) -> str | None:
        """The attribute that `__getattr__` asks for, and so calls itself, while it is not there."""
        node = self.classes[name]
        own = {one.name: one for one in node.body if isinstance(one, ast.FunctionDef)}
        method = own.get("__getattr__")
        if method is None or node.bases or not set(LOADS_ITSELF).isdisjoint(own):
            return None
        inside = list(ast.walk(method))
        if any(isinstance(one, ast.Raise | ast.If | ast.Try) for one in inside):
            return None
        held = Names.of(ast.Module(node.body, [])).bound  # by the class itself
        asked = [
            one.attr
            for one in inside
            if isinstance(one, ast.Attribute) and ast.unparse(one.value) == "self"
        ]
        return next((a for a in asked if a not in held and not a.startswith("__")), None)

    def _first_base(self, name: str) -> str:
        bases = self.classes[name].bases
        return full_name(bases[0], self._names) if bases else ""

    def _is_estimator(self, name: str) -> bool:
        """Kale takes an object for one of a library's by the first base of its class."""
        base = self._first_base(name)
        is_table = base.startswith("pandas.") and base.endswith(("DataFrame", "Series"))
        return is_table or base.startswith("sklearn.")

    def by(self, node: ast.expr, depth: int = 0) -> set[str]:
        """The classes whose objects an expression gives, alone or in a collection."""
        if depth > 20:
            return set()
        if isinstance(node, ast.Name):
            value = self._values.get(node.id)
            return self.by(value, depth + 1) if value else set()
        if isinstance(node, ast.Attribute):
            name = ast.unparse(node.value)
            return {name} if name in self.classes and self.is_enum(name) else set()
        if isinstance(node, ELEMENTS):
            inner = [
                child
                for child in ast.walk(node)
                if isinstance(child, ast.Call | ast.Attribute | ast.Name)
            ]
            outer = [one for one in inner if not _is_inside_other(one, inner)]
            return self._all(outer, depth)
        if isinstance(node, ast.IfExp):
            return self._all([node.body, node.orelse], depth)
        return self._by_call(node, depth) if isinstance(node, ast.Call) else set()

    def _by_call(self, call: ast.Call, depth: int) -> set[str]:
        func = call.func
        last = func.attr if isinstance(func, ast.Attribute) else ast.unparse(func)
        if last in self.classes:
            return {last}
        if isinstance(func, ast.Attribute) and last in GIVE_THEMSELVES:
            return self.by(func.value, depth + 1)
        if last in self._functions:
            nodes = ast.walk(self._functions[last])
            given = [node.value for node in nodes if isinstance(node, ast.Return) and node.value]
            return self._all([one for one in given if not isinstance(one, ast.Name)], depth)
        if last[:1].isupper() or last.startswith("make_") or last in COLLECTIONS:
            return self._all([*call.args, *(word.value for word in call.keywords)], depth)
        return set()

    def _all(self, nodes: Iterable[ast.expr], depth: int) -> set[str]:
        return {name for node in nodes for name in self.by(node, depth + 1)}


@once
def values_once(notebook: Notebook) -> dict[str, ast.expr]:
    """The variables that get a value in one place, with that."""
    found: dict[str, ast.expr] = {}
    bound: list[str] = []
    for cell in notebook.code_cells:
        bound += cell.names.bound
        for node in cell.statements:
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            if isinstance(target, ast.Name) and isinstance(node, ast.Assign):
                bound += [target.id] if target.id in found else []
                found[target.id] = node.value
    return {name: value for name, value in found.items() if bound.count(name) == 1}


def held_lambdas(node: ast.expr) -> list[ast.Lambda]:
    """The lambdas that an expression gives or holds, without those that it only calls."""
    if isinstance(node, ast.Lambda):
        return [node]
    if isinstance(node, ast.Call):
        last = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        is_lazy = last in LAZY and isinstance(node.func, ast.Name)
        if not (last[:1].isupper() or last in KEEP_FUNCTIONS or is_lazy):
            return []
    elif not isinstance(node, (*ELEMENTS, ast.IfExp)):
        return []
    inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    words = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.keyword)]
    inner += [word.value for word in words if word.arg != "key"]
    return [found for child in inner for found in held_lambdas(child)]


def _is_inside_other(node: ast.expr, others: Iterable[ast.expr]) -> bool:
    return any(node is not other and node in ast.walk(other) for other in others)
