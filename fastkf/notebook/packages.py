"""The packages that a notebook imports and that are not here."""

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import replace

from fastkf.notebook.check.modules import imported_modules, is_local, path_calls
from fastkf.notebook.check.packages import WELL_KNOWN
from fastkf.notebook.kale import package_of
from fastkf.notebook.model import Cell, Notebook

INSTALLS = "pip install"


def list_missing_packages(notebook: Notebook) -> list[str]:
    """The packages of all modules that its code cells import and nobody can import here.

    Explorations are among its cells: the notebook runs them too, and its pipeline does not. What a
    cell installs itself is left to it.
    """
    lines = [line for cell in notebook.code_cells for line in cell.source.splitlines()]
    installed = " ".join(line for line in lines if INSTALLS in line)
    modules = [module for cell in notebook.code_cells for module in _list_modules(cell)]
    tops = {module.split(".")[0]: module for module in modules if not is_local(notebook, module)}
    # Where a folder is computed, a module may lie in it. A package of the same name from the index
    # would be a stranger's code, so only names that are known to be packages are taken.
    is_told = all(path_calls(notebook))
    missing = dict(_find_missing(tops, is_told))
    return sorted({package for top, package in missing.items() if package not in installed})


def _list_modules(cell: Cell) -> Iterator[str]:
    if cell.tree is None:  # with IPython's own words, say
        from IPython.core.inputtransformer2 import TransformerManager

        try:
            cell = replace(cell, source=TransformerManager().transform_cell(cell.source))
        except SyntaxError:  # what is no code of IPython either, its kernel says
            return
    yield from imported_modules(cell)


def _find_missing(tops: dict[str, str], is_told: bool) -> Iterator[tuple[str, str]]:
    for top, module in tops.items():
        if top in sys.stdlib_module_names or _is_here(top):
            continue
        if package := WELL_KNOWN.get(top) or (package_of(module) if is_told else None):
            yield top, package


def _is_here(top: str) -> bool:
    try:
        return importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):  # a module that has no spec is there
        return top in sys.modules
