"""The rule on environment variables: a pod has those of its image, and what Secrets give it."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeGuard

from fastkf.notebook.check.finding import Found, Rule, Severity
from fastkf.notebook.check.opened import tree_of
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import last_part

# What every step's container has: from its image, Kubernetes, Argo and KFP.
ALWAYS = re.compile(r"PATH|HOME|HOSTNAME|PWD|(KUBERNETES|ARGO|KFP)_\w+|\w+_SERVICE_(HOST|PORT)")
WRITES_ONE = ("setdefault", "putenv", "setenv")
# What may set variables whose names do not stand in the code.
WRITES_ANY = ("load_dotenv", "run_line_magic", "run_cell_magic", "login")
CATCHES = ("KeyError", "LookupError", "Exception")
# What is inside these may never be executed.
LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
MAYBE = (ast.If, ast.IfExp, ast.BoolOp, ast.Match)


class Variables:
    """The environment variables that code names.

    Attributes:
        read: those whose absence ends the step for certain, each with the cell that reads it.
        written: those that the code sets, or looks for before it reads them.
        writes_any: whether it may set others, too.
        set: those that it sets.
        asked: those that it reads, if they are there.
    """

    def __init__(self, cells: Iterable[Cell]):
        self.read: dict[str, Cell] = {}
        self.written: set[str] = set()
        self.writes_any = False
        self.set: set[str] = set()
        self.asked: dict[str, Cell] = {}
        trees = [(cell, tree) for cell in cells if (tree := tree_of(cell))]
        bodies = {one.name: one.body for _, tree in trees for one in tree.body if _is_def(one)}
        for cell, tree in trees:
            for node in ast.walk(tree):
                self._look_for_writes(node)
                for name in _asked_by(node):
                    self.asked.setdefault(name, cell)
            for name in _reads(tree.body, bodies):
                self.read.setdefault(name, cell)

    def _look_for_writes(self, node: ast.AST) -> None:
        if isinstance(node, ast.Call):
            self._look_at_call(node)
        elif isinstance(node, ast.Compare) and any(map(_is_environ, node.comparators)):
            self.written |= _texts([node.left])
        elif isinstance(node, ast.AugAssign) and _is_environ(node.target):
            self.writes_any = True
        elif _is_variable(node) and not isinstance(node.ctx, ast.Load):
            self._write(node.slice)

    def _look_at_call(self, call: ast.Call) -> None:
        last = last_part(call.func)
        if last in WRITES_ONE and call.args:
            self._write(call.args[0])
        elif last in WRITES_ANY or any(map(_is_environ, call.args)):
            self.writes_any = True
        elif last == "update" and isinstance(call.func, ast.Attribute):
            self.writes_any |= _is_environ(call.func.value)

    def _write(self, name: ast.expr) -> None:
        names = _texts([name])
        self.written |= names
        self.set |= names
        self.writes_any |= not names


def _reads(statements: Iterable[ast.AST], bodies: Mapping[str, list[ast.stmt]]) -> Iterator[str]:
    """The variables that statements read, whatever they decide, functions that they call too."""
    waiting, called = list(statements), set[str]()
    while waiting:
        node = waiting.pop()
        if isinstance(node, (*LATER, *MAYBE)) or (isinstance(node, ast.Try) and _catches(node)):
            continue
        if _is_variable(node) and isinstance(node.ctx, ast.Load):
            yield from _texts([node.slice])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            waiting += bodies.get(node.func.id, []) if node.func.id not in called else []
            called.add(node.func.id)
        waiting += ast.iter_child_nodes(node)


def _asked_by(node: ast.AST) -> set[str]:
    """The variables for which a call asks: `os.environ.get("X")`, `os.getenv("X")`."""
    if not isinstance(node, ast.Call) or not node.args:
        return set()
    func = node.func
    is_get = isinstance(func, ast.Attribute) and func.attr == "get" and _is_environ(func.value)
    return _texts(node.args[:1]) if is_get or last_part(func) == "getenv" else set()


def _is_def(node: ast.AST) -> TypeGuard[ast.FunctionDef]:
    return isinstance(node, ast.FunctionDef)


def _is_variable(node: ast.AST) -> TypeGuard[ast.Subscript]:
    """Whether it is `os.environ[...]`."""
    return isinstance(node, ast.Subscript) and _is_environ(node.value)


def _is_environ(node: ast.expr) -> bool:
    return last_part(node) == "environ"


def _texts(nodes: Iterable[ast.expr]) -> set[str]:
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _catches(node: ast.Try) -> bool:
    return any(
        handler.type is None or any(name in ast.unparse(handler.type) for name in CATCHES)
        for handler in node.handlers
    )


def environment_variable(notebook: Notebook) -> Found:
    """An environment variable that a step reads and nothing in the notebook gives it."""
    # Only what is sure is said: a function that nothing calls here may be another process's.
    shared = [c for c in notebook.code_cells if c.role in ("imports", "functions")]
    told: set[str] = set()
    above: dict[str, str] = {}
    for step, cells in notebook.steps.items():
        if not any("environ" in c.source or "getenv" in c.source for c in (*shared, *cells)):
            continue
        variables = Variables([*shared, *cells])
        given = variables.written | _from_secrets(notebook, cells) | told
        read = {} if variables.writes_any else variables.asked | variables.read
        for name in [n for n in read if n not in given and not ALWAYS.fullmatch(n)]:
            if name in above or name in variables.read:
                told.add(name)
                yield read[name], *_explain(name, step, above.get(name))
        above |= dict.fromkeys(variables.set, step)


def _explain(name: str, step: str, above: str | None) -> tuple[str, str]:
    if above:
        return (
            f"step `{step}` reads the environment variable {name}, which only step `{above}` "
            "sets, in a process of its own",
            "set it in this step too, or pass its value on in a variable",
        )
    return (
        f"step `{step}` reads the environment variable {name}, and its pod has no more "
        "variables than its image and a Secret give it",
        f"tag the step `secret:NAME:KEY:{name}`, or make it a pipeline parameter where it "
        "is no secret",
    )


def _from_secrets(notebook: Notebook, cells: Iterable[Cell]) -> set[str]:
    defaults = notebook.kale.get("steps_defaults")
    tags = [str(tag) for tag in defaults] if isinstance(defaults, list) else []
    tags += [tag for cell in cells for tag in cell.tags]
    return {tag.rsplit(":", 1)[-1] for tag in tags if tag.startswith("secret:")}


RULES = (Rule(environment_variable, Severity.WARNING),)
