"""The statements of a notebook, one after the other, as the criteria look at them."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from fastkf.course.project.expressions import read_dictionaries, read_texts, replace_parts
from fastkf.notebook.model import Cell
from fastkf.notebook.names import Names

LOOPS = (ast.For, ast.While, ast.AsyncFor)
REPEATED = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


@dataclass(frozen=True)
class Place:
    """A statement, or the head of one that has others inside.

    Attributes:
        nodes: the parts of it that are looked at.
        looped: whether it may be carried out many times.
    """

    cell: Cell
    nodes: tuple[ast.AST, ...]
    looped: bool

    @property
    def step(self) -> str:
        """The step that it belongs to, or the cell, of an exploration."""
        return self.cell.step or self.cell.label

    @property
    def names(self) -> list[Names]:
        return [Names.of(node) for node in self.nodes]

    @property
    def bound(self) -> frozenset[str]:
        return frozenset().union(*(one.changed for one in self.names))

    @property
    def loaded(self) -> frozenset[str]:
        return frozenset().union(*(one.loaded for one in self.names))

    @property
    def calls(self) -> Iterator[tuple[ast.Call, bool]]:
        """The calls in it, each with whether it may be carried out many times."""
        for node in self.nodes:
            inner = {
                id(call)
                for loop in ast.walk(node)
                if isinstance(loop, REPEATED)
                for call in ast.walk(loop)
            }
            for call in ast.walk(node):
                if isinstance(call, ast.Call):
                    yield call, self.looped or id(call) in inner


def count_bindings(places: Iterable[Place]) -> Counter[str]:
    """How often each name is bound."""
    return Counter(name for place in places for name in place.bound)


def take_apart(places: list[Place]) -> list[Place]:
    """The places, with `train` in the place of `parts["train"]` where a dictionary has it."""
    nodes = [node for place in places for node in place.nodes]
    known = read_dictionaries(nodes, count_bindings(places))
    return [
        replace(place, nodes=tuple(replace_parts(node, known) for node in place.nodes))
        if place.loaded & known.keys()
        else place
        for place in places
    ]


def list_places(cell: Cell) -> Iterator[Place]:
    """The statements of a cell, those inside others too, without those of functions."""
    yield from _unfold(cell, cell.statements, False)


def _unfold(cell: Cell, body: Iterable[ast.stmt], looped: bool) -> Iterator[Place]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        inner = [part for _, part in ast.iter_fields(node) if _is_body(part)]
        handlers = getattr(node, "handlers", [])
        if not inner:
            yield Place(cell, (node,), looped)
            continue
        heads = [
            part
            for part in ast.iter_child_nodes(node)
            if not isinstance(part, ast.stmt | ast.ExceptHandler)
        ]
        again = looped or isinstance(node, LOOPS)
        if isinstance(node, ast.For | ast.AsyncFor):
            head: tuple[ast.AST, ...] = (
                ast.Assign(targets=[node.target], value=node.iter, lineno=node.lineno),
            )
        else:
            head = tuple(heads)
        yield Place(cell, head, looped)
        for part in [*inner, *(handler.body for handler in handlers)]:
            yield from _unfold(cell, part, again)


def _is_body(part: object) -> bool:
    return isinstance(part, list) and bool(part) and isinstance(part[0], ast.stmt)


def find_constants(places: Iterable[Place]) -> dict[str, Any]:
    """Names that are set to a number or a text, and to which: a seed, a share, no rows."""
    return {
        name: node.value.value
        for place in places
        for node in place.nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for name in Names.of(node).bound
    }


def read_lists(places: Iterable[Place]) -> dict[str, tuple[str, ...]]:
    """Names to the texts of the lists that they stand for, where the notebook says them."""
    lists: dict[str, tuple[str, ...]] = {}
    for place in places:
        for node in place.nodes:
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                texts = read_texts(node.value, lists)
                if texts and isinstance(node.targets[0], ast.Name):
                    lists[node.targets[0].id] = texts
    return lists
