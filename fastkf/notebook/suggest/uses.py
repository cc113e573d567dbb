"""What the cells of a notebook without tags need of each other, and what they change."""

import ast
import functools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from fastkf.notebook.check.flow import Definition
from fastkf.notebook.check.mutations import changed_in, values_for, written_in
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import (
    CHANGING,
    CHANGING_ALONE,
    IMPORTS,
    Names,
    last_part,
    outer_nodes,
    root_of,
)
from fastkf.notebook.reading.code import missing_names
from fastkf.notebook.reading.errors import NotPlainError

AWAIT = re.compile(r"\bawait\s+")
LOOPS = (ast.For, ast.While, ast.With)
# Methods that show their object, and leave it as it is.
SHOWING = re.compile(
    r"plot|hist|boxplot|scatter|bar|barh|show|display|draw|imshow|savefig|legend|grid|axis|"
    r"set_\w*(?:title|label|lim|ticks)\w*|title|head|tail|sample|info|describe|summary|nunique|"
    r"value_counts|to_\w+|print\w*|format|close|commit"
)
DRAWS = re.compile(r"(?:matplotlib|seaborn|plotly|altair|bokeh|pylab)\b")
T = TypeVar("T")


def once_a_cell(find: Callable[["Uses", Cell], T]) -> Callable[["Uses", Cell], T]:
    """Makes a method find out once what it is asked of each cell, which is often."""

    @functools.wraps(find)
    def ask(uses: "Uses", cell: Cell) -> T:
        kept = uses.__dict__.setdefault(f"_{find.__name__}", {})
        if cell.number not in kept:
            kept[cell.number] = find(uses, cell)
        found: T = kept[cell.number]
        return found

    return ask


class Uses:
    """The names that cells need from others, and those whose values they make or change.

    Attributes:
        imported: the names of modules, and what is imported from them.
    """

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        cells = notebook.code_cells
        self.imported = frozenset().union(*(cell.names.imported for cell in cells))
        self._of_all = _only_imported(cells)
        self._inside = {
            node.name: _lacking(ast.unparse(node))
            for cell in cells
            for node in cell.statements
            if isinstance(node, Definition)
        }
        self._made_from, self._held = _sources(notebook), _elements(notebook)
        self._fixed = self.imported | _fixed_names(notebook)
        nodes = (node for cell in cells for node in cell.statements)
        self._functions = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
        self._touching = self._find_touching()

    @once_a_cell
    def needs(self, cell: Cell) -> frozenset[str]:
        """The names that a cell uses before it makes them, itself or in functions that it calls."""
        own = _lacking(cell.source) | (cell.names.written - cell.names.bound)
        waiting, found = set(own | (cell.names.used & self._inside.keys())), set[str]()
        while waiting:
            name = waiting.pop()
            found.add(name)
            waiting |= self._inside.get(name, frozenset()) - found
        return frozenset(found - cell.names.bound | own) - self._of_all

    @once_a_cell
    def changes(self, cell: Cell) -> frozenset[str]:
        """The names that a cell makes, and those whose objects it changes, or may change.

        `optimizer.step()` may change the model that the optimizer was made with.
        """
        through = self.changed_through(cell)
        found = changed_in(self._notebook, cell).union(through, *through.values())
        return (found | self.holders_of_changed(cell)) - self._of_all

    @once_a_cell
    def changed_through(self, cell: Cell) -> dict[str, frozenset[str]]:
        """What a cell may change, each with the objects that it was made with."""
        loops = set(_changed_in_loops(cell.tree)) if cell.tree else set[str]()
        found = {name: self._held[name] for name in loops & self._held.keys()}
        for name in set(self._touched_in(cell.tree, self._touching)):
            waiting, reached = {name}, set[str]()
            while waiting:
                one = waiting.pop()
                reached.add(one)
                waiting |= self._made_from.get(one, frozenset()) - reached - self._fixed
            found[name] = found.get(name, frozenset()) | reached - {name}
        return found

    @once_a_cell
    def holders_of_changed(self, cell: Cell) -> frozenset[str]:
        """What holds an object that a cell changes, and would hold an older copy."""
        written = written_in(self._notebook, cell) - self._fixed
        holders = {name for name, held in self._held.items() if held & written}
        above = (one for one in self._notebook.code_cells if one.number <= cell.number)
        return frozenset(holders).intersection(name for one in above for name in one.names.bound)

    def changed_by(self, cells: Iterable[Cell]) -> frozenset[str]:
        return frozenset().union(*map(self.changes, cells))

    def _find_touching(self) -> dict[str, frozenset[str]]:
        """The functions, each with its arguments that it may change."""
        found = dict.fromkeys(self._functions, frozenset[str]())
        for _ in range(2):  # one may call another that is further down
            for name, node in self._functions.items():
                body = ast.Module(node.body, [])
                given = {one.arg for one in (*node.args.posonlyargs, *node.args.args)}
                found[name] = frozenset(given & set(self._touched_in(body, found)))
        return found

    def _touched_in(
        self, tree: ast.AST | None, touching: dict[str, frozenset[str]]
    ) -> Iterator[str]:
        """What calls that nothing is done with may be there for: to change these."""
        for call in _orders(tree):
            root = root_of(call.func) if isinstance(call.func, ast.Attribute) else None
            if root and root not in self._fixed:
                yield root
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)) if tree else ():
            name = call.func.id if isinstance(call.func, ast.Name) else ""
            if touching.get(name):
                node = self._functions[name]
                names = tuple(one.arg for one in (*node.args.posonlyargs, *node.args.args))
                roots = map(root_of, values_for(call, names, touching[name]))
                yield from (root for root in roots if root and root not in self._fixed)


def _orders(tree: ast.AST | None) -> Iterator[ast.Call]:
    """The calls of methods that nothing is done with, and that do not only show something.

    Those that are known to change their own object, and no other, are left out.
    """
    body = tree.body if isinstance(tree, ast.Module) else []
    shown = body[-1:]
    loops = [node for node in outer_nodes(tree) if isinstance(node, LOOPS)] if tree else []
    inner = [node for loop in loops for node in outer_nodes(loop)]
    for node in (*body[:-1], *inner):
        call = node.value if isinstance(node, ast.Expr) else None
        known = CHANGING | CHANGING_ALONE
        if isinstance(call, ast.Call) and node not in shown:
            last = last_part(call.func)
            if last not in known and not SHOWING.fullmatch(last):
                yield call


def _only_imported(cells: Iterable[Cell]) -> frozenset[str]:
    """What cells import and nothing else gives a value: the imports go before all steps."""
    nodes = [node for cell in cells for node in cell.statements]
    imports = [node for node in nodes if isinstance(node, IMPORTS)]
    others = (Names.of(node).bound for node in nodes if node not in imports)
    return frozenset().union(*(Names.of(node).bound for node in imports)).difference(*others)


def _changed_in_loops(tree: ast.AST) -> Iterator[str]:
    """What holds the things that a loop changes: `for table in tables: table["x"] = 1`."""
    for loop in (node for node in outer_nodes(tree) if isinstance(node, ast.For)):
        written = Names.of(ast.Module(loop.body, [])).written
        if written & Names.of(ast.Module([ast.Assign([loop.target], loop.iter)], [])).bound:
            yield from Names.of(ast.Expr(loop.iter)).loaded


def _fixed_names(notebook: Notebook) -> frozenset[str]:
    """The variables that only ever are a number or a text, in which nothing can be changed."""
    found: set[str] = set()
    others: set[str] = set()
    for node in (node for cell in notebook.code_cells for node in cell.statements):
        is_fixed = isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        (found if is_fixed else others).update(Names.of(node).bound)
    return frozenset(found - others)


def _sources(notebook: Notebook) -> dict[str, frozenset[str]]:
    """The variables that a call made, each with those that it was made with.

    A picture is made of copies.
    """
    found: dict[str, frozenset[str]] = {}
    drawing = _drawing(notebook)
    for node in (node for cell in notebook.code_cells for node in cell.statements):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            func = node.value.func
            if root_of(func) in drawing or SHOWING.fullmatch(last_part(func)):
                continue
            given = Names.of(ast.Expr(node.value)).loaded - {root_of(node.value.func)}
            own = {root_of(one.func) for one in ast.walk(node.value) if isinstance(one, ast.Call)}
            names = given | {name for name in own if name}
            for name in Names.of(node).bound:
                found[name] = found.get(name, frozenset()) | names
    return found


def _elements(notebook: Notebook) -> dict[str, frozenset[str]]:
    """The lists, dictionaries and objects of own classes, each with the variables in them.

    Of two names of one object each counts as holding the other.
    """
    found: dict[str, frozenset[str]] = {}
    nodes = [node for cell in notebook.code_cells for node in cell.statements]
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    for node in nodes:
        value = node.value if isinstance(node, ast.Assign) else None
        held = _held_by(value, classes) if value else frozenset[str]()
        for name in Names.of(node).bound if held else ():
            found[name] = found.get(name, frozenset()) | held
            for other in held if isinstance(value, ast.Name) else ():
                found[other] = found.get(other, frozenset()) | {name}
    return found


def _held_by(value: ast.expr, classes: set[str]) -> frozenset[str]:
    if isinstance(value, ast.Name):
        return frozenset({value.id})
    if isinstance(value, ast.Call) and last_part(value.func) in classes:
        return Names.of(ast.Expr(value)).loaded - {root_of(value.func)}
    held: list[ast.expr] = value.values if isinstance(value, ast.Dict) else []
    held = value.elts if isinstance(value, ast.List | ast.Tuple | ast.Set) else held
    return frozenset(one.id for one in held if isinstance(one, ast.Name))


def _drawing(notebook: Notebook) -> frozenset[str]:
    """What is imported of libraries that draw."""
    found: set[str] = set()
    for node in (node for cell in notebook.code_cells for node in cell.statements):
        if isinstance(node, IMPORTS):
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for one in node.names:
                if DRAWS.match(module + one.name):
                    found.add((one.asname or one.name).split(".")[0])
    return frozenset(found)


def _lacking(source: str) -> frozenset[str]:
    """The names that code uses and does not make."""
    try:
        return missing_names(AWAIT.sub("", source))
    except NotPlainError:
        return frozenset()
