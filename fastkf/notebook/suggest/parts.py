"""The cells of the copy: a notebook's own, taken apart where one cell is several things."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastkf.base.python_syntax import parse_python
from fastkf.notebook.check.code import is_automagic, is_ipython
from fastkf.notebook.check.parameters import explain_parameter
from fastkf.notebook.magics import split_cell
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import IMPORTS, is_name
from fastkf.package.kale import find_break

BRACKETS = (ast.Tuple, ast.List, ast.expr_context)  # of `ONE, TWO = 1, 2`, beside its names


@dataclass(frozen=True)
class Part:
    """A cell of the copy.

    Attributes:
        number: the notebook's cell that it is, or is a part of, from 1.
        node: its JSON.
        view: its code as plain Python, to see which names it makes and uses.
        is_magic: it runs in Jupyter only.
    """

    number: int
    node: Mapping[str, Any]
    view: str
    is_magic: bool = False

    def with_source(self, source: str, is_first: bool, is_last: bool) -> "Part":
        """The part with some of its lines: the first keeps the id, the last the outputs."""
        node = {**self.node, "source": source}
        if not is_first:
            node.pop("id", None)
        if not is_last:
            node |= {"outputs": [], "execution_count": None}
        return replace(self, node=node, view=source)

    def with_lines(self, lines: list[str]) -> "Part":
        """The part with lines at its end, above its last expression, which Jupyter shows."""
        nodes, own = parse_python(self.view).body, self.view.split("\n")
        last = nodes[-1]
        is_shown = isinstance(last, ast.Expr) and not is_call_of(last.value, "print")
        is_alone = len(nodes) < 2 or (nodes[-2].end_lineno or 0) < last.lineno
        place = last.lineno - 1 if is_shown and is_alone else len(own)
        return self.with_source("\n".join([*own[:place], *lines, *own[place:]]), True, True)


def is_call_of(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Call) and is_name(node.func, name)


def take_apart(content: Mapping[str, Any]) -> list[Part]:
    """The cells of a notebook file; magics beside Python get cells of their own."""
    parts: list[Part] = []
    for number, node in enumerate(content["cells"], start=1):
        source = "".join(node.get("source") or "")
        part = Part(number, node, source)
        is_code = node.get("cell_type") == "code"
        parts += _without_magics(part) if is_code else [part]
    return parts


def view_of(notebook: Notebook, parts: list[Part]) -> Notebook:
    """The notebook of the parts, each a cell of a step, with the plain Python of its code."""
    cells = []
    for number, part in enumerate(parts, start=1):
        kind = str(part.node.get("cell_type", "raw"))
        role = "step" if kind == "code" else None
        cells.append(Cell(number, kind, part.view, role=role))
    return Notebook(notebook.path, tuple(cells), notebook.metadata)


def _without_magics(part: Part) -> list[Part]:
    cell = Cell(part.number, "code", part.view)
    if not is_ipython(cell):
        return [part]
    pieces = [] if is_automagic(part.view) else split_cell(part.view)
    if not any(not piece.is_magic for piece in pieces):
        return [replace(part, view=_as_python(part.view), is_magic=True)]
    made = []
    for place, piece in enumerate(pieces):
        is_ends = place == 0, place == len(pieces) - 1
        one = part.with_source(piece.text.strip("\n"), *is_ends)
        made.append(replace(one, view="", is_magic=True) if piece.is_magic else one)
    return made


def _as_python(source: str) -> str:
    """The code that IPython makes of a cell, with the names that its magics give values."""
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(source)


def split_settings(part: Part, changed: frozenset[str]) -> list[Part]:
    """A cell of settings, plain values and lists: the plain ones in a cell of their own.

    Args:
        part: a cell.
        changed: the names that other cells give a value, too, or change.
    """
    cell = Cell(part.number, "code", part.view)
    nodes = cell.statements
    plain = [node for node in nodes if is_parameter(node, changed)]
    others = [node for node in nodes if node not in plain]
    if len(plain) < max(2, len(others)) or not all(is_constant(node, changed) for node in others):
        return [part]
    blocks = list(statement_lines(part.view, nodes))
    if not others or len(blocks) != len(nodes):
        return [part]
    pairs = list(zip(nodes, blocks, strict=True))
    texts = [
        "\n".join(b for n, b in pairs if (n in plain) is is_plain) for is_plain in (True, False)
    ]
    return [part.with_source(texts[0], True, False), part.with_source(texts[1], False, True)]


def is_parameter(node: ast.stmt, changed: frozenset[str]) -> bool:
    """Whether a line could stand in the parameters cell, and no other cell sets its name."""
    value = node.value if isinstance(node, ast.Assign) else None
    text = value.value if isinstance(value, ast.Constant) else None
    if explain_parameter(node) or (isinstance(text, str) and find_break(text)):
        return False
    return not set(_targets(node)) & changed


def is_constant(node: ast.stmt, changed: frozenset[str]) -> bool:
    """A name in capitals with any value, or one with a value that stands there, and stays so."""
    names = list(_targets(node))
    if not names or not isinstance(node, ast.Assign):
        return False
    if all(name.isupper() for name in names):
        return True
    return _is_literal(node.value) and not set(names) & changed


def _targets(node: ast.stmt) -> Iterator[str]:
    """The names that an assignment of nothing but names gives a value."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    parts = [part for target in targets for part in ast.walk(target)]
    names = [part for part in parts if not isinstance(part, BRACKETS)]
    if all(isinstance(name, ast.Name) for name in names):
        yield from (name.id for name in names if isinstance(name, ast.Name))


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def statement_lines(source: str, nodes: list[ast.stmt]) -> Iterator[str]:
    """The lines of each statement, with the comments above it; none where two share a line.

    What comes behind the last statement is in its lines.
    """
    lines, end = source.split("\n"), 0
    for node in nodes:
        if node.lineno <= end:
            return
        last = len(lines) if node is nodes[-1] else node.end_lineno or node.lineno
        yield "\n".join(lines[end:last]).strip("\n")
        end = last


def import_lines(source: str) -> tuple[str, str]:
    """The imports of a cell, and the cell without them; those that share a line stay there, too."""
    nodes = parse_python(source).body
    imports = [node for node in nodes if isinstance(node, IMPORTS)]
    others = {line for node in nodes if node not in imports for line in _lines(node)}
    gone = {line for node in imports for line in _lines(node)} - others
    shared = [node for node in imports if set(_lines(node)) & others]
    gone -= {line for node in shared for line in _lines(node)}
    rest = "\n".join(t for n, t in enumerate(source.split("\n"), 1) if n not in gone).strip("\n")
    return "\n".join(map(ast.unparse, imports)), rest


def _lines(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


HEADING = re.compile(
    r"^#{1,6}[ \t]+([^\n]+?)[ \t]*#*[ \t]*$"
    r"|<h[1-6][^>]*>(.*?)</h[1-6]>"
    r"|^(?![#>*+\-\s|<])([^\n]+)\n(?:={3,}|-{3,})\s*$",
    re.M | re.I | re.S,
)
CODE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)


def headings_of(text: str) -> list[str]:
    """The headings of a text cell: `## Load`, `<h2>Load</h2>`, or a line above `====`."""
    found = [next(filter(None, one), "") for one in HEADING.findall(CODE.sub("", text))]
    return [re.sub(r"<[^>]*>", "", one).strip() for one in found]
