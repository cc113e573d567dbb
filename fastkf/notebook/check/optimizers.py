"""Optimizers of PyTorch, which hold the weights of a model, and no copy of them."""

import ast
from collections.abc import Iterator

from fastkf.notebook.check.changes import lineage
from fastkf.notebook.check.finding import Found
from fastkf.notebook.check.kinds import full_name, imported_names
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import last_part, root_of

OPTIMIZERS = "torch.optim."
WEIGHTS = ("parameters", "named_parameters")


def optimizers_apart(notebook: Notebook) -> Found:
    """An optimizer that comes into a step beside its model: it changes a copy of the weights."""
    names = imported_names(notebook)
    for cell, optimizer, value in _optimizers(notebook, names):
        for model in sorted(_models_of(value)):
            for step, taken in notebook.sources.items():
                ways = [lineage(notebook, step, one) for one in (optimizer, model)]
                if {optimizer, model} <= taken.keys() and all(cell.step in way for way in ways):
                    yield (
                        _first_use(notebook, step, optimizer),
                        f"`{optimizer}` holds the weights of `{model}` in step `{cell.step}`, and "
                        f"copies of them in step `{step}`: what it changes here does not change "
                        f"`{model}`",
                        f"make `{optimizer}` in step `{step}`",
                    )


def _optimizers(notebook: Notebook, names: dict[str, str]) -> Iterator[tuple[Cell, str, ast.Call]]:
    for cell in notebook.code_cells if notebook.sources else ():
        for node in cell.statements if cell.step else ():
            value = node.value if isinstance(node, ast.Assign) else None
            targets = node.targets if isinstance(node, ast.Assign) else []
            if not isinstance(value, ast.Call) or not isinstance(targets[0], ast.Name):
                continue
            if full_name(value.func, names).startswith(OPTIMIZERS):
                yield cell, targets[0].id, value


def _models_of(call: ast.Call) -> set[str]:
    inner = [node for node in ast.walk(call) if isinstance(node, ast.Call)]
    roots = (root_of(one.func) for one in inner if last_part(one.func) in WEIGHTS)
    return {root for root in roots if root}


def _first_use(notebook: Notebook, step: str, name: str) -> Cell:
    cells = notebook.steps[step]
    return next((cell for cell in cells if name in cell.names.used), cells[0])
