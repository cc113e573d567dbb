"""Rules on the cells that stand for other notebooks."""

import os

from fastkf.base.errors import FastkfError
from fastkf.notebook.check.finding import Found, Rule
from fastkf.notebook.composition import find_part
from fastkf.notebook.model import Cell, Notebook, read


def broken_reference(notebook: Notebook) -> Found:
    """A `notebook:` cell leads to no notebook that can be a part of this one."""
    names = set(notebook.steps)
    for cell in notebook.code_cells:
        for name in cell.tag_values("notebook")[:1] if cell.role == "notebook" else ():
            if name in names:
                yield (
                    cell,
                    f"`{name}` is the name of a step or of another part already",
                    f"call this part otherwise: `notebook:{name}_2`",
                )
            elif any(is_code(line) for line in cell.source.splitlines()):
                yield (
                    cell,
                    f"the cell stands for the notebook `{name}` and holds code",
                    "move the code to a step of its own",
                )
            elif found := _find_fault(notebook, cell):
                yield cell, *found
            names.add(name)


def is_code(line: str) -> bool:
    return bool(line.strip()) and not line.strip().startswith("#")


def _find_fault(notebook: Notebook, cell: Cell) -> tuple[str, str] | None:
    """What is wrong with the notebook that a cell stands for, and what to do about it."""
    if not cell.refers_to:
        return None  # Kale says it well
    path = find_part(notebook, cell)
    if not path.exists():
        return (
            f"there is no notebook {path}",
            f"correct `notebook_path` in the cell's metadata, {cell.refers_to!r}: it counts from "
            f"the folder of {notebook.path.name}",
        )
    if os.path.realpath(path) == os.path.realpath(notebook.path):
        return "the notebook refers to itself", "refer to another notebook"
    try:
        inner = read(path)
    except FastkfError as error:
        return error.problem, error.remedy or "correct it"
    if inner.references:
        return (
            f"{path} refers to other notebooks in its turn, which Kale does not allow in a part",
            "refer to each of them here",
        )
    if not inner.steps:
        return f"{path} has no step", "tag its cells, or remove this reference"
    return None


RULES = (Rule(broken_reference),)
