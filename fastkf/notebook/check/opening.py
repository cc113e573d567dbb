"""Which files code opens, by itself and through the functions of the notebook that it calls."""

import ast
from collections.abc import Iterator, Mapping, Set

from fastkf.notebook.check.handed import handed_by, paths_of
from fastkf.notebook.check.opened import OPENERS, gives_own_path, opened_by, text_of
from fastkf.notebook.model import Notebook
from fastkf.notebook.names import last_part, outer_nodes

DEPTH = 5  # of functions that call functions


def opening_functions(notebook: Notebook) -> dict[str, ast.FunctionDef]:
    """The functions of a notebook that may open a file, by name."""
    nodes = [node for c in notebook.code_cells for node in c.statements]
    functions = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
    called = {
        name: {last_part(one.func) for one in ast.walk(node) if isinstance(one, ast.Call)}
        for name, node in functions.items()
    }
    known: Set[str] = OPENERS
    found = set[str]()
    while more := {name for name in functions if called[name] & known} - found:
        found |= more
        known = more
    return {name: functions[name] for name in functions if name in found}


def opened_in(
    tree: ast.AST, texts: dict[str, str], functions: Mapping[str, ast.FunctionDef]
) -> Iterator[tuple[str, bool | None]]:
    """The paths that code opens, each with whether it writes there; None: if it is not there."""
    for node, known in _nodes_in(tree, texts, functions):
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Name) and isinstance(node, ast.Assign):
            path = known.get(target.id)
            if path and gives_own_path(node.value):
                yield path, True
        if isinstance(node, ast.Call):
            yield from opened_by(node, known)


def handed_in(
    tree: ast.AST, texts: dict[str, str], functions: Mapping[str, ast.FunctionDef]
) -> Iterator[str]:
    """The paths where code may put something, or looks what is there, in a way not known here."""
    for node, known in _nodes_in(tree, texts, functions):
        if isinstance(node, ast.Call) and ast.unparse(node.func) not in functions:
            yield from handed_by(node, known)
        elif isinstance(node, ast.List | ast.Tuple | ast.Set):
            yield from paths_of(node.elts, known)


def _nodes_in(
    tree: ast.AST,
    texts: dict[str, str],
    functions: Mapping[str, ast.FunctionDef],
    depth: int = 0,
) -> Iterator[tuple[ast.AST, dict[str, str]]]:
    """The nodes of code and of the functions that it calls, with the texts that are known there."""
    for node in outer_nodes(tree) if depth else ast.walk(tree):
        yield node, texts
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        function = functions.get(node.func.id)
        if function and depth < DEPTH:
            body = ast.Module(function.body, [])
            inner = _texts_inside(function, _texts_given(node, function, texts))
            yield from _nodes_in(body, inner, functions, depth + 1)


def _texts_given(
    call: ast.Call, function: ast.FunctionDef, texts: dict[str, str]
) -> dict[str, str]:
    """The texts that a function knows when it is called: of the notebook, and its arguments."""
    plain = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    only_by_name = [one.arg for one in function.args.kwonlyargs]
    values: dict[str, ast.expr | None] = dict.fromkeys([*plain, *only_by_name])
    values |= dict(zip(reversed(plain), reversed(function.args.defaults), strict=False))
    values |= dict(zip(only_by_name, function.args.kw_defaults, strict=True))
    values |= dict(zip(plain, call.args, strict=False))
    values |= {word.arg: word.value for word in call.keywords if word.arg}
    found = {name: text_of(value, texts) if value else None for name, value in values.items()}
    return _put(texts, found)


def _texts_inside(function: ast.FunctionDef, texts: dict[str, str]) -> dict[str, str]:
    """The same with the variables of the function that are one text."""
    names = [n.id for n in ast.walk(function) if isinstance(n, ast.Name) and _is_bound(n)]
    for node in outer_nodes(ast.Module(function.body, [])):
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Name) and isinstance(node, ast.Assign):
            text = text_of(node.value, texts) if names.count(target.id) == 1 else None
            texts = _put(texts, {target.id: text})
    return texts


def _is_bound(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _put(texts: dict[str, str], found: Mapping[str, str | None]) -> dict[str, str]:
    kept = {name: text for name, text in texts.items() if name not in found}
    return kept | {name: text for name, text in found.items() if text is not None}
