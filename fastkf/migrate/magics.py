"""Magics and shell commands: old Kale ran them in the steps, today's Kale stops at them."""

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from fastkf.base.python_syntax import parse_python
from fastkf.migrate.draft import Draft, DraftCell
from fastkf.notebook.check.code import is_automagic, is_ipython
from fastkf.notebook.model import Cell

INSTALL = re.compile(
    r"[!%]\s*(?:\S*python\S*\s+-m\s+|\{sys\.executable\}\s+-m\s+)?(?:pip3?|conda|mamba)\s"
)
# What sets the notebook up or shows something: the pipeline does without it.
HARMLESS = re.compile(
    r"%(?:matplotlib|config|load_ext|reload_ext|autoreload|autosave|precision|xmode|pwd|ls|time)\b"
    r"|!\s*(?:ls|pwd|date|head|tail|cat|echo|nvidia-smi|which|free|df)\b"
)
MEASURES = re.compile(r"%(?:timeit|prun|lprun|memit|mprun|who|whos|history)\b")
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


def move_magics(draft: Draft) -> None:
    """Takes magics out of the pipeline into cells tagged skip."""
    for cell in list(draft.code_cells):
        seen = next(view for other, view in draft.pairs() if other is cell)
        if seen.role in (None, "skip", "notebook") or not is_ipython(seen):
            continue
        if is_automagic(cell.source):
            cell.source = f"%{cell.source.strip()}"
        if re.match(r"\s*%%", cell.source) and not PYTHON_CELL.match(cell.source.lstrip()):
            skip_cell(draft, cell, seen)
        elif pieces := split_cell(cell.source):
            replace_cell(draft, cell, seen, pieces)


def skip_cell(draft: Draft, cell: DraftCell, seen: Cell) -> None:
    """The whole cell is in another language, or writes a file: no part of a pipeline."""
    magic = seen.source.strip().splitlines()[0].strip()
    draft.hand_on_tags(cell)
    cell.tags = ["skip"]
    draft.note(cell, f"tagged skip, since `{magic}` is for Jupyter only")
    draft.leave(
        cell,
        f"{where(seen)} ran this `{magic}` cell and no longer does; write in Python what the "
        "pipeline needs of it",
    )


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


def python_of(cell: DraftCell, seen: Cell) -> ast.Module | None:
    """The cell's syntax tree without its magics; None when they cannot be told apart."""
    if seen.tree is not None or not is_ipython(seen):
        return seen.tree
    pieces = split_cell(cell.source)
    code = "".join(piece.text for piece in pieces if not piece.is_magic)
    return parse_python(code) if pieces else None


def replace_cell(draft: Draft, cell: DraftCell, seen: Cell, pieces: list[Piece]) -> None:
    """The pieces as cells; the last of code keeps the outputs."""
    magics = [line for piece in pieces if piece.is_magic for line in read_magics(piece.text)]
    codes = [piece for piece in pieces if not piece.is_magic]
    if not codes:
        draft.hand_on_tags(cell)
        cell.tags = ["skip"]
        draft.note(cell, "tagged skip: it has only magics, which are for Jupyter")
        explain_magics(draft, cell, seen, magics)
        return
    time = re.findall(r"^\s*(%%?time|%%capture)\b", seen.source, re.M)
    names = ", ".join(f"`{line}`" for line in dict.fromkeys([*time, *magics]))
    draft.note(cell, f"now plain Python, without {names}")
    tags, main = cell.tags, [f"step:{seen.step}" if seen.step else str(seen.role)]
    cell.source = codes[-1].text.strip("\n")
    cell.tags = tags if len(codes) == 1 else main
    place = draft.cells.index(cell)
    last = pieces.index(codes[-1])
    for number, piece in enumerate(pieces):
        if number == last:
            continue
        own = ["skip"] if piece.is_magic else tags if piece is codes[0] else main
        made = draft.insert(place + number, piece.text.strip("\n"), own)
        what = "for its magics" if piece.is_magic else "for the code before them"
        draft.note(
            made, f"a new cell {what}, from the cell {'above' if number > last else 'below'}"
        )
        if piece.is_magic:
            explain_magics(draft, made, seen, read_magics(piece.text))


def read_magics(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    return ["".join(lines[start:end]).strip() for start, end in find_lines(lines)]


def explain_magics(draft: Draft, holder: DraftCell, seen: Cell, magics: list[str]) -> None:
    for magic in magics:
        explain_magic(draft, holder, seen, magic)


def explain_magic(draft: Draft, holder: DraftCell, seen: Cell, magic: str) -> None:
    if INSTALL.match(magic):
        draft.installed += [(holder, name) for name in read_packages(magic)]
    elif not (HARMLESS.match(magic) or MEASURES.match(magic)):
        draft.leave(
            holder,
            f"{where(seen)} ran `{magic}` and no longer does; write in Python what the pipeline "
            "needs of it",
        )


def where(seen: Cell) -> str:
    return f"step {seen.step}" if seen.step else f"the {seen.role} cell"


def read_packages(magic: str) -> list[str]:
    """The names of the packages that a `pip install` line installs."""
    try:
        words = shlex.split(magic.replace("\\\n", " "), comments=True)
    except ValueError:
        return []
    if "install" not in words:
        return []
    words = words[words.index("install") + 1 :]
    plain = [w for w in words if not w.startswith("-") and "/" not in w and not w.endswith(".txt")]
    return [re.split(r"[\[<>=!~;@ ]", word)[0] for word in plain]


def comment_out_installs(draft: Draft) -> None:
    """An old notebook, run again, would put old versions into the environment of today."""
    for cell, seen in draft.pairs() if draft.done else []:
        if seen.role != "skip" or cell.source.lstrip().startswith("%%"):
            continue
        lines = cell.source.splitlines(keepends=True)
        found = [
            (start, end)
            for start, end in find_lines(lines)
            if INSTALL.match(lines[start]) and "install" in "".join(lines[start:end])
        ]
        for start, end in found:
            lines[start:end] = [f"# {line}" for line in lines[start:end]]
        if found:
            cell.source = "".join(lines)
            draft.note(cell, "its install commands are comments now; they are for another time")
