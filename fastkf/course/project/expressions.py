"""What an expression says about rows and columns, by its form alone."""

import ast
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
    """The last word of what is called."""
    return str(getattr(call.func, "attr", getattr(call.func, "id", "")))


def find_callers(trees: Iterable[ast.Module], names: frozenset[str]) -> frozenset[str]:
    """The names, and the notebook's own functions that call one of them."""
    callers: dict[str, set[str]] = {}
    for tree in trees:
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Call):
                        callers.setdefault(call_name(node), set()).add(function.name)
    found, waiting = set(names), list(names)
    for name in waiting:  # it grows meanwhile
        new = callers.get(name, set()) - found
        found |= new
        waiting += new
    return frozenset(found)


def find_sources(value: ast.AST) -> set[str]:
    """The names that rows in an expression come from; what only chooses among rows is none."""
    if isinstance(value, ast.Name):
        return {value.id}
    if isinstance(value, ast.Subscript | ast.Attribute | ast.Starred):
        return find_sources(value.value)
    if isinstance(value, ast.List | ast.Tuple):
        return set().union(*map(find_sources, value.elts))
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
