"""Magics and shell commands: old Kale ran them in the steps, today's Kale stops at them."""

import ast
import re
import shlex

from fastkf.base.python_syntax import parse_python
from fastkf.migrate.draft import Draft, DraftCell
from fastkf.notebook.check.code import is_automagic, is_ipython
from fastkf.notebook.magics import (
    HARMLESS,
    INSTALL,
    PYTHON_CELL,
    Piece,
    find_lines,
    split_cell,
)
from fastkf.notebook.model import Cell

MEASURES = re.compile(r"%(?:timeit|prun|lprun|memit|mprun|who|whos|history)\b")


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
