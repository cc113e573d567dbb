"""The imports that several steps of a package begin with, so that they can be made once."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from fastkf.base.python_syntax import parse_python
from fastkf.package.graph import is_loop
from fastkf.package.model import Package
from fastkf.package.settings import for_executors

SEVERAL = 2
FUNCTION = "--function_to_execute"
OF_SYS = frozenset(("path", "modules", "meta_path", "path_hooks"))
VARIABLES = frozenset(("environ", "environb", "putenv"))

Table = Mapping[str, Any]
Statement = ast.Import | ast.ImportFrom


def list_shared(package: Package) -> list[tuple[str, str]]:
    """The modules that at least two steps import first of all, with the statements, each once.

    A step in a loop is two. What a library finds while it is imported must be what the step would
    have set: where a step has variables of its own, or its code sets some, what it imports is left
    out, for all steps. There are none of a notebook's steps, which have a cell of imports.
    """
    if package.is_kale:
        return []
    settings = for_executors(package)
    uses = _count_uses(package.spec, package.spec.get("root") or {}, 1, ())
    steps: Counter[str] = Counter()
    found: dict[tuple[str, str], None] = {}
    left_out: set[str] = set()
    for name, source in package.python_sources.items():
        container = package.executors[name].get("container") or {}
        try:
            tree = parse_python(source)
        except (SyntaxError, ValueError, RecursionError):
            continue
        if container.get("env") or _has_variables(settings.get(name) or {}) or _alters(tree):
            left_out.update(_list_imported(tree))
            continue
        begin = list(_read_beginning(tree, list(map(str, container.get("args") or ()))))
        steps.update(dict.fromkeys({module for module, _ in begin}, uses[name]))
        found |= dict.fromkeys(begin)
    return [one for one in found if steps[one[0]] >= SEVERAL and one[0] not in left_out]


def _count_uses(spec: Table, component: Table, times: int, around: tuple[str, ...]) -> Counter[str]:
    """Executor to the number of its steps, as far as it is known before they run."""
    found: Counter[str] = Counter()
    for task in ((component.get("dag") or {}).get("tasks") or {}).values():
        name = (task.get("componentRef") or {}).get("name", "")
        part = (spec.get("components") or {}).get(name) or {}
        number = times * SEVERAL if is_loop(task) else times
        if "dag" not in part:
            found[part.get("executorLabel", "")] += number
        elif name not in around:
            found += _count_uses(spec, part, number, (*around, name))
    return found


def _read_beginning(tree: ast.Module, arguments: list[str]) -> Iterator[tuple[str, str]]:
    """The modules that a component's function imports first of all, with the statements."""
    name = dict(zip(arguments, arguments[1:], strict=False)).get(FUNCTION)
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.name == name:
            for node in function.body[1 if ast.get_docstring(function) else 0 :]:
                if not isinstance(node, ast.Import | ast.ImportFrom):
                    return
                for one in _take_apart(node):
                    yield from ((module, ast.unparse(one)) for module in _modules_of(one))


def _take_apart(node: Statement) -> list[Statement]:
    """A statement for each module, as one that is not here is no reason to leave the others out."""
    return [ast.Import([one]) for one in node.names] if isinstance(node, ast.Import) else [node]


def _list_imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _modules_of(node)


def _modules_of(node: Statement) -> list[str]:
    """The modules that a statement imports, each the outermost."""
    if isinstance(node, ast.Import):
        return [one.name.partition(".")[0] for one in node.names]
    return [] if node.level else [(node.module or "").partition(".")[0]]


def _has_variables(settings: Table) -> bool:
    return any("AsEnv" in name for name in settings)


def _alters(tree: ast.Module) -> bool:
    """Whether a component's code sets what libraries read, or where they are found."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="sys"), attr=name) if name in OF_SYS:
                return True
            case ast.Attribute(attr=name) if name in VARIABLES:
                return True
            case ast.ImportFrom(module="os" | "sys", names=names):
                if any(one.name in OF_SYS | VARIABLES for one in names):
                    return True
    return False
