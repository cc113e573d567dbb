"""What Python components import that their containers do not have, though it is here.

Here a step has all packages of this environment; in a container, those of its image, and those that
its component has installed. Of an official image of Python it is known that it has none; of others
nothing is known.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import PurePath
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from fastkf.base.python_syntax import parse_python
from fastkf.package.imports import FUNCTION
from fastkf.package.installs import Install, find_installs, installs_by_itself, list_files
from fastkf.package.model import Package
from fastkf.package.readers import Readers

BARE = re.compile(r"(?:docker\.io/)?(?:library/)?python:[\w.-]+")
# What is inside of these may never be evaluated.
MAYBE = (
    *(ast.If, ast.For, ast.While, ast.Try, ast.With, ast.Match),
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda),
    *(ast.IfExp, ast.BoolOp, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
PRESENT = sys.stdlib_module_names | {"pip", "setuptools", "pkg_resources", "wheel"}


def is_bare(image: str) -> bool:
    """Whether an image is an official one of Python, which has no packages."""
    return BARE.fullmatch(image) is not None


def list_lacks(package: Package) -> Iterator[tuple[str, str, list[str]]]:
    """Components that import what they will not have: name, image, the modules."""
    for name, source, container in _list_bare(package):
        if lacks := _list_lacks(source, container):
            yield name, container["image"], lacks


def list_unread(package: Package) -> Iterator[tuple[str, str, str]]:
    """Components in which pandas will not have what it reads with: name, call, the module."""
    for name, source, container in _list_bare(package):
        statements = list(_list_statements(source, container))
        nodes = [node for one in statements for node in _list_evaluated(one)]
        if not nodes:
            continue
        readers = Readers(list(ast.walk(parse_python(source))))
        needs = {modules: call for call, modules in readers.list_needs(nodes)}
        packages = (_list_installed_by(container) if needs else None) or set()
        for modules, call in needs.items() if "pandas" in packages else ():
            if not packages & set(map(canonicalize_name, modules)) and find_spec(modules[0]):
                yield name, call, modules[0]


def list_installed_packages(package: Package) -> dict[str, frozenset[str]]:
    """The components in official images of Python, each with all that it installs, as is known."""
    found = {name: _list_installed_by(container) for name, _, container in _find_bare(package)}
    return {name: frozenset(packages) for name, packages in found.items() if packages is not None}


def _list_bare(package: Package) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """As `_find_bare`, without the steps of a notebook, of which `fastkf check` tells."""
    if not package.is_kale:
        yield from _find_bare(package)


def _find_bare(package: Package) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """The Python components in official images of Python: name, source, container.

    Not those that install packages while they run.
    """
    for name, source in package.python_sources.items():
        container = package.executors[name].get("container") or {}
        if is_bare(str(container.get("image", ""))) and not installs_by_itself(source):
            yield name.removeprefix("exec-"), source, container


def _list_installed_by(container: Mapping[str, Any]) -> set[str] | None:
    return _list_installed(find_installs(map(str, container.get("command") or ())))


def _list_lacks(source: str, container: Mapping[str, Any]) -> list[str]:
    imported = set(_list_imported(_list_statements(source, container)))
    foreign = sorted(one for one in imported - PRESENT if one and find_spec(one))
    if not foreign:
        return []
    packages = _list_installed_by(container)
    if packages is None:
        return []
    foreign = [one for one in foreign if canonicalize_name(one) not in packages]
    made = {module for name in packages for module in _list_modules(name)} if foreign else set()
    return [one for one in foreign if one not in made]


def _list_imported(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """The outermost modules that statements import."""
    for statement in statements:
        match statement:
            case ast.Import(names):
                yield from (one.name.partition(".")[0] for one in names)
            case ast.ImportFrom(module=str() as module, level=0):
                yield module.partition(".")[0]


def _list_statements(source: str, container: Mapping[str, Any]) -> Iterator[ast.stmt]:
    """The statements of a component's function that are executed whatever it decides."""
    arguments = list(map(str, container.get("args") or ()))
    try:
        tree = parse_python(source)
    except (SyntaxError, ValueError, RecursionError):
        return
    name = dict(zip(arguments, arguments[1:], strict=False)).get(FUNCTION)
    functions = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name]
    waiting: list[ast.stmt] = [statement for one in functions for statement in one.body]
    while waiting:
        statement = waiting.pop()
        yield statement
        if isinstance(statement, ast.With):
            waiting += statement.body


def _list_evaluated(statement: ast.AST) -> Iterator[ast.AST]:
    """A statement and what is evaluated with it, whatever is decided."""
    waiting = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, MAYBE):
            waiting += ast.iter_child_nodes(node)


def _list_installed(installs: Iterable[Install]) -> set[str] | None:
    """The packages that are installed, with those that they need; None where that is not known."""
    found: set[str] = set()
    for install in installs:
        if not install.is_known or list_files(install.options):
            return None
        for text in install.requirements:
            try:
                one = Requirement(text)
                if one.marker is None or one.marker.evaluate():
                    _add(one, found, alone="--no-deps" in install.options)
            except (InvalidRequirement, metadata.PackageNotFoundError):
                return None
    return found


def _add(asked: Requirement, found: set[str], alone: bool) -> None:
    waiting, seen = [asked], set[str]()
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        extras = {"", *one.extras}
        if (key := f"{name}{sorted(extras)}") in seen:
            continue
        seen.add(key)
        found.add(name)
        needed = () if alone else metadata.requires(name) or ()
        for other in map(Requirement, needed):
            marker = other.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(other)


def _list_modules(package: str) -> set[str]:
    """The outermost modules that an installed package brings."""
    try:
        files = metadata.files(package) or ()
    except metadata.PackageNotFoundError:
        return set()
    return {PurePath(one.parts[0]).name.partition(".")[0] for one in files}
