"""Gathers the imports of the steps in the imports cell, from which Kale installs packages."""

import __future__

import ast
import importlib.util
import re
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder

from fastkf.base.python_syntax import parse_python
from fastkf.migrate.draft import Draft, DraftCell
from fastkf.migrate.magics import python_of
from fastkf.notebook.check.modules import explain_package, imported_modules, written_modules
from fastkf.notebook.model import Cell
from fastkf.notebook.names import IMPORTS, Names

# What must come before an import to have its effect.
SETS_UP = re.compile(r"\benviron\b|\bsys\.path\b|\bputenv\b")
OLD_PLATFORM = ("kale", "kfserving", "rok_gw_client", "rok_common")
# Future statements that do nothing on Python 3.
PAST = {name for name in __future__.all_feature_names if name not in ("annotations",)}


def gather_imports(draft: Draft) -> None:
    drop_future_imports(draft)
    meanings = name_meanings(draft)
    moved: list[str] = []
    for cell in list(draft.code_cells):
        seen = next(view for other, view in draft.pairs() if other is cell)
        if seen.role == "step" and seen.tree is not None:
            moved += move_imports(draft, cell, seen, meanings)
    add_imports(draft, moved)
    find_gone_modules(draft)


def tag_first_imports(draft: Draft) -> None:
    """A cell above all tagged ones that only imports was left out of the pipeline."""
    for cell, seen in draft.pairs():
        if seen.role is not None or seen.tags:
            continue
        tree = python_of(cell, seen)
        if tree is not None and only_imports(tree):
            cell.tags = ["imports"]
            draft.note(cell, "tagged imports: Kale left it out of the pipeline")


def only_imports(tree: ast.Module) -> bool:
    return bool(tree.body) and all(isinstance(node, IMPORTS) for node in tree.body)


def drop_future_imports(draft: Draft) -> None:
    """`from __future__ import print_function`: a package `__future__` would be installed for it."""
    for cell, seen in draft.pairs():
        if seen.role not in ("imports", "functions", "step") or seen.tree is None:
            continue
        gone = [
            node
            for node in seen.statements
            if isinstance(node, ast.ImportFrom)
            and node.module == "__future__"
            and {name.name for name in node.names} <= PAST
            and has_lines_of_its_own(node, seen, [])
        ]
        if gone and len(gone) < len(seen.statements):
            cell.source = without(seen.source, gone)
            draft.note(cell, f"without `{ast.unparse(gone[0])}`, which Python 3 does not need")


def name_meanings(draft: Draft) -> dict[str, set[str]]:
    """Each name at the level of the cells to what it stands for; "" for a variable."""
    meanings: dict[str, set[str]] = {}
    for _, seen in draft.pairs():
        if seen.role in (None, "skip", "notebook") or seen.tree is None:
            continue
        for node in seen.statements:
            if isinstance(node, IMPORTS):
                for name, meaning in imported(node):
                    meanings.setdefault(name, set()).add(meaning)
            else:
                for name in Names.of(node).bound:
                    meanings.setdefault(name, set()).add("")
    return meanings


def imported(node: ast.Import | ast.ImportFrom) -> list[tuple[str, str]]:
    """The names that an import binds, each with the module or object it stands for."""
    if isinstance(node, ast.Import):
        return [
            (n.asname, n.name) if n.asname else (n.name.split(".")[0], n.name.split(".")[0])
            for n in node.names
        ]
    return [(n.asname or n.name, f"{node.module}:{n.name}") for n in node.names]


def move_imports(
    draft: Draft, cell: DraftCell, seen: Cell, meanings: dict[str, set[str]]
) -> list[str]:
    """Takes the imports out of a step's cell; returns them."""
    body = seen.statements
    nodes = [
        node
        for node in body
        if isinstance(node, IMPORTS) and can_move(draft, cell, seen, node, meanings)
    ]
    gone = [node for node in nodes if has_lines_of_its_own(node, seen, nodes)]
    if not gone:
        return []
    if len(gone) == len(body) and not cell.node.get("outputs"):
        draft.hand_on_tags(cell)
        draft.cells.remove(cell)
        draft.note(cell, "removed: all it had are imports, now in the imports cell")
        return [seen.source.strip("\n")]
    cell.source = without(seen.source, gone)
    draft.note(cell, f"{', '.join(f'`{ast.unparse(node)}`' for node in gone)} → imports cell")
    return [text_of(node, seen) for node in gone]


def can_move(
    draft: Draft,
    cell: DraftCell,
    seen: Cell,
    node: ast.Import | ast.ImportFrom,
    meanings: dict[str, set[str]],
) -> bool:
    """Whether the import means the same in the imports cell; says so when a person must decide."""
    text = ast.unparse(node)
    if isinstance(node, ast.ImportFrom) and (
        node.level or node.module == "__future__" or node.names[0].name == "*"
    ):
        return False
    one = Cell(0, "code", text)
    modules = list(imported_modules(one))
    if any(m.split(".")[0] in sys.stdlib_module_names and explain_package(m) for m in modules):
        return False  # Kale would install a package of that name
    if {m.split(".")[0] for m in modules} & written_modules(one.source for one in draft.code_cells):
        return False  # it is there below the cell that writes it alone
    clash = [name for name, _ in imported(node) if len(meanings[name]) > 1]
    if clash:
        draft.leave(
            cell,
            f"`{text}` stays in its step, because `{clash[0]}` means something else in another "
            "cell; rename one of the two, then move the import to the imports cell",
        )
        return False
    before = "".join(seen.source.splitlines(keepends=True)[: node.lineno - 1])
    if SETS_UP.search(before):
        draft.leave(
            cell,
            f"`{text}` stays in its step, because the lines above it set up what it finds; Kale "
            "installs the package once the imports cell imports it too",
        )
        return False
    return True


def has_lines_of_its_own(node: ast.stmt, seen: Cell, with_it: Sequence[ast.stmt]) -> bool:
    others = [other for other in seen.statements if other is not node and other not in with_it]
    return not any(lines_of(node) & lines_of(other) for other in others)


def lines_of(node: ast.stmt) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def text_of(node: ast.stmt, seen: Cell) -> str:
    """The import as it is written, its comment included."""
    if not has_lines_of_its_own(node, seen, []):
        return ast.unparse(node)
    return "".join(
        seen.source.splitlines(keepends=True)[node.lineno - 1 : node.end_lineno]
    ).rstrip()


def without(source: str, nodes: Sequence[ast.stmt]) -> str:
    """The source without the lines of these statements, nor blank lines at its top."""
    gone = {line for node in nodes for line in lines_of(node)}
    lines = source.splitlines(keepends=True)
    return "".join(line for n, line in enumerate(lines, start=1) if n not in gone).lstrip("\n")


def add_imports(draft: Draft, moved: list[str]) -> None:
    """Writes the lines into the imports cell above all steps, each import once."""
    if not moved:
        return
    home = find_home(draft)
    known = imports_in([view.source for _, view in draft.pairs() if view.role == "imports"])
    lines = []
    for text in moved:
        new = imports_in([text])
        if not new or not new <= known:
            lines.append(text)
        known |= new
    if lines:
        home.source = "\n".join(filter(None, [home.source.rstrip("\n"), *lines]))
        imports = "1 import" if len(lines) == 1 else f"{len(lines)} imports"
        draft.note(home, f"gets {imports} from the steps")


def imports_in(sources: list[str]) -> set[str]:
    found = set()
    for source in sources:
        try:
            tree = parse_python(source)
        except SyntaxError:
            continue
        found |= {ast.unparse(node) for node in tree.body if isinstance(node, IMPORTS)}
    return found


def find_home(draft: Draft) -> DraftCell:
    """The imports cell; a new one, above all code, when there is none above the first step."""
    for cell, seen in draft.pairs():
        if seen.role == "imports" and seen.tree is not None:
            return cell
        if seen.role == "step":
            break
    home = draft.insert(draft.cells.index(draft.code_cells[0]), "", ["imports"])
    draft.note(home, "a new imports cell, from which Kale installs packages")
    return home


def find_gone_modules(draft: Draft) -> None:
    """Modules of old Kale, such as kale.common.serveutils, that today's does not have."""
    for cell, seen in draft.pairs():
        if seen.role == "notebook":
            continue
        for module in dict.fromkeys(imported_modules(seen)):
            if module.split(".")[0] in OLD_PLATFORM and not is_installed(module):
                draft.leave(
                    cell,
                    f"`{module}` came with old Kale and MiniKF and is gone; for serving see the "
                    "lab 07_kserve, for data the lab 08_object_storage",
                )


def is_installed(module: str) -> bool:
    """Whether the module is there; of a package that is not Kale itself, whether the package is.

    None of its code runs: `importlib.util.find_spec` would import the package that a module is in.
    """
    package, *inner = module.split(".")
    try:
        spec = importlib.util.find_spec(package)
    except ImportError:
        return False
    for part in inner if package == "kale" else ():
        places = spec.submodule_search_locations if spec else None
        spec = PathFinder.find_spec(part, places) if places else None
    return spec is not None
