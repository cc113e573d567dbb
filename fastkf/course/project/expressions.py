"""What an expression says about rows and columns, by its form alone."""

import ast
import copy
from collections.abc import Iterable, Mapping

Lists = Mapping[str, tuple[str, ...]]  # names to the texts in the lists that they stand for

# Methods of a table that return all of its rows, or nearly all.
KEEPING = frozenset(
    """
    copy to_numpy fillna dropna astype assign rename merge join reset_index sort_values set_index
    convert_dtypes round replace
    """.split()  # noqa: SIM905
)
# And those that return some of them, so that what they are given says which.
CHOOSING = frozenset("drop query sample head tail filter get isin where groupby".split())  # noqa: SIM905
# What a transformer returns has the rows that it was given.
TRANSFORMING = frozenset({"transform", "fit_transform"})


def call_name(call: ast.Call) -> str:
    """The last word of what is called, or the word that getattr is given for it."""
    function = call.func
    if isinstance(function, ast.Call) and call_name(function) == "getattr":
        named = function.args[1] if len(function.args) > 1 else None
        return str(named.value) if isinstance(named, ast.Constant) else ""
    return str(getattr(function, "attr", getattr(function, "id", "")))


def find_callers(trees: Iterable[ast.Module], names: frozenset[str]) -> frozenset[str]:
    """The names, those that stand for one of them, and the notebook's functions that call one."""
    callers: dict[str, set[str]] = {}
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for called in _list_called(node):
                callers.setdefault(called, set()).add(node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            for called in _list_given(node.value):
                callers.setdefault(called, set()).add(node.targets[0].id)
    found, waiting = set(names), list(names)
    for name in waiting:  # it grows meanwhile
        new = callers.get(name, set()) - found
        found |= new
        waiting += new
    return frozenset(found)


def _list_called(node: ast.AST) -> set[str]:
    return {call_name(one) for one in ast.walk(node) if isinstance(one, ast.Call)}


def _list_given(value: ast.AST) -> set[str]:
    """What a name calls that stands for a method (model.fit) or a lambda."""
    if isinstance(value, ast.Attribute):
        return {value.attr}
    return _list_called(value.body) if isinstance(value, ast.Lambda) else set()


class _Parts(ast.NodeTransformer):
    """Puts what is in a dictionary in the place of `parts["train"]`.

    Args:
        dictionaries: names to the values at the keys of the dictionaries that they stand for.
    """

    def __init__(self, dictionaries: Mapping[str, Mapping[object, ast.expr]]):
        self._dictionaries = dictionaries

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if not (isinstance(node.value, ast.Name) and isinstance(node.slice, ast.Constant)):
            return node
        parts = self._dictionaries.get(node.value.id, {})
        found = parts.get(node.slice.value) if isinstance(node.ctx, ast.Load) else None
        return found or node


def read_dictionaries(
    nodes: Iterable[ast.AST], bindings: Mapping[str, int]
) -> dict[str, dict[object, ast.expr]]:
    """The dictionaries that names stand for which are bound once, where the code says them."""
    found: dict[str, dict[object, ast.expr]] = {}
    for node in nodes:
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)):
            continue
        target, parts = node.targets[0], zip(node.value.keys, node.value.values, strict=True)
        if isinstance(target, ast.Name) and bindings.get(target.id) == 1:
            found[target.id] = {k.value: v for k, v in parts if isinstance(k, ast.Constant)}
    return found


def replace_parts(node: ast.AST, dictionaries: Mapping[str, Mapping[object, ast.expr]]) -> ast.AST:
    """A statement with the parts of dictionaries in the place of their keys."""
    found: ast.AST = _Parts(dictionaries).visit(copy.deepcopy(node))
    return found


def find_sources(value: ast.AST) -> set[str]:
    """The names that rows in an expression come from; what only chooses among rows is none."""
    if isinstance(value, ast.Name):
        return {value.id}
    if isinstance(value, ast.Subscript | ast.Attribute | ast.Starred):
        return find_sources(value.value)
    if isinstance(value, ast.List | ast.Tuple):
        return set().union(*map(find_sources, value.elts))
    if isinstance(value, ast.Dict):
        return set().union(*map(find_sources, value.values))
    if not isinstance(value, ast.Call):
        return set()
    own = find_sources(value.func.value) if isinstance(value.func, ast.Attribute) else set()
    if call_name(value) in KEEPING | CHOOSING:
        return own
    return own.union(*map(find_sources, arguments(value)))


def arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(word.value for word in call.keywords)]


def keeps_all_rows(value: ast.AST, whole: set[str], lists: Lists) -> bool:
    """Whether an expression has all rows of a table in `whole`, as far as its form says."""
    if isinstance(value, ast.Name):
        return value.id in whole
    if isinstance(value, ast.Subscript):
        is_columns = read_texts(value.slice, lists) is not None
        return is_columns and keeps_all_rows(value.value, whole, lists)
    if isinstance(value, ast.Attribute):
        return keeps_all_rows(value.value, whole, lists)
    if isinstance(value, ast.Call) and call_name(value) in TRANSFORMING:
        return any(keeps_all_rows(one, whole, lists) for one in value.args)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        words = {word.arg for word in value.keywords}
        keeps = value.func.attr in KEEPING or (value.func.attr == "drop" and "columns" in words)
        return keeps and keeps_all_rows(value.func.value, whole, lists)
    return False


def read_texts(value: ast.AST, lists: Lists) -> tuple[str, ...] | None:
    """The texts in an expression that is a list of them, or a sum of lists; None: it is none."""
    if isinstance(value, ast.Constant):
        return (value.value,) if isinstance(value.value, str) else None
    if isinstance(value, ast.Name):
        return lists.get(value.id)
    if isinstance(value, ast.Starred):
        return read_texts(value.value, lists)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        parts = [read_texts(value.left, lists), read_texts(value.right, lists)]
    elif isinstance(value, ast.List | ast.Tuple):
        parts = [read_texts(one, lists) for one in value.elts]
    else:
        return None
    return None if None in parts else tuple(text for part in parts for text in part or ())
