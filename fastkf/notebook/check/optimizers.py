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
# Functions that only look at what they are given, or write it down.
LOOK = ("print", "len", "str", "repr", "type", "id", "isinstance", "display", "deepcopy", "save")


def optimizers_apart(notebook: Notebook) -> Found:
    """An optimizer that comes into a step beside its model: it changes a copy of the weights."""
    names = imported_names(notebook)
    for cell, optimizer, value in _optimizers(notebook, names):
        for model in sorted(_models_of(value)):
            for step, taken in notebook.sources.items():
                ways = [lineage(notebook, step, one) for one in (optimizer, model)]
                if not {optimizer, model} <= taken.keys():
                    continue
                acts = next((c for c in notebook.steps[step] if _acts(c, optimizer)), None)
                if acts and all(cell.step in way for way in ways):
                    yield (
                        acts,
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


def _acts(cell: Cell, name: str) -> bool:
    """Whether a cell has an optimizer change the weights, or hands it to what may do so."""
    for node in cell.nodes:
        if isinstance(node, ast.Attribute) and node.attr == "step":
            if isinstance(node.value, ast.Name) and node.value.id == name:
                return True
        elif isinstance(node, ast.Call) and last_part(node.func) not in LOOK:
            given = [*node.args, *(word.value for word in node.keywords)]
            if any(isinstance(one, ast.Name) and one.id == name for one in given):
                return True
    return False
