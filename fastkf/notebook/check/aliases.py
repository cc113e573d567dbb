"""The rule on two ways to one object: Kale saves each variable by itself, so they become two."""

import ast
from collections.abc import Iterator

from fastkf.base.python_syntax import parse_python
from fastkf.notebook.check.calls import NUMPY, PANDAS
from fastkf.notebook.check.finding import Found, Rule
from fastkf.notebook.check.mutations import objects_of, written_in
from fastkf.notebook.check.objects import kinds_around
from fastkf.notebook.check.optimizers import optimizers_apart
from fastkf.notebook.check.sharing import Share, Sharing
from fastkf.notebook.check.steps import is_above, is_understood
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import Names, is_name, last_part, root_of

PART = "_fastkf_part"  # stands for what is under a key
FITS = ("fit", "fit_transform", "fit_predict", "set_params")
UNTOUCHED = ("keys",)  # what a method says of a thing, whatever is in what it holds
Place = tuple[int, int]  # the number of a cell, and a line


def two_names(notebook: Notebook) -> Found:
    """Two names of one object, which are two objects after the step, and one of them changes."""
    if not is_understood(notebook):
        return
    yield from optimizers_apart(notebook)
    told: set[frozenset[str]] = set()
    for step, shares in Sharing(notebook).by_step.items():
        for share in shares if step in notebook.sources else ():
            pair = frozenset((share.item, share.other))
            travel = all(any(one in taken for taken in notebook.sources.values()) for one in pair)
            if pair in told or not travel or not _lasts(notebook, step, share):
                continue
            found = next(_differences(notebook, step, share), None)
            if found:
                told.add(pair)
                yield found


def _lasts(notebook: Notebook, step: str, share: Share) -> bool:
    """Whether both variables are the same at the end of the step, and stay it."""
    below = [s for s in notebook.sources if is_above(notebook, step, s)]
    both = {share.item, share.other}
    for cell in (c for s in (step, *below) for c in notebook.steps[s]):
        for statement in cell.statements:
            is_after = cell.step != step or (cell.number, statement.lineno) > share.place
            rebinds = is_after and both & Names.of(ast.Module([statement], [])).bound
            if rebinds and not _adds_in_place(notebook, cell, statement):
                return False
    return True


def _adds_in_place(notebook: Notebook, cell: Cell, statement: ast.stmt) -> bool:
    """Whether it is `x += y` of an array, a table or a list, which stays the same object."""
    if not isinstance(statement, ast.AugAssign) or not isinstance(statement.target, ast.Name):
        return False
    known = kinds_around(notebook)[cell.step or ""].before
    is_list = isinstance(statement.value, ast.List | ast.ListComp)
    return is_list or known.get(statement.target.id) in (NUMPY, PANDAS)


def _differences(notebook: Notebook, step: str, share: Share) -> Iterator[tuple[Cell, str, str]]:
    below = [s for s in notebook.sources if is_above(notebook, step, s)]
    both_ways = share.holds and not share.is_drawn
    ways = [(share.item, share.other)] + ([(share.other, share.item)] if both_ways else [])
    for one, other in ways:
        for later in [s for s in below if one in notebook.sources[s]]:
            change = next(_changes(notebook, later, one, share), None)
            users = [s for s in below if other in notebook.sources[s]]
            after = [s for s in users if s == later or is_above(notebook, later, s)]
            if not change or not any(_uses(notebook, s, other, share, change[1]) for s in after):
                continue
            yield (
                change[0],
                f"{_describe(share, step)} in the steps after it: what changes `{one}` here does "
                f"not change `{other}`",
                _remedy(share),
            )


def _remedy(share: Share) -> str:
    if share.method:
        return f"hand on `{share.item}` only, and write `{share.item}.{share.method}` there"
    if share.is_drawn:
        return f"hand on `{share.other}` only, and take `{share.other}.axes` there"
    return "hand on one of the names only"


def _describe(share: Share, step: str) -> str:
    item, other = f"`{share.item}`", f"`{share.other}`"
    if share.method and share.method.endswith(")"):
        return f"{other} shows what is in {item} in step `{step}`, and what was in it then"
    if share.method:
        return f"{other} is a method of {item} in step `{step}`, and of a copy of it"
    if share.is_drawn:
        return f"{item} is a part of {other} in step `{step}`, and of a copy of it"
    if share.holds:
        return f"{other} holds {item} in step `{step}`, and a copy of it"
    return f"{item} and {other} are one object in step `{step}`, and two"


def _changes(
    notebook: Notebook, step: str, name: str, share: Share
) -> Iterator[tuple[Cell, Place]]:
    """Where a step changes the object through one of the two names."""
    for cell in notebook.steps[step]:
        for statement in cell.statements:
            if share.is_drawn and _draws_on(statement, name):
                yield cell, (cell.number, statement.lineno)
                continue
            tree: ast.AST = ast.Module([statement], [])
            wanted = name
            if share.holds and name == share.other:
                tree, wanted = _Parts(share).visit(parse_python(ast.unparse(tree))), PART
            one = Cell(0, "code", ast.unparse(ast.fix_missing_locations(tree)))
            is_added = _adds_in_place(notebook, cell, statement) and name in one.names.bound
            is_own = share.method in objects_of(notebook).get(share.item, ())
            is_called = is_own and wanted == PART and PART in one.names.used
            if wanted in written_in(notebook, one) or is_added or is_called:
                yield cell, (cell.number, statement.lineno)


def _draws_on(statement: ast.stmt, name: str) -> bool:
    """Whether a statement does something to axes, and does not only ask for what is there."""
    for node in ast.walk(statement):
        if not isinstance(node, ast.Call):
            continue
        is_asked = last_part(node.func).startswith(("get_", "has_"))
        of = root_of(node.func) if isinstance(node.func, ast.Attribute) else None
        given = [*node.args, *(word.value for word in node.keywords if word.arg == "ax")]
        if (of == name and not is_asked) or any(is_name(one, name) for one in given):
            return True
    return False


class _Parts(ast.NodeTransformer):
    """Puts a name of its own for what a thing holds."""

    def __init__(self, share: Share) -> None:
        self._share = share

    def visit_For(self, node: ast.For) -> ast.AST:
        for one in ast.walk(node.iter):
            if isinstance(one, ast.Name) and one.id == self._share.other:
                one.id = PART
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if self._share.method and is_name(node.func, self._share.other):
            method = ast.Attribute(ast.Name(PART, ast.Load()), self._share.method, ast.Load())
            return ast.Call(method, node.args, node.keywords)
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if _leads_to(node, self._share):
            return ast.Name(PART, node.ctx)
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if _leads_to(node, self._share):
            return ast.Name(PART, node.ctx)
        is_fit = node.attr in FITS and is_name(node.value, self._share.other)
        if is_fit and self._share.key is None:
            return ast.Attribute(ast.Name(PART, ast.Load()), node.attr, node.ctx)
        return self.generic_visit(node)


def _leads_to(node: ast.Subscript | ast.Attribute, share: Share) -> bool:
    """Whether it is what is held, and not something else that is."""
    if not isinstance(node.ctx, ast.Load) or not is_name(node.value, share.other):
        return False
    if isinstance(node, ast.Subscript):
        return ast.unparse(node.slice) == share.key
    return f".{node.attr}" == share.key


def _uses(notebook: Notebook, step: str, name: str, share: Share, after: Place) -> bool:
    """Whether a step looks at the object through one of the names, from a place on."""
    for cell in notebook.steps[step]:
        parents = {id(c): node for node in cell.nodes for c in ast.iter_child_nodes(node)}
        for node in cell.nodes:
            if not is_name(node, name):
                continue
            if (cell.number, node.lineno) < after or not isinstance(node.ctx, ast.Load):
                continue
            if not share.holds or name == share.item:
                return True
            if _looks_into(node, parents, share):
                return True
    return False


def _looks_into(node: ast.AST, parents: dict[int, ast.AST], share: Share) -> bool:
    """Whether what is done with a thing has to do with what it holds under the key."""
    parent = parents.get(id(node))
    if isinstance(parent, ast.Subscript | ast.Attribute) and parent.value is node:
        if _leads_to(parent, share):
            return True
        if not isinstance(parent.ctx, ast.Load) or share.only_by_key:
            return False
        is_method = isinstance(parents.get(id(parent)), ast.Call)
        if isinstance(parent, ast.Attribute):
            is_other = (share.key or "").startswith(".") and not is_method
            return parent.attr not in UNTOUCHED and not is_other
        is_told = isinstance(parent.slice, ast.Constant) and share.key is not None
        return not is_told or share.key is None or share.key.startswith(".")
    is_length = isinstance(parent, ast.Call) and ast.unparse(parent.func) in ("len", "isinstance")
    return not share.only_by_key and (not is_length or (share.method or "").endswith(")"))


RULES = (Rule(two_names),)
