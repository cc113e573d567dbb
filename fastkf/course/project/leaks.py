"""Three points for a model that knows nothing it could not know.

What a program can see of that is little: the form of the code, and the rows that are handed in. A
column that was computed from the outcome in a way of its own, only a person finds.
"""

import ast
from collections.abc import Sequence
from statistics import StatisticsError, correlation

from fastkf.course.project.derived import columns_of, find_derived
from fastkf.course.project.expressions import arguments
from fastkf.course.project.folder import Refused, as_number
from fastkf.course.project.project import Found, Project

FEWEST_ROWS = 100
TOO_GOOD = 0.995  # of the share of pairs in the right order, or of the correlation
FEWEST_OF_A_WORD = 5  # rows for each word, or words would tell the target by chance


def columns(project: Project) -> Found:
    """Neither the target, nor a copy of it, nor what is known only afterwards is a feature."""
    rows, where = project.rows, project.rows_file
    settings = project.settings
    if settings.target not in rows[0]:
        raise Refused(where, f"no column {settings.target}", "hand in the target, too")
    outcomes = [row[settings.target] for row in rows]
    if len(rows) < FEWEST_ROWS or len(set(outcomes)) < 2 or not project.features:
        raise Refused(
            where,
            f"{len(rows)} rows, {len(set(outcomes))} values of {settings.target}, "
            f"{len(project.features)} features",
            f"at least {FEWEST_ROWS} rows with both outcomes, and what the model learns from",
        )
    for name in sorted(project.features):
        if reason := tells([row[name] for row in rows], outcomes):
            raise Refused(
                where,
                f"{name} alone tells {settings.target} ({reason})",
                "ask when this column is known; if only afterwards, leave it out",
            )
    _check_names(project)
    _check_derived(project)
    late = ", ".join(sorted(settings.known_afterwards)) or "none named"
    return Found(
        where,
        f"{len(project.features)} features, none of which alone tells the target; known only "
        f"afterwards, as project.toml says: {late}",
    )


def _check_names(project: Project) -> None:
    """The features by their names: those of the rows, and those that the code has."""
    settings = project.settings
    forbidden = settings.known_afterwards | {settings.target}
    if late := sorted(project.features & forbidden):
        raise Refused(
            project.rows_file,
            f"{late[0]} is among the features, and known only afterwards",
            "leave it out of what the model learns from",
        )
    for call, place in project.flow.fits:
        first = next(iter(arguments(call)), ast.Constant(None))
        names = set(columns_of(first, project.flow.lists, project.flow.tables))
        if late := sorted(names & forbidden):
            raise Refused(
                f"{project.notebook.path.name}, {place.cell.label}",
                f"{late[0]} is among the features",
                "leave it out of what the model learns from",
            )
        differing = sorted(names ^ project.features)
        is_said = isinstance(first, ast.Subscript) and len(arguments(call)) > 1
        if names and differing and is_said:
            raise Refused(
                project.rows_file,
                f"its columns are not those that are learned from in {place.cell.label} "
                f"({', '.join(differing[:3])})",
                "hand in rows of the table that the model learns from",
            )


def _check_derived(project: Project) -> None:
    """No feature is made, row by row, of what is known only afterwards."""
    settings = project.settings
    trees = [cell.tree for cell in project.notebook.code_cells if cell.tree]
    derived = find_derived(trees, settings.known_afterwards | {settings.target})
    if late := sorted(project.features & derived.keys()):
        raise Refused(
            project.notebook.path.name,
            f"{late[0]} is made of {derived[late[0]]}, which is known only afterwards",
            "leave it out of what the model learns from",
        )


def tells(values: Sequence[str], outcomes: Sequence[str]) -> str | None:
    """Why a column alone tells the outcome; None when it does not."""
    numbers, results = list(map(as_number, values)), list(map(as_number, outcomes))
    kinds = sorted(set(outcomes))
    pairs = [(n, o) for n, o in zip(numbers, outcomes, strict=True) if n is not None]
    if len(pairs) < len(values) / 2:
        return _tells_as_word(values, outcomes)
    if len(kinds) == 2:
        area = area_under_curve(
            [n for n, o in pairs if o == kinds[1]], [n for n, o in pairs if o == kinds[0]]
        )
        return f"ROC AUC {area:.3f}" if max(area, 1 - area) > TOO_GOOD else None
    both = [
        (n, r) for n, r in zip(numbers, results, strict=True) if n is not None and r is not None
    ]
    if len({n for n, _ in both}) < 2 or len({r for _, r in both}) < 2:
        return None
    try:
        found = correlation([n for n, _ in both], [r for _, r in both])
    except (StatisticsError, OverflowError):  # numbers too small or too large to be squared
        return None
    return f"correlation {found:.3f}" if abs(found) > TOO_GOOD else None


def area_under_curve(high: Sequence[float], low: Sequence[float]) -> float:
    """The share of pairs in which the first is greater; a tie is half a pair."""
    if not high or not low:
        return 0.5
    ranked = sorted([(one, True) for one in high] + [(one, False) for one in low])
    total, position = 0.0, 0
    while position < len(ranked):
        end = position
        while end < len(ranked) and ranked[end][0] == ranked[position][0]:
            end += 1
        mean_rank = (position + 1 + end) / 2
        total += mean_rank * sum(is_high for _, is_high in ranked[position:end])
        position = end
    return (total - len(high) * (len(high) + 1) / 2) / (len(high) * len(low))


def _tells_as_word(values: Sequence[str], outcomes: Sequence[str]) -> str | None:
    """Each word comes with one outcome only, and with enough rows for that not to be chance."""
    meant: dict[str, set[str]] = {}
    for value, outcome in zip(values, outcomes, strict=True):
        meant.setdefault(value, set()).add(outcome)
    is_certain = all(len(one) == 1 for one in meant.values())
    return (
        "each value has one outcome"
        if is_certain and len(meant) * FEWEST_OF_A_WORD < len(values)
        else None
    )


def split_first(project: Project) -> Found:
    """Test rows are set aside before anything is fitted, and nothing is fitted on them."""
    flow, name = project.flow, project.notebook.path.name
    _check_known(project)
    where = f"{name}, {flow.split.cell.label}" if flow.split else name
    if not flow.fits:
        raise Refused(name, "nothing is fitted in the steps", "call fit there, where it is seen")
    found = [(place, "on test rows") for place in flow.fitted_on_test]
    for place, both in flow.fitted_on_shared:
        found.append((place, f"on rows that are test rows, too ({both})"))
    for place in flow.fitted_on_all:
        found.append((place, "on all rows, the test rows among them"))
    if found:
        place, rows = found[0]
        raise Refused(
            f"{name}, {place.cell.label}",
            f"something is fitted {rows}",
            "set the test rows aside first, and fit on training rows alone",
        )
    return Found(where, f"calls that fit: {len(flow.fits)}, none of them on test rows")


def tested_once(project: Project) -> Found:
    """The test rows are asked about in one place, once: models are compared on other rows."""
    flow, name = project.flow, project.notebook.path.name
    _check_known(project)
    places = list(dict.fromkeys(place.step for place, _ in flow.asked))
    if len(places) != 1:
        raise Refused(
            name,
            f"the model is asked about test rows in {len(places)} places "
            f"({', '.join(places[:3]) or 'no predict or score gets any'})",
            "choose on validation rows, and predict for the test rows in one step",
        )
    if looped := next((place for place, again in flow.asked if again), None):
        raise Refused(
            f"{name}, {looped.cell.label}",
            "the model is asked about test rows in a loop",
            "compare models on validation rows; predict for the test rows once, outside of loops",
        )
    if not flow.touched.intersection(project.notebook.metrics):
        raise Refused(
            name,
            f"no metric comes of {', '.join(sorted(project.settings.test_rows))}",
            "name in project.toml the rows that the model is judged by, and print as a metric "
            "what comes out",
        )
    return Found(f"{name}, {flow.asked[0][0].cell.label}", f"only in {places[0]}")


def _check_known(project: Project) -> None:
    """The notebook makes the test rows that project.toml names."""
    names, missing = project.settings.test_rows, project.flow.unbound
    if not names or missing:
        said = ", ".join(sorted(missing)) or "test_rows is empty"
        raise Refused(
            "project.toml",
            f"the notebook makes no such test rows ({said})",
            "name the variables that hold the test rows",
        )
