"""Rules on imports: a step has only the packages that Kale finds in imports and functions cells."""

import ast
import importlib.metadata
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from functools import cache
from pathlib import Path

from packaging.utils import canonicalize_name

from fastkf.notebook.check.code import running_cells
from fastkf.notebook.check.finding import Found, Rule, Severity
from fastkf.notebook.check.packages import NAMED_AS_THEIR_PACKAGE, WELL_KNOWN, list_required
from fastkf.notebook.kale import package_of
from fastkf.notebook.model import Cell, Notebook
from fastkf.package.pins import installed_version

OWN_PACKAGE = "fastkf"
NAMES_OF_PATHS = {"Path", "os", "pathlib", "str", "sys"}
PUTS_ON_PATH = ("sys.path.insert", "sys.path.append", "sys.path.extend")
WRITES_MODULE = re.compile(r"^\s*%%(?:writefile|file)\s(?:.*\s)?['\"]?(\w+)\.py['\"]?\s*$", re.M)
ON_PATH = "PYTHONPATH"
KERAS_BACKENDS = {"tensorflow", "torch", "jax"}


def imported_modules(cell: Cell) -> Iterator[str]:
    """The modules a cell imports, dotted; a relative import begins with a dot."""
    return modules_of(cell.nodes)


def modules_of(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The same of nodes of code."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def installing_cells(notebook: Notebook) -> Iterator[Cell]:
    """The cells whose imports Kale installs.

    An untagged cell continues an imports or functions cell, but Kale no longer looks at its
    imports when a `skip` cell stands between.
    """
    continues = False
    for cell in notebook.code_cells:
        is_shared = cell.role in ("imports", "functions")
        if is_shared and (cell.tags or continues):
            yield cell
        if cell.tags:
            continues = is_shared


def installed_packages(notebook: Notebook) -> set[str] | None:
    """The packages that Kale installs in each step; None when a cell cannot be read."""
    cells = list(installing_cells(notebook))
    if any(cell.tree is None for cell in cells):
        return None
    modules = [module for cell in cells for module in imported_modules(cell)]
    packages = {package for package in map(package_of, modules) if package}
    return {canonicalize_name(package) for package in packages | {"kubeflow-kale", "kfp"}}


def written_modules(sources: Iterable[str]) -> set[str]:
    """The modules that cells write beside the notebook with `%%writefile`."""
    return {name for source in sources for name in WRITES_MODULE.findall(source)}


def path_calls(notebook: Notebook) -> Iterator[list[Path]]:
    """For each place that puts folders on Python's path: those of them that a text names.

    A folder that is computed counts as a place of its own, with nothing that a text names.
    """
    for cell in notebook.code_cells:
        if "sys.path" not in cell.source or cell.tree is None:
            continue
        for node in cell.nodes:
            if puts_on_path(node):
                texts = (one.value for one in ast.walk(node) if isinstance(one, ast.Constant))
                folders = [notebook.path.parent / one for one in texts if isinstance(one, str)]
                yield [folder for folder in folders if folder.is_dir()]
                names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
                if names - NAMES_OF_PATHS:
                    yield []


def puts_on_path(node: ast.AST) -> bool:
    """Whether it calls a method of `sys.path` that adds folders, or assigns to it."""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in PUTS_ON_PATH
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AugAssign) else targets
    parts = (one.value if isinstance(one, ast.Subscript) else one for one in targets)
    return any(ast.unparse(part) == "sys.path" for part in parts)


def is_local(notebook: Notebook, module: str) -> bool:
    top = module.split(".")[0]
    if top in ("", OWN_PACKAGE):
        return True
    added = (folder for folders in path_calls(notebook) for folder in folders)
    folders = (notebook.path.parent, *added)
    return top in written_modules(cell.source for cell in notebook.code_cells) or any(
        _has_module(folder, top) for folder in folders
    )


def _has_module(folder: Path, top: str) -> bool:
    return (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file()


def providers(top: str) -> list[str]:
    """The installed packages that have a module."""
    return sorted(set(packages_of_modules().get(top, [])))


@cache
def packages_of_modules() -> Mapping[str, list[str]]:
    """The installed packages by module: half a second of reading their lists of files."""
    return importlib.metadata.packages_distributions()


@cache
def is_known(package: str) -> bool:
    """Whether this environment has a package."""
    return installed_version(package) is not None


def is_missing_here(module: str) -> bool:
    """Whether nothing here tells of which package a module is, and Kale goes by its name."""
    top = module.split(".")[0]
    package = package_of(module)
    unknown = package is not None and package == top and not is_known(package)
    return unknown and top not in NAMED_AS_THEIR_PACKAGE and not explain_package(module)


def explain_package(module: str) -> tuple[str, str] | None:
    """Why a step will lack a module although it is imported, and what to do; None: it has it."""
    top = module.split(".")[0]
    package = package_of(module)
    if package is None or package != top:
        return None
    real = WELL_KNOWN.get(top, top)
    if canonicalize_name(real) != canonicalize_name(package):
        return (
            f"Kale would install `{package}`, but the module comes with `{real}`",
            f"use an image that has `{real}` (tag image:REF), and import `{top}` in its steps",
        )
    if is_known(package):
        return None
    if top == "__future__":
        return "Kale would install a package `__future__`", "remove the import"
    if top in sys.stdlib_module_names:
        return (
            f"Kale does not know that `{top}` comes with Python and would install a package of "
            "that name",
            "import it in the steps that use it",
        )
    if providers(top):
        return (
            f"Kale would install `{package}`, but the module comes with "
            f"{' or '.join(providers(top))}",
            f"import another module of that package here, and `{module}` in the steps that use it",
        )
    return None


def is_there(module: str, installed: Set[str]) -> bool:
    """Whether a step in which Kale installs these packages has a module.

    What they require is looked up where it must be: that reads the metadata of a hundred packages.
    """
    if is_named(module, installed):
        return True
    required = list_required(frozenset(installed))
    here = providers(module.split(".")[0])
    return is_named(module, required) or any(canonicalize_name(one) in required for one in here)


def is_named(module: str, packages: Set[str]) -> bool:
    """Whether a module comes with Python, or with one of the packages by its name."""
    top = module.split(".")[0]
    package = package_of(module)
    if package is None or top in sys.stdlib_module_names:
        return True
    return canonicalize_name(package) in packages or WELL_KNOWN.get(top) in packages


def shared_modules(notebook: Notebook) -> Iterator[tuple[Cell, str]]:
    """The modules that imports and functions cells import, from elsewhere."""
    for cell in running_cells(notebook):
        for module in dict.fromkeys(imported_modules(cell)) if cell.role != "step" else ():
            if not is_local(notebook, module):
                yield cell, module


def wrong_package(notebook: Notebook) -> Found:
    """A module for which Kale installs a package that does not bring it."""
    for cell, module in shared_modules(notebook):
        if problem := explain_package(module):
            yield cell, f"`import {module}`: {problem[0]}", problem[1]


def unknown_package(notebook: Notebook) -> Found:
    """A module that is not installed here, so that only its name says which package it is of."""
    variable = os.environ.get(ON_PATH, "")
    folders = [Path(one) for one in variable.split(os.pathsep) if one]
    for cell, module in shared_modules(notebook):
        if not is_missing_here(module):
            continue
        why, remedy = "not installed here", "make sure that the package has the name of its module"
        top = module.split(".")[0]
        if folder := next((one for one in folders if _has_module(one, top)), None):
            why = f"here from {folder} alone, a folder of your terminal's {ON_PATH}"
            remedy = "make sure that it is a published package; put what you need of it in a "
            remedy += "functions cell otherwise"
        yield (
            cell,
            f"`import {module}`: the steps will install `{package_of(module)}`, which is {why}",
            remedy,
        )


def import_in_step(notebook: Notebook) -> Found:
    """An import outside the imports cell: works in the notebook, is not installed in a step."""
    installed = installed_packages(notebook)
    if installed is None:
        return
    for cell in running_cells(notebook):
        replaced = set(modules_of(node for one in cell.nodes for node in replaceable(one)))
        for module in dict.fromkeys(imported_modules(cell)):
            if module in replaced or is_local(notebook, module) or is_there(module, installed):
                continue
            yield (
                cell,
                f"no step will have `{module}`: Kale installs what the cells tagged imports and "
                "functions import",
                "move the import to the imports cell",
            )


def replaceable(node: ast.AST) -> Iterator[ast.AST]:
    """The imports for which code has another way: `try: import x`, `except ImportError: ...`."""
    handlers = node.handlers if isinstance(node, ast.Try) else []
    types = [ast.unparse(one.type) for one in handlers if one.type]
    if isinstance(node, ast.Try) and {"ImportError", "ModuleNotFoundError"} & {*types}:
        yield from (inner for part in node.body for inner in ast.walk(part))


def local_module(notebook: Notebook) -> Found:
    """An import of a file beside the notebook, or of fastkf: a step's container has neither."""
    for cell in notebook.code_cells:
        for module in dict.fromkeys(imported_modules(cell)):
            is_own = module.split(".")[0] == OWN_PACKAGE
            if is_own or (cell in running_cells(notebook) and is_local(notebook, module)):
                yield (
                    cell,
                    f"a step's container does not have `{module}`, which is no published package",
                    "put what you need of it in a functions cell",
                )


def keras_without_backend(notebook: Notebook) -> Found:
    """`keras` alone: its package brings no backend."""
    cells = [cell for cell in running_cells(notebook) if cell.role != "step"]
    imported = {module.split(".")[0] for cell in cells for module in imported_modules(cell)}
    if "keras" in imported and not imported & KERAS_BACKENDS:
        cell = next(
            c for c in cells if any(m.split(".")[0] == "keras" for m in imported_modules(c))
        )
        yield cell, "a step that installs keras gets no backend", "add `import tensorflow` here"


def star_import(notebook: Notebook) -> Found:
    """`from x import *`: with it, Kale no longer sees which variables a step needs."""
    for cell in running_cells(notebook):
        for node in cell.nodes:
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                yield (
                    cell,
                    f"`{ast.unparse(node)}` hides from Kale which variables the steps need, and "
                    "none is passed on",
                    "import the names you use",
                )


RULES = (
    Rule(wrong_package),
    Rule(unknown_package, Severity.NOTE),
    Rule(import_in_step),
    Rule(local_module),
    Rule(keras_without_backend),
    Rule(star_import),
)
