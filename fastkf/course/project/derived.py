"""Columns that are made of others in a notebook, and tables of columns, read from its form alone.

What is made over other rows is left out: the delay of the flight before (`shift`, `rolling`) may
well be known. Whether it is, only a person sees.
"""

import ast
from collections.abc import Iterable, Iterator

from fastkf.course.project.expressions import KEEPING, Lists, arguments, call_name, read_texts

OTHER_ROWS = frozenset("shift rolling expanding ewm groupby merge join".split())  # noqa: SIM905
SPLITTING = "train_test_split"


def find_derived(trees: Iterable[ast.Module], late: frozenset[str]) -> dict[str, str]:
    """Columns that are made of those in `late`, however indirectly, each with one of them."""
    made_of: dict[str, list[str]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            for column, value in _list_made(node):
                for name in _mentioned(value):
                    made_of.setdefault(name, []).append(column)
    found, waiting = {one: one for one in late}, sorted(late)
    for name in waiting:  # it grows meanwhile
        new = [one for one in made_of.get(name, ()) if one not in found]
        found |= dict.fromkeys(new, found[name])
        waiting += dict.fromkeys(new)
    return {column: source for column, source in found.items() if column not in late}


def _list_made(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The columns that an assignment or a call makes, each with what it is made of."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            key = target.slice if isinstance(target, ast.Subscript) else None
            key = key.elts[-1] if isinstance(key, ast.Tuple) and key.elts else key  # rows.loc[:, x]
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, node.value
    elif isinstance(node, ast.Call) and call_name(node) == "assign":
        yield from ((word.arg, word.value) for word in node.keywords if word.arg)
    elif isinstance(node, ast.Call) and call_name(node) == "rename":
        for given in arguments(node):
            pairs = (
                zip(given.keys, given.values, strict=True) if isinstance(given, ast.Dict) else ()
            )
            for old, new in pairs:
                if old and isinstance(new, ast.Constant) and isinstance(new.value, str):
                    yield new.value, old


def _mentioned(value: ast.AST) -> set[str]:
    nodes = list(_walk(value))
    if any(isinstance(one, ast.Call) and call_name(one) in OTHER_ROWS for one in nodes):
        return set()
    texts = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return texts | {one.attr for one in nodes if isinstance(one, ast.Attribute)}


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """What an expression is made of, without the table that a column is looked up in."""
    yield node
    parts = ast.iter_child_nodes(node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        parts = iter([node.func]) if node.func.attr == "map" else parts
    for part in parts:
        yield from _walk(part)


def read_tables(nodes: Iterable[ast.AST], lists: Lists) -> dict[str, tuple[str, ...]]:
    """Names to the columns of the tables that they stand for, where each stands for one only."""
    tables: dict[str, tuple[str, ...]] = {}
    several: set[str] = set()
    for node in nodes:
        for name, value in _list_bound(node):
            columns = columns_of(value, lists, tables)
            if tables.get(name, columns) != columns:
                several.add(name)
            elif columns:
                tables[name] = columns
    return {name: columns for name, columns in tables.items() if name not in several}


def _list_bound(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The names that an assignment binds; of a split, each part with what it is a part of."""
    if not isinstance(node, ast.Assign):
        return
    value = node.value
    for target in node.targets:
        if isinstance(target, ast.Name):
            yield target.id, value
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Call):
            parts = value.args if call_name(value) == SPLITTING else []
            for place, one in enumerate(target.elts[: 2 * len(parts)]):
                if isinstance(one, ast.Name):
                    yield one.id, parts[place // 2]


def columns_of(value: ast.AST, lists: Lists, tables: Lists) -> tuple[str, ...]:
    """The columns of a table, where the code says them: `rows[columns]`, or a name for it."""
    if isinstance(value, ast.Name):
        return tables.get(value.id, ())
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        return columns_of(value.func.value, lists, tables) if value.func.attr in KEEPING else ()
    if not isinstance(value, ast.Subscript):
        return ()
    key = value.slice
    if isinstance(key, ast.Tuple) and len(key.elts) == 2:  # rows.loc[which, columns]
        return read_texts(key.elts[1], lists) or read_texts(key, lists) or ()
    return read_texts(key, lists) or ()
