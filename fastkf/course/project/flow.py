"""Where test rows come from in a notebook and where they go, read from its syntax trees.

Statements are followed in the order of the file. What happens inside functions is seen as far as
this: a function that fits counts as fitting what it is given, one that predicts as predicting for
it. Not seen are statistics that are computed by hand (`rows.fillna(rows.mean())`), names that are
made while it runs, and what other modules do.
"""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fastkf.course.project.derived import read_tables
from fastkf.course.project.expressions import (
    Lists,
    arguments,
    call_name,
    find_callers,
    find_sources,
    keeps_all_rows,
)
from fastkf.course.project.selections import Selection, Selections
from fastkf.course.project.statements import (
    Place,
    count_bindings,
    find_constants,
    list_places,
    read_lists,
    take_apart,
)
from fastkf.notebook.model import Notebook
from fastkf.notebook.names import Names

FITTING = frozenset(
    """
    fit fit_transform fit_predict fit_resample partial_fit train_on_batch cross_val_score
    cross_validate cross_val_predict learning_curve validation_curve permutation_test_score
    """.split()  # noqa: SIM905
)
ASKING = frozenset(
    """
    predict predict_proba predict_log_proba decision_function score score_samples evaluate
    predict_on_batch from_estimator
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Use:
    """A call that fits or predicts, and is given no test rows by their name.

    Attributes:
        looped: whether it may be carried out many times.
        fits: whether it fits; else it predicts.
        rows: those that it is given, as far as they are known.
    """

    place: Place
    looped: bool
    fits: bool
    rows: tuple[Selection, ...]


@dataclass
class Flow:
    """What was seen.

    Attributes:
        unbound: names of test rows that the notebook never makes.
        split: where test rows are made first.
        fitted_on_test: the places where something is fitted on them.
        fitted_on_all: the places where something is fitted on the rows that they are taken from.
        fitted_on_shared: the places where something is fitted on rows that are among them all the
            same, each with what both have.
        asked: the places where something predicts for them, each with whether in a loop.
        fits: the calls that fit, each with its place.
        touched: the names that what comes of test rows ends up in.
        lists: names to the texts in the lists that they stand for.
        tables: names to the columns of the tables that they stand for.
    """

    unbound: frozenset[str] = frozenset()
    split: Place | None = None
    fitted_on_test: list[Place] = field(default_factory=list)
    fitted_on_all: list[Place] = field(default_factory=list)
    fitted_on_shared: list[tuple[Place, str]] = field(default_factory=list)
    asked: list[tuple[Place, bool]] = field(default_factory=list)
    fits: list[tuple[ast.Call, Place]] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)


def follow(notebook: Notebook, test_rows: frozenset[str]) -> Flow:
    """Follows the rows that variables of these names hold."""
    code = [cell for cell in notebook.code_cells if cell.role != "functions"]
    places = take_apart([place for cell in code for place in list_places(cell)])
    trees = [cell.tree for cell in notebook.code_cells if cell.tree]
    fitting, asking = find_callers(trees, FITTING), find_callers(trees, ASKING)
    made = frozenset().union(*(place.bound for place in places)) if places else frozenset()
    flow = Flow(unbound=test_rows - made, lists=read_lists(places))
    flow.tables = read_tables((node for place in places for node in place.nodes), flow.lists)
    flow.split = next((one for one in places if one.bound & test_rows), None)
    constants = find_constants(places)
    whole = find_whole(places, flow.split, test_rows) - constants.keys()
    bindings = count_bindings(places)
    fixed = {name: value for name, value in constants.items() if bindings[name] == 1}
    chosen, uses = Selections(flow.lists, fixed), list[Use]()
    touched: set[str] = set()
    for place in places:
        for call, looped in place.calls:
            given = arguments(call)
            on_test = any(Names.of(one).loaded & touched for one in given)
            if call_name(call) in fitting:
                flow.fits.append((call, place))
                flow.fitted_on_test += [place] if on_test else []
                if any(keeps_all_rows(one, whole, flow.lists) for one in given):
                    flow.fitted_on_all.append(place)
            elif call_name(call) in asking and on_test:
                flow.asked.append((place, looped))
            if call_name(call) in fitting | asking and not on_test:
                rows = tuple(found for one in given if (found := chosen.of(one)))
                uses.append(Use(place, looped, call_name(call) in fitting, rows))
        for node in place.nodes:
            chosen.bind(node)
        _pass_on(place, touched, whole, flow.lists)
        whole -= test_rows
        touched |= place.bound & test_rows
        flow.touched |= touched
    _find_shared(flow, uses, [chosen.of(ast.Name(name)) for name in sorted(test_rows)])
    return flow


def _find_shared(flow: Flow, uses: Iterable[Use], tests: Iterable[Selection | None]) -> None:
    """Finds test rows under another name: those that are chosen by the same values."""
    known = [one for one in tests if one]
    for use in uses:
        shared = _tell_shared(use.rows, known)
        if shared and use.fits:
            flow.fitted_on_shared.append((use.place, shared))
        elif shared:
            flow.asked.append((use.place, use.looped))


def _tell_shared(rows: Iterable[Selection], tests: Sequence[Selection]) -> str | None:
    """What rows have in common with test rows, such as "month 6, 7"."""
    for one in rows:
        for test in tests:
            if values := one.shares(test):
                return f"{one.column} {', '.join(map(repr, values[:3]))}"
    return None


def _pass_on(place: Place, touched: set[str], whole: set[str], lists: Lists) -> None:
    """What a statement binds holds test rows, or all rows, where what it is made of does."""
    for node in place.nodes:
        names = Names.of(node)
        comes_of_test = bool(names.loaded & touched) and not _is_fit(node)
        touched -= set() if comes_of_test else names.bound
        touched |= names.changed if comes_of_test else set()
        if isinstance(node, ast.Assign) and keeps_all_rows(node.value, whole, lists):
            whole |= names.bound


def _is_fit(node: ast.AST) -> bool:
    """Whether a statement only fits: the model does not hold the rows, whatever they are."""
    value = getattr(node, "value", None)
    return isinstance(value, ast.Call) and call_name(value) == "fit"


def find_whole(places: list[Place], split: Place | None, test_rows: frozenset[str]) -> set[str]:
    """The names of the rows that test rows are taken from: those that make them, back to front."""
    if split is None:
        return set()
    wanted, calls = _sources(split) - test_rows, set[str]()
    for place in reversed(places[: places.index(split)]):
        if place.bound & wanted and place.cell.role != "imports":
            wanted |= _sources(place)
            calls |= _dump_calls(place)
    bindings = count_bindings(places)
    again = {name for one in places if _dump_calls(one) & calls for name in one.bound}
    return (wanted | {name for name in again if bindings[name] == 1}) - test_rows


def _dump_calls(place: Place) -> set[str]:
    """The calls whose values names get: the same call again reads the same rows again."""
    values = [node.value for node in place.nodes if isinstance(node, ast.Assign)]
    return {ast.dump(one) for one in values if isinstance(one, ast.Call) and arguments(one)}


def _sources(place: Place) -> set[str]:
    return set().union(
        *(
            find_sources(node.value) if isinstance(node, ast.Assign) else Names.of(node).loaded
            for node in place.nodes
        )
    )
