"""Seeds among other code: in a cell of their own they stand before the code of every step."""

import ast
from collections.abc import Collection

from fastkf.notebook.check.seeds import Generators
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import Names
from fastkf.notebook.suggest.parts import Part, is_parameter, statement_lines


def split_seeds(notebook: Notebook, parts: list[Part], roles: Collection[int]) -> list[Part]:
    """The cells, with the seeds apart that lie above all code that draws from their generators.

    Args:
        notebook: a view of the parts.
        parts: its cells.
        roles: the numbers of those that are no cells of steps.
    """
    generators, cells = Generators(notebook), {one.number: one for one in notebook.code_cells}
    seeded = {number: generators.seeded_in(cell.nodes) for number, cell in cells.items()}
    drawn: set[str] = set()
    made: list[Part] = []
    for number, part in enumerate(parts, start=1):
        cell = cells.get(number, Cell(number, "raw", ""))
        drawn |= generators.drawn_in(cell.nodes)
        others = drawn.union(*(found for one, found in seeded.items() if one != number))
        seeds = [one for one in cell.statements if _seeds(one, generators) - others]
        is_apart = number not in roles and not part.is_magic and _can_part(cell, seeds)
        made += _split(part, cell.statements, seeds) if is_apart else [part]
    return made


def _seeds(node: ast.stmt, generators: Generators) -> set[str]:
    """The generators that a statement sets the seed of, and nothing else."""
    return generators.seeded_in([node.value]) if isinstance(node, ast.Expr) else set()


def _can_part(cell: Cell, seeds: list[ast.stmt]) -> bool:
    """Whether the seeds need nothing of the rest, or the rest is parameters, which they find."""
    rest = [node for node in cell.statements if node not in seeds]
    needed = frozenset().union(*(Names.of(node).loaded for node in seeds))
    made = cell.names.bound - cell.names.imported
    are_parameters = all(is_parameter(node, frozenset()) for node in rest)
    return bool(seeds and rest) and (are_parameters or not needed & made)


def _split(part: Part, nodes: list[ast.stmt], seeds: list[ast.stmt]) -> list[Part]:
    lines = list(statement_lines(part.view, nodes))
    if len(lines) != len(nodes):
        return [part]
    pairs = list(zip(nodes, lines, strict=True))
    rest = "\n".join(text for node, text in pairs if node not in seeds)
    alone = "\n".join(text for node, text in pairs if node in seeds)
    return [part.with_source(rest, True, False), part.with_source(alone, False, True)]
