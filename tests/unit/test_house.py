"""The house keeps its form: sizes of files, classes and functions, rooms, imports, dependencies."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from wheel import list_closure

from fastkf.course.places import CHECKOUT

pytestmark = pytest.mark.slow

HOUSE = CHECKOUT / "fastkf"
FILES = sorted(HOUSE.rglob("*.py"))
FILE_LINES, CLASS_LINES, FUNCTION_LINES = 300, 200, 40
ENTRIES = 18

# What each room may need beside the core: the extras of the commands that it works for. A room
# that is not named needs the core only.
EXTRAS = {
    "cluster": ["submit"],
    "lab": ["lab"],
    "server": ["server"],
    "serving": ["serve", "serve-tf"],
    "storage": ["storage"],
    "train": ["train"],
    "tune": ["tune"],
    "engine/environments.py": ["packages"],
    "engine/tasks/docker.py": ["docker"],
    "engine/tasks/engines.py": ["docker"],
    "course/regression": ["test"],
    "course/flights.py": ["steps"],
    "base/asgi.py": ["server", "serve"],
    "base/connections.py": ["server", "serve"],
    "base/sign_in.py": ["server", "serve"],
    "base/guard.py": ["server", "serve"],
    "base/manifests.py": ["train", "tune"],
}


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


def find_definitions(kind) -> Iterator[tuple[str, int]]:
    """The place and the lines of each class or function."""
    for path in FILES:
        for node in ast.walk(parse(path)):
            if isinstance(node, kind):
                yield f"{name_of(path)}: {node.name}", node.end_lineno - node.lineno + 1


def test_files_are_short():
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > FILE_LINES} == {}


def test_classes_are_short():
    found = {name: lines for name, lines in find_definitions(ast.ClassDef) if lines > CLASS_LINES}
    assert found == {}


def is_command(node: ast.FunctionDef) -> bool:
    """Whether a function is a command, whose options are its parameters."""
    return any("command" in ast.dump(decorator) for decorator in node.decorator_list)


def test_functions_fit_on_a_screen():
    """A command's signature and its help do not count: they are what the user reads."""
    long = {}
    for path in FILES:
        for node in ast.walk(parse(path)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            first = node.body[0].end_lineno + 1 if is_command(node) else node.lineno
            if node.end_lineno - first + 1 > FUNCTION_LINES:
                long[f"{name_of(path)}: {node.name}"] = node.end_lineno - first + 1
    assert long == {}


def test_the_top_level_is_taken_in_at_a_glance():
    entries = [one.name for one in HOUSE.iterdir() if one.name != "__pycache__"]
    assert len(entries) <= ENTRIES, sorted(entries)


def test_what_is_committed_is_text_and_pictures():
    """A package that somebody has downloaded beside the sources is easily taken along."""
    command = ["git", "-C", str(CHECKOUT), "ls-files", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    files = [CHECKOUT / name for name in filter(None, listed.split("\0"))]
    binary = [path.name for path in files if path.is_file() and b"\0" in path.read_bytes()]
    assert "one_click.png" in binary
    assert [name for name in binary if not name.endswith(".png")] == []


def test_a_python_without_the_packages_says_how_to_get_them():
    result = subprocess.run(
        [sys.executable, "-S", "-m", "fastkf.cli"], capture_output=True, text=True, cwd=HOUSE.parent
    )
    assert result.returncode == 1
    assert "make set-up" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_package_runs_as_the_command_does():
    command = [sys.executable, "-m", "fastkf", "--version"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout.startswith("fastkf ")


def test_the_command_starts_without_what_takes_long_to_import():
    code = "import sys, fastkf.cli; print(*sorted(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {module.split(".")[0] for module in result.stdout.split()}
    assert loaded & {"kfp", "kale", "nbformat", "jsonschema", "kubernetes", "IPython"} == set()
    assert "typer" in loaded


def list_imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    tops = {name.split(".")[0] for name in found}
    return tops - set(sys.stdlib_module_names) - {"fastkf"}


@cache
def providers() -> dict[str, list[str]]:
    """The packages that bring each module; slow, as it reads the list of files of them all."""
    return dict(metadata.packages_distributions())


@cache
def declared(extra: str = "") -> set[str]:
    """The packages that the core or an extra asks for itself."""
    requirements = [Requirement(text) for text in metadata.requires("fastkf")]
    chosen = [
        one for one in requirements if not one.marker or one.marker.evaluate({"extra": extra})
    ]
    names = {canonicalize_name(one.name) for one in chosen}
    inner = [name for one in chosen if one.name == "fastkf" for name in one.extras]
    return names.union(*(declared(name) for name in inner))


def extras_of(path: Path) -> list[str]:
    places = [name_of(path), *(parent.as_posix() for parent in path.relative_to(HOUSE).parents)]
    return next((EXTRAS[place] for place in places if place in EXTRAS), [])


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_room_imports_what_its_extra_declares(path):
    known = declared().union(*(declared(extra) for extra in extras_of(path)))
    undeclared = {
        module
        for module in list_imports(path)
        if not {canonicalize_name(name) for name in providers().get(module, [])} & known
    }
    assert undeclared == set()


def test_the_rooms_with_extras_are_there():
    assert [place for place in EXTRAS if not (HOUSE / place).exists()] == []


@pytest.fixture(scope="module")
def core():
    return list_closure(metadata.requires("fastkf"))


@pytest.mark.parametrize("package", ["tensorflow", "kserve", "optuna", "fastapi", "docker", "s3fs"])
def test_the_core_is_without(core, package):
    assert package not in core
