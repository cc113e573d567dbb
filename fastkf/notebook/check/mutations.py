"""What cells change in the objects of variables, by themselves and through functions they call."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from fastkf.notebook.check.once import once
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import Names, last_part, outer_nodes, root_of

ROLES = ("imports", "functions", "step")


class Function(NamedTuple):
    """A function of a notebook: its arguments, and what it does with them.

    Attributes:
        kept: those that it gives no other value.
        changes: those whose objects it writes into.
        returns: those that it gives back.
    """

    arguments: tuple[str, ...]
    kept: frozenset[str]
    changes: frozenset[str]
    returns: frozenset[str]


def written_in(notebook: Notebook, cell: Cell) -> frozenset[str]:
    """The variables whose objects a cell writes into."""
    functions, objects, counting = functions_of(notebook), objects_of(notebook), _counting(notebook)
    if not (objects or counting or any(function.changes for function in functions.values())):
        return cell.names.written
    through: set[str] = set()
    for call, local in _calls_in(cell.tree) if cell.tree else ():
        changed = {*changed_by_call(call, functions), *_changed_by_method(call, objects)}
        called = {call.func.id} if isinstance(call.func, ast.Name) else set()
        through |= (changed | (called & counting)) - local
    return cell.names.written | through


def _calls_in(
    tree: ast.AST, local: frozenset[str] = frozenset()
) -> Iterator[tuple[ast.Call, frozenset[str]]]:
    """The calls in code, each with the names that are a function's own there."""
    for node in outer_nodes(tree):
        if isinstance(node, ast.Call):
            yield node, local
        if node is not tree and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = {one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)}
            own = arguments | Names.of(ast.Module(node.body, [])).bound
            yield from _calls_in(node, local | own)


def changed_in(notebook: Notebook, cell: Cell) -> frozenset[str]:
    """The variables that a cell makes, and those whose objects it writes into."""
    return cell.names.bound | written_in(notebook, cell)


def _statements_of(notebook: Notebook) -> list[ast.stmt]:
    cells = [cell for cell in notebook.code_cells if cell.role in ROLES]
    return [node for cell in cells for node in cell.statements]


@once
def objects_of(notebook: Notebook) -> Mapping[str, frozenset[str]]:
    """The objects of the notebook's own classes, with the methods that change them."""
    nodes = _statements_of(notebook)
    changing: dict[str, frozenset[str]] = {}
    for of_class in (one for one in nodes if isinstance(one, ast.ClassDef)):
        own = {one.name for one in of_class.body if isinstance(one, ast.FunctionDef)}
        inherited = (changing.get(ast.unparse(base), frozenset()) - own for base in of_class.bases)
        changing[of_class.name] = _changing_methods(of_class).union(*inherited)
    made: dict[str, set[str]] = {}
    for node in nodes if any(changing.values()) else ():
        value = node.value if isinstance(node, ast.Assign) else None
        maker = ast.unparse(value.func) if isinstance(value, ast.Call) else ""
        for name in Names.of(node).bound:
            made.setdefault(name, set()).add(maker)
    of_one = {name: makers.pop() for name, makers in made.items() if len(makers) == 1}
    return {name: changing[maker] for name, maker in of_one.items() if changing.get(maker)}


def _changing_methods(node: ast.ClassDef) -> frozenset[str]:
    """The methods that write into their object, by themselves and through others."""
    methods = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.args.args]
    found = frozenset[str]()
    for _ in range(2):
        for method in methods:
            own = method.args.args[0].arg
            through = (f"{own}.{name}" for name in found)
            calls = {ast.unparse(one.func) for one in ast.walk(method) if isinstance(one, ast.Call)}
            writes = own in Names.of(ast.Module(method.body, [])).written
            if writes or not calls.isdisjoint(through):
                found |= {method.name}
    return found


def _changed_by_method(call: ast.Call, objects: Mapping[str, frozenset[str]]) -> Iterator[str]:
    func = call.func
    of = func.value if isinstance(func, ast.Attribute) else None
    if isinstance(of, ast.Name) and last_part(func) in objects.get(of.id, ()):
        yield of.id


@once
def _counting(notebook: Notebook) -> frozenset[str]:
    return functions_that_count(_statements_of(notebook))


def functions_that_count(statements: Iterable[ast.stmt]) -> frozenset[str]:
    """The functions that keep something from call to call, made by a function: `count = make()`."""
    nodes = list(statements)
    makers = {
        one.name
        for one in nodes
        if isinstance(one, ast.FunctionDef)
        and any(isinstance(inner, ast.Nonlocal) for inner in ast.walk(one))
    }
    return frozenset(
        target.id
        for one in nodes
        if isinstance(one, ast.Assign) and isinstance(one.value, ast.Call)
        for target in one.targets
        if isinstance(target, ast.Name) and ast.unparse(one.value.func) in makers
    )


@once
def functions_of(notebook: Notebook) -> Mapping[str, Function]:
    """The functions of a notebook by name."""
    nodes = [one for one in _statements_of(notebook) if isinstance(one, ast.FunctionDef)]
    found = {node.name: _look_at(node) for node in nodes}
    calls = {
        node.name: [one for one in ast.walk(node) if isinstance(one, ast.Call)] for node in nodes
    }
    for _ in range(2):  # a function may change an argument through one that is further down
        for name, function in found.items():
            through = {one for call in calls[name] for one in changed_by_call(call, found)}
            changed = function.changes | (through & function.kept)
            found[name] = function._replace(changes=changed)
    return found


def _look_at(node: ast.FunctionDef) -> Function:
    arguments = tuple(one.arg for one in (*node.args.posonlyargs, *node.args.args))
    body = ast.Module(node.body, [])
    names = Names.of(body)
    kept = frozenset({*arguments, *(one.arg for one in node.args.kwonlyargs)} - names.bound)
    values = [one.value for one in ast.walk(body) if isinstance(one, ast.Return)]
    returned = {value.id for value in values if isinstance(value, ast.Name)}
    return Function(arguments, kept, kept & names.written, kept & returned)


def changed_by_call(call: ast.Call, functions: Mapping[str, Function]) -> Iterator[str]:
    """The variables whose objects a call of a function of the notebook changes."""
    function = functions.get(call.func.id) if isinstance(call.func, ast.Name) else None
    if function:
        yield from _roots(values_for(call, function.arguments, function.changes))


def values_for(
    call: ast.Call, arguments: tuple[str, ...], wanted: frozenset[str]
) -> Iterator[ast.expr]:
    """What a call gives to some arguments of a function."""
    for name, value in zip(arguments, call.args, strict=False):
        if isinstance(value, ast.Starred):
            return
        if name in wanted:
            yield value
    yield from (word.value for word in call.keywords if word.arg in wanted)


def _roots(values: Iterable[ast.expr]) -> Iterator[str]:
    yield from (root for value in values if (root := root_of(value)))
