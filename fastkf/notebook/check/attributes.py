"""What classes, functions and modules of shared cells hold: every step starts with it anew."""

import ast
from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple

from fastkf.notebook.check.finding import Found
from fastkf.notebook.check.flow import defined_in, find_use
from fastkf.notebook.check.memos import is_memo
from fastkf.notebook.check.mutations import functions_of
from fastkf.notebook.check.steps import is_above
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import CHANGING, CHANGING_ALONE

THE_CLASS = ("cls", "type(self)", "self.__class__", "__class__", "self")
WHEN_MADE = ("__init__", "__new__", "__post_init__")
# Of mere looks, put back by who changes it, or with a rule of its own.
LEFT_OUT = {("sys", "stdout"), ("sys", "stderr"), ("sys", "path"), ("os", "environ")}
LOOKS = ("rcParams", "options")
MUTABLE = ("list", "dict", "set", "defaultdict", "Counter", "deque")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
Attribute = tuple[str, str]  # what has it, and its name


class Code(NamedTuple):
    """A piece of code, and the class whose method it is in."""

    node: ast.AST
    of: str | None = None


def code_of(cells: list[Cell], shared: list[Cell]) -> list[Code]:
    """What cells run: their own code, the functions they name, and methods of classes they name."""
    named = {node.name: node for node in defined_in(shared)}
    found = [Code(node) for cell in cells for node in cell.nodes]
    taken: set[int] = set()
    names, attributes = set[str](), set[str]()
    fresh: list[Code] = found
    while fresh:
        names |= {code.node.id for code in fresh if isinstance(code.node, ast.Name)}
        attributes |= {code.node.attr for code in fresh if isinstance(code.node, ast.Attribute)}
        fresh = []
        for name in names & set(named):
            for function, of in _functions_of(named[name], attributes):
                if id(function) not in taken:
                    taken.add(id(function))
                    fresh += [Code(node, of) for node in ast.walk(function)]
        found = [*found, *fresh]
    return found


def _functions_of(node: ast.AST, attributes: set[str]) -> Iterator[tuple[FunctionNode, str | None]]:
    if isinstance(node, FunctionNode):
        yield node, None
    elif isinstance(node, ast.ClassDef):
        for one in node.body:
            if isinstance(one, FunctionNode) and one.name in {*WHEN_MADE, *attributes}:
                yield one, node.name


def _named(node: ast.expr, attribute: str, of: str | None) -> Attribute:
    text = ast.unparse(node)
    return (of if of and text in THE_CLASS else text), attribute


def attributes_changed(code: Iterable[Code], imported: Set[str]) -> Iterator[Attribute]:
    """The attributes that code changes, or what they hold.

    Of what is imported, a method is none: `np.random.shuffle` changes its argument.
    """
    for node, of in code:
        for part in _parts_changed(node):
            one = _named(part.value, part.attr, of)
            is_call = isinstance(node, ast.Call) and ast.unparse(node.func) != "setattr"
            is_method = is_call and one[0].split(".")[0] in imported
            if ast.unparse(part.value) != "self" and not is_method:
                yield one


def _parts_changed(node: ast.AST) -> Iterator[ast.Attribute]:
    """The attributes that get a value, and those whose object is written into."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        is_changing = node.func.attr in {*CHANGING, *CHANGING_ALONE}
        parts = [node.func.value] if is_changing else []
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr":
        parts = [made] if (made := _by_text(node)) else []
    elif isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
        parts = [node if isinstance(node, ast.Attribute) else node.value]
    else:
        parts = []
    yield from (part for part in parts if isinstance(part, ast.Attribute))


def _by_text(call: ast.Call) -> ast.Attribute | None:
    """The attribute that `getattr(x, "y")` asks for, and `setattr` sets."""
    name = call.args[1] if len(call.args) > 1 else None
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        return ast.Attribute(call.args[0], name.value, ast.Load())
    return None


def attributes_read(code: Iterable[Code]) -> set[Attribute]:
    """The attributes whose values code asks for, and does not only change."""
    found: set[Attribute] = set()
    parts = list(code)
    changed = {id(part) for node, _ in parts for part in _parts_changed(node)}
    for node, of in parts:
        asked: ast.AST | None = node
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr":
            asked = _by_text(node)
        is_asked = isinstance(asked, ast.Attribute) and isinstance(asked.ctx, ast.Load)
        if isinstance(asked, ast.Attribute) and is_asked and id(asked) not in changed:
            found.add(_named(asked.value, asked.attr, of))
    return found


def changed_attributes(notebook: Notebook, shared: list[Cell]) -> Found:
    """What one step changes in a class, function or module, and another asks for."""
    imported = {name for cell in shared for name in cell.names.imported}
    known = imported | {n.name for n in defined_in(shared)}
    known -= {name for cells in notebook.steps.values() for c in cells for name in c.names.bound}
    code = {step: code_of(cells, shared) for step, cells in notebook.steps.items()}
    read = {step: attributes_read(nodes) for step, nodes in code.items()}
    told: set[Attribute] = set()
    for step, nodes in code.items():
        for one in dict.fromkeys(attributes_changed(nodes, imported)):
            if one in told or not _is_kept(one, known) or _only_remembers(one, notebook, shared):
                continue
            below = [s for s in code if is_above(notebook, step, s)]
            users = [s for s in below if _asks(one, read[s]) and not _gives(one, notebook, s)]
            if users:
                told.add(one)
                yield (
                    find_use(notebook.steps[step], one[0].split(".")[0]),
                    f"step `{step}` changes `{'.'.join(one)}`, and step `{users[0]}` does not see "
                    f"it: every step starts with `{one[0].split('.')[0]}` anew",
                    "keep what changes in a variable, and pass that on",
                )


def _is_kept(one: Attribute, known: set[str]) -> bool:
    """Whether it belongs to something that every step makes."""
    parts = one[0].split(".")
    return (
        parts[0] in known
        and all(map(str.isidentifier, parts))
        and one not in LEFT_OUT
        and not {*parts, one[1]} & {*LOOKS}
    )


def _asks(one: Attribute, read: set[Attribute]) -> bool:
    """Whether it is read; what a library's class has got is read from any object."""
    is_class = "." in one[0] and one[0].rsplit(".", 1)[-1][:1].isupper()
    return one in read or (is_class and one[1] in {name for _, name in read})


def _gives(one: Attribute, notebook: Notebook, step: str) -> bool:
    """Whether a step's own cells give it a value."""
    targets = (
        target
        for cell in notebook.steps[step]
        for node in cell.nodes
        if isinstance(node, ast.Assign)
        for target in node.targets
    )
    return any(ast.unparse(target) == ".".join(one) for target in targets)


def _only_remembers(one: Attribute, notebook: Notebook, shared: list[Cell]) -> bool:
    """Whether only functions touch it that keep in it what they have computed."""
    own = [Code(node) for cells in notebook.steps.values() for cell in cells for node in cell.nodes]
    if one in attributes_read(own) or one in set(attributes_changed(own, frozenset())):
        return False
    inside = defined_in(shared)
    functions = [f for n in inside for f in _functions_of(n, _methods_of(n))]
    touching = [
        (function, ast.unparse(node))
        for function, of in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and _named(node.value, node.attr, of) == one
    ]
    return bool(touching) and all(is_memo(function, text) for function, text in touching)


def _methods_of(node: ast.AST) -> set[str]:
    body = node.body if isinstance(node, ast.ClassDef) else []
    return {one.name for one in body if isinstance(one, FunctionNode)}


def kept_defaults(notebook: Notebook, shared: list[Cell]) -> Found:
    """A default that a function changes: it lives on from call to call, within a step."""
    changing = functions_of(notebook)
    functions = [n for n in defined_in(shared) if isinstance(n, ast.FunctionDef)]
    lasting = {
        node.name: [
            name
            for name in _mutable_defaults(node)
            if name in changing[node.name].changes and not is_memo(node, name)
        ]
        for node in functions
    }
    code = (
        {s: code_of(c, shared) for s, c in notebook.steps.items()} if any(lasting.values()) else {}
    )
    for function, names in lasting.items():
        for name in names:
            arguments = changing[function].arguments
            users = [s for s in code if _calls_without(code[s], function, name, arguments)]
            if len(users) > 1:
                yield (
                    find_use(notebook.steps[users[0]], function),
                    f"`{function}` keeps what it changes in `{name}` from call to call, and step "
                    f"`{users[1]}` begins with a new `{name}`, whatever step `{users[0]}` put in",
                    f"pass `{name}` on as a variable, and give it to each call",
                )


def _mutable_defaults(node: ast.FunctionDef) -> Iterator[str]:
    arguments = [*node.args.posonlyargs, *node.args.args]
    pairs = zip(reversed(arguments), reversed(node.args.defaults), strict=False)
    for argument, default in pairs:
        is_literal = isinstance(default, ast.List | ast.Dict | ast.Set)
        called = ast.unparse(default.func) if isinstance(default, ast.Call) else ""
        if is_literal or called.rsplit(".", 1)[-1] in MUTABLE:
            yield argument.arg


def _calls_without(code: list[Code], function: str, name: str, arguments: tuple[str, ...]) -> bool:
    """Whether it is called somewhere, and not given an argument."""
    for node, _ in code:
        if not isinstance(node, ast.Call) or ast.unparse(node.func) != function:
            continue
        given = {*arguments[: len(node.args)], *(word.arg for word in node.keywords)}
        is_plain = None not in given and not any(isinstance(a, ast.Starred) for a in node.args)
        if is_plain and name not in given:
            return True
    return False
