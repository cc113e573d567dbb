"""Rules on random numbers: each step is a process, with generators of its own."""

import ast
import re
from collections.abc import Iterable, Iterator

from fastkf.notebook.check.calls import KERAS_BUILT
from fastkf.notebook.check.finding import Found, Rule, Severity
from fastkf.notebook.check.flow import (
    definitions,
    outside,
    reachable_names,
    reached_nodes,
    shared_cells,
)
from fastkf.notebook.check.kinds import full_name, imported_names
from fastkf.notebook.check.steps import is_above, is_understood
from fastkf.notebook.model import Cell, Notebook

SEEDS = ("seed", "set_seed", "manual_seed", "set_random_seed", "seed_everything")
SEEDS_OF_ALL = ("set_random_seed", "seed_everything")  # of Keras, and of Lightning
# The modules that draw from a generator which a whole process shares.
NUMPY, KERAS = "numpy.random.", "keras.random."
TORCH = "torch."
SHARED = (NUMPY, KERAS, "random.", "tensorflow.random.", TORCH)
DRAWN = tuple(one for one in SHARED if one != TORCH)
# Of PyTorch, whose other functions draw nothing: also layers, whose weights begin at random.
DRAWN_BY_TORCH = re.compile(
    r"torch\.(?:rand\w*|normal|bernoulli|multinomial|utils\.data\.random_split"
    r"|nn\.(?:\w*[Ll]inear|\w*Conv\w*|Embedding\w*|LSTM\w*|GRU\w*|RNN\w*"
    r"|MultiheadAttention|Transformer\w*))"
)
# Functions that draw from NumPy's unless they are given a seed or a generator of their own.
DRAWING = (
    *("train_test_split", "sample", "make_classification", "make_regression", "make_blobs"),
    *("make_moons", "make_circles"),
)
OWN_SEED = ("random_state", "seed", "generator", "rng")
MAKES_OWN = ("default_rng", "RandomState", "Random")


class Generators:
    """Which of the generators that a process shares are seeded, and drawn from.

    Args:
        notebook: its imports say what names stand for.
    """

    def __init__(self, notebook: Notebook) -> None:
        self._names = imported_names(notebook)

    def drawn_in(self, nodes: Iterable[ast.AST]) -> set[str]:
        return {one for call in _calls(nodes) if (one := self._drawn_by(call))}

    def seeded_in(self, nodes: Iterable[ast.AST]) -> set[str]:
        return {one for call in _calls(nodes) for one in self._seeded_by(call)}

    def made_in(self, cell: Cell) -> Iterator[tuple[str, str]]:
        """The variables of a cell that are generators of their own, each with what makes it."""
        for node in cell.statements:
            value = node.value if isinstance(node, ast.Assign) else None
            if isinstance(node, ast.Assign) and isinstance(value, ast.Call):
                name, last = self._names_of(value)
                if last in MAKES_OWN and name.startswith(SHARED):
                    targets = [one.id for one in node.targets if isinstance(one, ast.Name)]
                    yield from ((target, ast.unparse(value)) for target in targets)

    def _drawn_by(self, call: ast.Call) -> str | None:
        name, last = self._names_of(call)
        if any(word.arg in OWN_SEED for word in call.keywords) or last in (*SEEDS, *MAKES_OWN):
            return None
        if last in DRAWING:
            return NUMPY
        if "keras." in name and name.endswith(KERAS_BUILT):
            return KERAS  # whose weights begin at random
        if DRAWN_BY_TORCH.fullmatch(name) or (name.startswith(TORCH) and _shuffles(call, last)):
            return TORCH
        return next((one for one in DRAWN if name.startswith(one)), None)

    def _seeded_by(self, call: ast.Call) -> tuple[str, ...]:
        name, last = self._names_of(call)
        if last in SEEDS_OF_ALL:
            return SHARED
        return tuple(one for one in SHARED if last in SEEDS and name.startswith(one))

    def _names_of(self, call: ast.Call) -> tuple[str, str]:
        """A function's name from its module on, empty where it has none, and its last part."""
        name = full_name(call.func, self._names)
        last = call.func.attr if isinstance(call.func, ast.Attribute) else name
        return name, last.rsplit(".", 1)[-1]


def _shuffles(call: ast.Call, function: str) -> bool:
    asked = {word.arg: word.value for word in call.keywords}.get("shuffle")
    is_asked = isinstance(asked, ast.Constant) and bool(asked.value)
    return function == "DataLoader" and is_asked


def _calls(nodes: Iterable[ast.AST]) -> Iterator[ast.Call]:
    return (node for node in nodes if isinstance(node, ast.Call))


def seed_in_imports(notebook: Notebook) -> Found:
    """A seed in the imports or functions cell: the random numbers begin anew in each step."""
    if not is_understood(notebook):
        return
    generators, shared = Generators(notebook), shared_cells(notebook)
    code = {s: reached_nodes(cells, shared) for s, cells in notebook.steps.items()}
    drawing = [s for s, nodes in code.items() if generators.drawn_in(nodes)]
    using = {s: reachable_names(cells, definitions(shared)) for s, cells in notebook.steps.items()}
    for cell in shared:
        found = [(name, drawing) for name in _seeds_of(cell)]
        for variable, maker in generators.made_in(cell):
            found.append((maker, [s for s, names in using.items() if variable in names]))
        for name, steps in found:
            if len(steps) > 1:
                yield (
                    cell,
                    f"`{name}` runs in every step, so steps `{steps[0]}` and `{steps[1]}` draw "
                    "the same numbers, where the notebook goes on to others",
                    "set the seed in each step that draws, or give each call a seed of its own",
                )


def _seeds_of(cell: Cell) -> Iterator[str]:
    """The calls of a cell, outside of its functions, that set a seed."""
    for node in cell.statements:
        call = node.value if isinstance(node, ast.Expr) else None
        name = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
        if name.rsplit(".", 1)[-1] in SEEDS:
            yield name


def seed_of_another_step(notebook: Notebook) -> Found:
    """A step that draws random numbers, where only a step above sets the seed."""
    if not is_understood(notebook):
        return
    generators, shared = Generators(notebook), shared_cells(notebook)
    seeded = {
        s: generators.seeded_in(reached_nodes(cells, shared)) for s, cells in notebook.steps.items()
    }
    everywhere = {one for cell in shared for one in generators.seeded_in(outside(cell))}
    told: set[str] = set()
    for step, cells in notebook.steps.items():
        for cell in cells:
            lacking = generators.drawn_in(reached_nodes([cell], shared)) - seeded[step] - everywhere
            above = [s for s in seeded if is_above(notebook, s, step) and seeded[s] & lacking]
            if above and step not in told:
                told.add(step)
                yield (
                    cell,
                    f"step `{step}` draws random numbers, and only step `{above[-1]}` sets their "
                    "seed, in a process of its own: the numbers are other ones in each run",
                    "set the seed in this step too, or give each call a seed of its own",
                )


RULES = (
    Rule(seed_in_imports, Severity.WARNING),
    Rule(seed_of_another_step, Severity.WARNING),
)
