"""Turns a notebook for Kale before 2.0 into one that today's Kale compiles."""

import copy
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.files import write_text
from fastkf.base.outputs import cannot_be_written, write_named
from fastkf.migrate.draft import Draft, Note, read_draft
from fastkf.migrate.imports import gather_imports, tag_first_imports
from fastkf.migrate.magics import comment_out_installs, move_magics
from fastkf.migrate.settings import MISSPELT, translate_settings
from fastkf.migrate.tags import is_tag_of_any_kale, translate_tags
from fastkf.notebook.check import Severity, check
from fastkf.notebook.check.modules import installed_packages
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.model import KALE_METADATA


@dataclass(frozen=True)
class Migration:
    """A migrated notebook, not yet written.

    Attributes:
        text: the new file.
        done: what was changed, a line each; none: the notebook was current already.
        left: what a person has to do, a line each.
        compiles: whether today's Kale and KFP turn it into a package.
    """

    text: str
    done: list[str]
    left: list[str]
    compiles: bool


def migrate(old: Path, new: Path) -> Migration:
    """Migrates a notebook that is to be written to the path `new`.

    Raises:
        FastkfError: there is no such file, it is no notebook, or it has nothing of Kale in it.
    """
    draft = read_draft(old)
    if not has_kale(draft):
        raise FastkfError(
            f"{old}: no cell has a Kale tag and the metadata have no {KALE_METADATA}, so there is "
            "nothing to migrate",
            "tag the cells (imports, functions, step:NAME), as lab 01_first_pipeline shows",
        )
    before = copy.deepcopy((draft.content, [cell.node for cell in draft.cells]))
    translate(draft)
    if before == (draft.content, [cell.node for cell in draft.cells]):
        draft.done.clear()
    compiles = check_result(draft, new)
    return Migration(
        draft.to_json(),
        [describe_change(draft, note) for note in in_order(draft, draft.done)],
        [describe(draft, note) for note in in_order(draft, draft.left)],
        compiles,
    )


def translate(draft: Draft) -> None:
    """The whole translation, step by step; each one builds on those before it."""
    translate_tags(draft)
    tag_first_imports(draft)
    move_magics(draft)
    gather_imports(draft)
    translate_settings(draft)
    comment_out_installs(draft)


def has_kale(draft: Draft) -> bool:
    tags = [tag for cell in draft.code_cells for tag in cell.tags if tag not in ("in", "out")]
    keys = {KALE_METADATA, MISSPELT} & set(draft.metadata)
    return bool(keys) or any(map(is_tag_of_any_kale, tags))


def check_result(draft: Draft, new: Path) -> bool:
    """Adds to what is left what `fastkf check` finds, and tries to compile the result."""
    with (
        write_beside(draft.to_json(), new) as path,
        tempfile.TemporaryDirectory(prefix="fastkf-migrate-") as folder,
    ):
        notebook = draft.notebook(path)
        findings = [one for one in check(notebook) if one.severity is not Severity.NOTE]
        installed = installed_packages(notebook)
        try:
            compile_notebook(notebook, Path(folder) / "package.yaml")
            compiles = True
        except FastkfError as error:
            compiles = False
            if not findings:
                draft.leave(None, str(error).replace(str(path), str(new)))
    for finding in findings:
        holder = draft.cells[finding.cell - 1] if finding.cell else None
        draft.leave(holder, f"{finding.rule}: {finding.message}")
    if installed is not None:
        explain_packages(draft, installed)
    return compiles


@contextmanager
def write_beside(text: str, new: Path) -> Iterator[Path]:
    """A notebook for a while in the new one's folder, where modules that it imports may be."""
    path = new.with_name(f".migrate-{secrets.token_hex(8)}.ipynb")
    try:
        write_text(path, text)
    except OSError as error:  # with the name that the user knows
        raise cannot_be_written(new, error) from error
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def explain_packages(draft: Draft, installed: set[str]) -> None:
    """Leaves the packages that the old notebook installed and that no step will have."""
    for cell, package in draft.installed:
        if canonicalize_name(package) not in installed:
            draft.leave(
                cell,
                f"no step installs {package}: Kale installs what the imports cell imports; import "
                "it there if a step needs it",
            )


def in_order(draft: Draft, notes: list[Note]) -> list[Note]:
    """The whole file's first, then cell by cell; those of a removed cell where it was."""

    def place(note: Note) -> tuple[int, int]:
        if note.cell is None:
            return 0, 0
        return 1, draft.number(note.cell) or note.cell.was or 0

    return sorted(notes, key=place)


def describe(draft: Draft, note: Note) -> str:
    number = draft.number(note.cell) if note.cell else None
    return f"cell {number}: {note.text}" if number else note.text


def describe_change(draft: Draft, note: Note) -> str:
    """The note with the cell's number in the new file, and in the old one where that differs."""
    if note.cell is None:
        return note.text
    number, was = draft.number(note.cell), note.cell.was
    if number is None:
        return f"old cell {was}: {note.text}"
    return f"cell {number}{f' (was {was})' if was not in (None, number) else ''}: {note.text}"


def name_new(old: Path, output: Path | None, in_place: bool) -> tuple[Path, Path | None]:
    """Where the new notebook goes, and where a copy of the old one is kept.

    Raises:
        UsageError: a file is there already, or the two options contradict each other.
    """
    if output and in_place:
        raise UsageError("-o and --in-place: give one of the two")
    if output and output.suffix != ".ipynb":
        raise UsageError(f"{output}: a notebook's name ends in .ipynb")
    if output and not output.parent.is_dir():
        raise UsageError(f"{output}: there is no folder {output.parent}")
    backup = old.with_name(f"{old.stem}_old_kale.ipynb") if in_place else None
    new = old if in_place else output or old.with_name(f"{old.stem}_kale2.ipynb")
    taken = backup or new
    if os.path.lexists(taken):
        remedy = "move it away" if in_place else "move it away, or name another file with -o"
        raise UsageError(f"{taken}: is there already, and is not overwritten; {remedy}")
    return new, backup


def write(migration: Migration, new: Path, old: Path, backup: Path | None) -> None:
    """Writes the new notebook, whole or not at all; the old one is copied first if asked."""
    if backup:
        with backup.open("xb") as file:
            file.write(old.read_bytes())
    write_named(new, migration.text.encode("utf-8"), mode=stat.S_IMODE(old.stat().st_mode))
