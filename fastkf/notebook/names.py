"""Names in code: what it binds, changes, uses and imports at its own level.

Python's own `symtable` does not serve: from 3.12 on, where comprehensions are inlined (PEP 709),
it reports their variables as names of the module.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self, TypeGuard

Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
IMPORTS = (ast.Import, ast.ImportFrom)

# Methods that change their object whatever is done with what they return.
CHANGING = frozenset(
    """
    fit fit_transform fit_predict fit_resample partial_fit pop popitem popleft setdefault
    train_on_batch load_state_dict load_weights set_params
    """.split()  # noqa: SIM905
)
# Methods that change their object where nothing is done with what they return: those of the same
# name that return a new object (`DataFrame.update` and `DataFrame.add`) are told apart by that.
CHANGING_ALONE = frozenset(
    """
    add append appendleft clear compile discard difference_update extend extendleft fill insert
    intersection_update put remove resize reverse rotate shuffle sort subtract
    symmetric_difference_update update writerow writerows write writelines __setitem__
    """.split()  # noqa: SIM905
)
# Functions that change their first argument.
CHANGING_FIRST = frozenset(
    """
    delattr heapify heappop heappush heapreplace insort insort_left insort_right next setattr
    shuffle
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Names:
    """The names in a cell or a statement.

    Attributes:
        bound: those that get a value or lose it: by assignment, import, def, class, for, with,
            except, match, del.
        written: those whose object is written into (`x[0] = 1`, `x.y = 1`, `x.append(1)`).
        used: all that occur, those inside functions too.
        imported: those that an import binds, inside functions too.
        loaded: those whose value is asked for, inside functions too.
    """

    bound: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()
    imported: frozenset[str] = frozenset()
    loaded: frozenset[str] = frozenset()

    @property
    def changed(self) -> frozenset[str]:
        return self.bound | self.written

    @classmethod
    def of(cls, tree: ast.AST | None) -> Self:
        """The names in a syntax tree; none where there is no tree."""
        if tree is None:
            return cls()
        visitor = _Visitor()
        visitor.visit(tree)
        nodes = list(ast.walk(tree))
        outer = list(outer_nodes(tree))
        visitor.written |= {root for node in outer for root in _changed_by(node)}
        aliases = [pair for node in outer for pair in _aliases(node)]
        visitor.written |= {one for one, other in aliases if other in visitor.written}
        used = frozenset(node.id for node in nodes if isinstance(node, ast.Name))
        asked = [n.target if isinstance(n, ast.AugAssign) else n for n in nodes]
        loaded = frozenset(
            n.id
            for n, node in zip(asked, nodes, strict=True)
            if isinstance(n, ast.Name) and (isinstance(n.ctx, ast.Load) or n is not node)
        )
        imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        imported = frozenset(name for node in imports for name in _imported(node))
        return cls(
            frozenset(visitor.bound),
            frozenset(visitor.written),
            used,
            imported,
            loaded,
        )


def _imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    return {(name.asname or name.name).split(".")[0] for name in node.names}


class _Visitor(ast.NodeVisitor):
    """Collects what is bound and written into, without what happens in inner scopes."""

    def __init__(self) -> None:
        self.bound: set[str] = set()
        self.written: set[str] = set()

    def visit_FunctionDef(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    ) -> None:
        self.bound.add(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef
    visit_ClassDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        pass

    def visit_ListComp(self, node: Comprehension) -> None:
        # `:=` binds outside the comprehension that it stands in.
        self.bound |= {n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr)}

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.bound |= _imported(node)

    visit_ImportFrom = visit_Import

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.bound.add(node.id)

    def visit_Subscript(self, node: ast.Subscript | ast.Attribute) -> None:
        if not isinstance(node.ctx, ast.Load):
            base = root_of(node)
            if base:
                self.written.add(base)
        self.generic_visit(node)

    visit_Attribute = visit_Subscript

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._bind(node, node.name)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        self._bind(node, node.name)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self._bind(node, node.rest)

    def _bind(self, node: ast.AST, name: str | None) -> None:
        if name:
            self.bound.add(name)
        self.generic_visit(node)


def root_of(node: ast.expr) -> str | None:
    """The variable that an expression like `x`, `x.y`, `x[0].z` leads into."""
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def last_part(node: ast.expr) -> str:
    """The last part of a dotted name; empty for what is none."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def is_name(node: ast.AST, name: str) -> TypeGuard[ast.Name]:
    """Whether a node is that variable."""
    return isinstance(node, ast.Name) and node.id == name


def is_text(node: ast.AST | None) -> bool:
    """Whether a node is a text that stands in the code."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def outer_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run where the tree runs, which those inside functions do not."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        is_inner = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if not is_inner or node is tree:
            waiting += ast.iter_child_nodes(node)


def _changed_by(node: ast.AST) -> Iterator[str]:
    """The variables whose objects a node changes through methods and functions."""
    if isinstance(node, ast.Expr):
        value = node.value
        alone = [value.elt] if isinstance(value, ast.ListComp | ast.GeneratorExp) else [value]
        for call in alone:
            if isinstance(call, ast.Call) and _method(call) in CHANGING_ALONE:
                yield from _roots(call.func)
    elif isinstance(node, ast.Call):
        if _method(node) in CHANGING or _is_in_place(node):
            yield from _roots(node.func)
        name = node.func.id if isinstance(node.func, ast.Name) else _method(node)
        if name in CHANGING_FIRST and node.args:
            yield from _roots(node.args[0])
    elif isinstance(node, ast.For) and isinstance(node.iter, ast.expr):
        # What is done to the elements is done to what holds them.
        inner = {root for child in ast.walk(node) if child is not node for root in _touched(child)}
        if inner & {name.id for name in ast.walk(node.target) if isinstance(name, ast.Name)}:
            yield from _held_by(node.iter)


def _held_by(node: ast.expr) -> Iterator[str]:
    """What gives a loop's elements: `x`, `[x, y]`, `x.values()`, `enumerate(x)`, `zip(x, y)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        for argument in node.args:
            yield from _held_by(argument)
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        for one in node.elts:
            yield from _roots(one)
    else:
        yield from _roots(node)


def _touched(node: ast.AST) -> Iterator[str]:
    yield from _changed_by(node)
    if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
        yield from _roots(node)


def _roots(node: ast.expr) -> Iterator[str]:
    root = root_of(node.func if isinstance(node, ast.Call) and not node.args else node)
    if root:
        yield root


def _aliases(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Names of one object, each with another that it gets here: `b = a`, `a = b = []`."""
    if isinstance(node, ast.Assign):
        names = [one.id for one in (*node.targets, node.value) if isinstance(one, ast.Name)]
        yield from ((one, other) for one in names for other in names if one != other)


def _method(node: ast.Call) -> str | None:
    return node.func.attr if isinstance(node.func, ast.Attribute) else None


def _is_in_place(node: ast.Call) -> bool:
    return any(
        word.arg == "inplace" and isinstance(word.value, ast.Constant) and word.value.value is True
        for word in node.keywords
    )
