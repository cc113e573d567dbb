"""What kind of value an expression gives, as far as the code tells.

Kale saves a variable by its type (kale/marshal/backends.py), each in a file with an ending of its
own. A kind here is that ending, or one of those that cannot travel; None where the code does not
tell, which is most often.
"""

import ast
import re
from collections.abc import Iterator, Mapping

from fastkf.notebook.check import expressions
from fastkf.notebook.check.calls import (
    AXES,
    CALLS,
    CLASSES,
    DENSE,
    FILE,
    FUNCTION,
    GENERATOR,
    GROUPS,
    HISTORY,
    KEEP_OBJECTS,
    KERAS_MODELS,
    KERAS_PART,
    KERAS_PARTS,
    NUMPY,
    OBJECTS,
    OF_METHODS,
    OF_PANDAS,
    PANDAS,
    PLAIN,
    PREFIXES,
    SEVERAL,
    SKLEARN,
    TABLE_METHODS,
    TF_DATA,
)
from fastkf.notebook.check.once import once
from fastkf.notebook.check.tables import Tables, is_many, whole_of
from fastkf.notebook.model import Notebook
from fastkf.notebook.names import Names

SMALL_LETTERS = ("dict", "collections.defaultdict")  # classes all the same
LITERALS = (
    *(ast.Constant, ast.JoinedStr, ast.List, ast.Dict, ast.Set, ast.Tuple),
    *(ast.ListComp, ast.DictComp, ast.SetComp),
)


class Kinds:
    """The kinds of a notebook's variables, as its cells are read from top to bottom.

    Attributes:
        known: variables to their kinds; those of no known kind are left out.
    """

    def __init__(self, notebook: Notebook) -> None:
        self.known: dict[str, str] = {}
        self._makers: dict[str, str] = {}  # variables to the classes that they were made by
        self._names = imported_names(notebook)
        self._tables = Tables(notebook, self._names)
        self._keeps_tables = any("set_output" in cell.source for cell in notebook.code_cells)
        self._functions = {
            node.name: node
            for cell in notebook.code_cells
            for node in cell.statements
            if isinstance(node, ast.FunctionDef)
        }

    def read(self, tree: ast.Module | None) -> None:
        """Takes in what a cell makes."""
        for node in tree.body if tree else ():
            self._read(node)
            if isinstance(node, ast.AugAssign) and expressions.may_change_kind(node, self.of):
                self.known.pop(ast.unparse(node.target), None)

    def _read(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._assign(target, node.value)
        elif isinstance(node, ast.AnnAssign) and node.value:
            self._assign(node.target, node.value)
        elif isinstance(node, ast.FunctionDef):
            self.known[node.name] = FUNCTION
        elif isinstance(node, ast.With | ast.If | ast.For | ast.Try):
            for item in node.items if isinstance(node, ast.With) else ():
                if item.optional_vars:
                    self._assign(item.optional_vars, item.context_expr)
            for inner in node.body if isinstance(node, ast.With) else ():
                self._read(inner)
            closed = _closed_by(node) if isinstance(node, ast.With) else Names.of(node).bound
            for name in closed:
                self.known.pop(name, None)  # one way or another

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple):
            kinds = dict(self._of_several(target.elts, value))
            for inner in ast.walk(target):
                if isinstance(inner, ast.Name):
                    self._put(inner.id, kinds.get(inner.id), None)
        elif isinstance(target, ast.Name):
            kind, maker = self.of(value), self.maker_of(value)
            self._tables.read(target.id, value)
            self._put(target.id, kind, maker)

    def _put(self, name: str, kind: str | None, maker: str | None) -> None:
        for table, found in ((self.known, kind), (self._makers, maker)):
            table.pop(name, None)
            if found:
                table[name] = found

    def _of_several(
        self, targets: list[ast.expr], value: ast.expr
    ) -> Iterator[tuple[str, str | None]]:
        """The variables that a call gives several values, with the kinds of those."""
        if isinstance(value, ast.Tuple) and expressions.are_pairs(targets, value):
            kinds = [self.of(one) for one in value.elts]
            yield from zip(map(ast.unparse, targets), kinds, strict=True)
        call = value if isinstance(value, ast.Call) else None
        name = self.full_name(call.func) if call else ""
        if call and name.endswith("model_selection.train_test_split"):
            if len(targets) == 2 * len(call.args):
                kinds = [self.of(one) for one in call.args for _ in range(2)]
                yield from zip(map(ast.unparse, targets), kinds, strict=True)
        elif call and name.endswith("pyplot.subplots") and expressions.are_many_axes(call):
            yield ast.unparse(targets[-1]), AXES

    def of(self, node: ast.expr) -> str | None:
        """The kind of what an expression gives."""
        if isinstance(node, ast.GeneratorExp):
            return GENERATOR
        if isinstance(node, ast.Lambda):
            return FUNCTION
        if isinstance(node, LITERALS):
            return PLAIN
        if isinstance(node, ast.Name):
            return self.known.get(node.id)
        if isinstance(node, ast.Subscript):
            return PANDAS if self.of(whole_of(node)) == PANDAS and is_many(node) else None
        if self._tables.are_objects(node):
            return OBJECTS
        if isinstance(node, ast.BinOp | ast.UnaryOp):
            return expressions.kind_of_operation(node, self.of)
        if isinstance(node, ast.Attribute):
            is_table = self.of(node.value) == PANDAS
            return {"values": NUMPY, "T": PANDAS}.get(node.attr) if is_table else None
        return self._of_call(node) if isinstance(node, ast.Call) else None

    def full_name(self, node: ast.expr) -> str:
        return full_name(node, self._names)

    def maker_of(self, node: ast.expr) -> str | None:
        """The class whose object an expression gives: `Ridge()`, `Ridge().fit(x, y)`, `model`."""
        if isinstance(node, ast.Name):
            return self._makers.get(node.id)
        if not isinstance(node, ast.Call):
            return None
        if isinstance(node.func, ast.Attribute) and node.func.attr == "fit":
            return self.maker_of(node.func.value)
        name = self.full_name(node.func)
        if name in self._functions:
            return self._maker_in(self._functions[name])
        is_class = name.rsplit(".", 1)[-1][:1].isupper() or name in SMALL_LETTERS
        return name if is_class or "load_model" in name else None

    def _maker_in(self, function: ast.FunctionDef) -> str | None:
        """The class whose object a function returns, made in it."""
        nodes = list(ast.walk(function))
        made = {
            target.id: node.value
            for node in nodes
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in nodes:
            value = node.value if isinstance(node, ast.Return) else None
            value = made.get(value.id) if isinstance(value, ast.Name) else value
            if isinstance(value, ast.Call) and self.full_name(value.func) not in self._functions:
                return self.maker_of(value)
        return None

    def _of_call(self, call: ast.Call) -> str | None:
        if self.of(call.func) == KERAS_PART and any(self.of(a) == KERAS_PART for a in call.args):
            return KERAS_PART  # what a layer makes of an input of the model
        name = self.full_name(call.func)
        if name in CALLS:
            return CALLS[name]
        if name in self._functions and _yields(self._functions[name]):
            return GENERATOR
        kind = _of_class(name) or _of_objects(name, call)
        if kind or name in SEVERAL:
            return kind
        if kind := _by_prefix(name, PREFIXES):
            return None if kind == NUMPY and expressions.of_table(name, call, self.of) else kind
        if name.startswith("pandas."):
            last = name.removeprefix("pandas.")
            if {word.arg for word in call.keywords} & {"chunksize", "iterator"}:
                return FILE  # read piece by piece
            return PANDAS if last in OF_PANDAS or last.startswith("read_") else None
        if name.startswith("sklearn.") and name.rsplit(".", 1)[-1][:1].isupper():
            return SKLEARN
        if name.startswith("sklearn.pipeline.make_"):
            return SKLEARN
        return self._of_method(call.func) if isinstance(call.func, ast.Attribute) else None

    def _of_method(self, func: ast.Attribute) -> str | None:
        method, inner = func.attr, self.of(func.value)
        if inner in (PANDAS, NUMPY) and method in ("to_numpy", "tolist", "to_dict"):
            return NUMPY if method == "to_numpy" else PLAIN
        if inner == NUMPY and method in expressions.REDUCING:
            return NUMPY
        if inner == PANDAS:
            if method in ("itertuples", "iterrows"):
                return GENERATOR
            if method == "groupby":
                return GROUPS
            return PANDAS if method in TABLE_METHODS else None
        if found := OF_METHODS.get((inner or "", method)):
            return found
        if inner == TF_DATA:
            return TF_DATA
        maker = self.maker_of(func.value) or ""
        if inner == SKLEARN or maker.startswith("sklearn."):
            return self._of_estimator(method, maker)
        is_keras = "keras." in maker and maker.endswith(KERAS_MODELS)
        return HISTORY if method == "fit" and is_keras else None

    def _of_estimator(self, method: str, maker: str) -> str | None:
        if method in ("fit", "set_params"):
            return SKLEARN
        if method == "split":
            return GENERATOR
        if method in ("predict", "predict_proba", "decision_function"):
            return NUMPY
        is_dense = maker.rsplit(".", 1)[-1] in DENSE and not self._keeps_tables
        return NUMPY if method in ("transform", "fit_transform") and is_dense else None


def _of_class(name: str) -> str | None:
    """The kind of an object whose class is in a module of such classes."""
    modules, _, last = name.rpartition(".")
    if not last[:1].isupper():
        modules, _, last = modules.rpartition(".")  # a class's own way to make one
    words = modules.split(".")
    if "keras" in words[:2] and not set(words).isdisjoint(KERAS_PARTS) and last[:1].isupper():
        return KERAS_PART
    return _by_prefix(name, CLASSES) if last[:1].isupper() else None


def _by_prefix(name: str, kinds: Mapping[str, str]) -> str | None:
    return next((kind for prefix, kind in kinds.items() if name.startswith(prefix)), None)


def _of_objects(name: str, call: ast.Call) -> str | None:
    """Whether an array is made for Python objects."""
    types = [ast.unparse(word.value) for word in call.keywords if word.arg == "dtype"]
    first = call.args[0] if call.args else None
    parts = first.elts if isinstance(first, ast.List) and name == "numpy.array" else []
    if not types and any(isinstance(one, ast.Dict) or ast.unparse(one) == "None" for one in parts):
        return OBJECTS
    return OBJECTS if name in KEEP_OBJECTS and {*types} & {"object", "'O'", "'object'"} else None


def full_name(node: ast.expr, names: Mapping[str, str]) -> str:
    """The dotted name of a function, with what its first part was imported as; empty: it is none.

    Args:
        names: as `imported_names` returns them.
    """
    text = ast.unparse(node)
    if not re.fullmatch(r"\w+(\.\w+)*", text):
        return ""
    top, dot, rest = text.partition(".")
    return names.get(top, top) + dot + rest


@once
def imported_names(notebook: Notebook) -> dict[str, str]:
    """Each name that an import of the notebook binds, with the module or object it stands for."""
    names: dict[str, str] = {}
    for cell in notebook.code_cells:
        for node in cell.nodes:
            if isinstance(node, ast.Import):
                names |= {n.asname: n.name for n in node.names if n.asname}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names |= {n.asname or n.name: f"{node.module}.{n.name}" for n in node.names}
    return names


def _closed_by(node: ast.With) -> list[str]:
    """The files that are closed when a block ends, and as such can be saved."""
    opened = [one for one in node.items if ast.unparse(one.context_expr).startswith("open(")]
    return [one.optional_vars.id for one in opened if isinstance(one.optional_vars, ast.Name)]


def _yields(node: ast.FunctionDef) -> bool:
    inside = ast.walk(node) if not node.decorator_list else ()  # such as contextmanager
    return any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in inside)
