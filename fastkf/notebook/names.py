"""Names in a syntax tree: what a cell binds, changes, uses and imports at its own level."""

import ast
from functools import lru_cache


class _Bindings(ast.NodeVisitor):
    def __init__(self):
        self.bound: set[str] = set()
        self.written: set[str] = set()

    def visit_FunctionDef(self, node):
        self.bound.add(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef
    visit_ClassDef = visit_FunctionDef

    def visit_Lambda(self, node):
        pass

    def visit_comprehension_scope(self, node):
        self.bound |= {n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr)}

    visit_ListComp = visit_SetComp = visit_DictComp = visit_comprehension_scope
    visit_GeneratorExp = visit_comprehension_scope

    def visit_Import(self, node):
        self.bound |= {(name.asname or name.name).split(".")[0] for name in node.names}

    visit_ImportFrom = visit_Import

    def visit_Name(self, node):
        if not isinstance(node.ctx, ast.Load):
            self.bound.add(node.id)

    def visit_Subscript(self, node):
        if not isinstance(node.ctx, ast.Load):
            base = node
            while isinstance(base, ast.Subscript | ast.Attribute):
                base = base.value
            if isinstance(base, ast.Name):
                self.written.add(base.id)
        self.generic_visit(node)

    visit_Attribute = visit_Subscript

    def visit_MatchAs(self, node):
        self.bound |= {node.name} - {None}
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node):
        self.bound |= {node.rest} - {None}
        self.generic_visit(node)


@lru_cache(maxsize=1024)
def _bindings(tree: ast.AST | None) -> _Bindings:
    bindings = _Bindings()
    if tree is not None:
        bindings.visit(tree)
    return bindings


def bound_names(tree: ast.AST | None) -> set[str]:
    """Names that get a value: by assignment, import, def, class, for, with, del and the like."""
    return _bindings(tree).bound


def changed_names(tree: ast.AST | None) -> set[str]:
    """The bound names, and those whose object is written into (`x[0] = 1`, `x.y = 1`)."""
    return _bindings(tree).bound | _bindings(tree).written


@lru_cache(maxsize=1024)
def used_names(tree: ast.AST | None) -> frozenset[str]:
    """All names that occur, those inside functions too."""
    nodes = ast.walk(tree) if tree else ()
    return frozenset(node.id for node in nodes if isinstance(node, ast.Name))


def imported_names(tree: ast.AST | None) -> set[str]:
    """The names that an import binds."""
    nodes = ast.walk(tree) if tree else []
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    return set().union(*map(bound_names, imports))
