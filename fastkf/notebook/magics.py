"""Cells that are for Jupyter in part: their plain Python, and their magics and shell commands."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from fastkf.base.python_syntax import parse_python

INSTALL = re.compile(
    r"[!%]\s*(?:\S*python\S*\s+-m\s+|\{sys\.executable\}\s+-m\s+)?(?:pip3?|conda|mamba)\s"
)
# What sets the notebook up or shows something: the pipeline does without it.
HARMLESS = re.compile(
    r"%(?:matplotlib|config|load_ext|reload_ext|autoreload|autosave|precision|xmode|pwd|ls|time)\b"
    r"|!\s*(?:ls|pwd|date|head|tail|cat|echo|nvidia-smi|which|free|df)\b"
)
LINE = re.compile(r"[%!](?![%=])")
INTERPOLATED = re.compile(r"\{[^}]*\}|\$\w")
TIME = re.compile(r"^(\s*)%time[ \t]+(?=\S)", re.M)
# Cell magics whose cell is plain Python all the same.
PYTHON_CELL = re.compile(r"%%(?:time|capture\b[^\n]*)[ \t]*(?:\n|$)")
MARK = "__fastkf_line_{}__"


@dataclass
class Piece:
    """Neighbouring lines of a cell: Python code, or magics."""

    is_magic: bool
    text: str


def split_cell(source: str) -> list[Piece]:
    """The cell's code and magics in their order; none when they cannot be told apart.

    Magics that no code depends on come first, so that they do not cut the code in two.
    """
    source = PYTHON_CELL.sub("", source.strip(), count=1)
    lines = TIME.sub(r"\1", source).splitlines(keepends=True)
    ends = find_magics(lines)
    if ends is None:
        return []
    first: list[str] = []
    pieces: list[Piece] = []
    number = 0
    while number < len(lines):
        end = ends.get(number, number + 1)
        text, is_magic = "".join(lines[number:end]), number in ends
        if is_magic and can_come_first(text):
            first.append(text)
        elif pieces and pieces[-1].is_magic == is_magic:
            pieces[-1].text += text
        else:
            pieces.append(Piece(is_magic, text))
        number = end
    if first:
        pieces.insert(0, Piece(True, "".join(line.rstrip("\n") + "\n" for line in first)))
    return join_comments(pieces)


def find_lines(lines: list[str]) -> Iterator[tuple[int, int]]:
    """The first line of each magic that begins a line, and the line behind its last."""
    number = 0
    while number < len(lines):
        end = number + 1
        if LINE.match(lines[number]):
            while end < len(lines) and lines[end - 1].rstrip().endswith("\\"):
                end += 1
            yield number, end
        number = end


def find_magics(lines: list[str]) -> dict[int, int] | None:
    """The lines that are magics, not part of a text; None when the rest is not plain Python."""
    ends = dict(find_lines(lines))
    inside = {number for start, end in ends.items() for number in range(start + 1, end)}
    marked = [
        MARK.format(number) + "\n" if number in ends else "\n" if number in inside else line
        for number, line in enumerate(lines)
    ]
    try:
        body = parse_python("".join(marked)).body
    except (SyntaxError, ValueError):
        return None
    found = {n.value.id for n in body if isinstance(n, ast.Expr) and isinstance(n.value, ast.Name)}
    return {start: end for start, end in ends.items() if MARK.format(start) in found}


def can_come_first(magic: str) -> bool:
    is_known = INSTALL.match(magic) or HARMLESS.match(magic)
    return bool(is_known) and not INTERPOLATED.search(magic)


def join_comments(pieces: list[Piece]) -> list[Piece]:
    """Code that is no more than comments goes with the magics beside it."""
    joined: list[Piece] = []
    for piece in pieces:
        is_magic = piece.is_magic or not parse_python(piece.text).body
        if joined and joined[-1].is_magic == is_magic:
            joined[-1].text = joined[-1].text.rstrip("\n") + "\n" + piece.text
        else:
            joined.append(Piece(is_magic, piece.text))
    return joined
