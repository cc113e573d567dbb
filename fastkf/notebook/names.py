"""Names in code: what it binds, changes, uses and imports at its own level.

Python's own `symtable` does not serve: from 3.12 on, where comprehensions are inlined (PEP 709),
it reports their variables as names of the module.
"""

import ast
from dataclasses import dataclass
from typing import Self

Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True)
class Names:
    """The names in a cell or a statement.

    Attributes:
        bound: those that get a value or lose it: by assignment, import, def, class, for, with,
            except, match, del.
        written: those whose object is written into (`x[0] = 1`, `x.y = 1`).
        used: all that occur, those inside functions too.
        imported: those that an import binds, inside functions too.
    """

    bound: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()
    imported: frozenset[str] = frozenset()

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
        used = frozenset(node.id for node in nodes if isinstance(node, ast.Name))
        imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        imported = frozenset(name for node in imports for name in _imported(node))
        return cls(frozenset(visitor.bound), frozenset(visitor.written), used, imported)


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
            base: ast.expr = node
            while isinstance(base, ast.Subscript | ast.Attribute):
                base = base.value
            if isinstance(base, ast.Name):
                self.written.add(base.id)
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
