"""Three points for what comes after: a recurring run, and a report on drift."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from fastkf.base import clock
from fastkf.course.project.folder import Refused, as_list, as_number, as_table
from fastkf.course.project.project import Found, Project
from fastkf.server.schedule import ScheduleError, read_schedule

FEWEST_PERIODS = 2
MOST_TAGS = 50_000  # of an HTML page
SHIFT = {"psi", "population_stability_index"}
DISTANCE = {"ks", "kolmogorov_smirnov", "ks_statistic"}
OUTCOME = {
    "auc", "roc_auc", "accuracy", "f1", "rmse", "mae", "mse", "r2", "log_loss", "brier", "error",
}  # fmt: skip
DECISION = {"retrain", "decision", "action", "alarm", "promote"}
NAMES = ("feature", "column", "name", "variable")
PERIODS = ("period", "month", "group", "batch", "week", "day")
SCHEDULE_IT = (
    "create a recurring run on fastkf server, and keep what it answers "
    "(labs/project/example/schedule.py does both)"
)
MEASURE_IT = 'let a step write drift.json: {"2013-07": {"hour": {"psi": 0.004, "ks": 0.016}}}'


@dataclass(frozen=True)
class Measured:
    """How far one feature has moved in one period."""

    period: str
    feature: str
    psi: float | None
    ks: float | None


def recurring(project: Project) -> Found:
    """A recurring run of this pipeline that is switched on, with when it runs."""
    folder = project.folder
    where = folder.find("recurring run", SCHEDULE_IT, "recurring*.json", "recurring*.y*ml")
    own = project.notebook.pipeline_name
    run = _find_recurring(folder.read_documents(where), own)
    trigger = as_table(run.get("trigger"))
    schedule = as_table(trigger.get("cron_schedule") or trigger.get("cronSchedule"))
    period = as_table(trigger.get("periodic_schedule") or trigger.get("periodicSchedule"))
    cron = " ".join(str(schedule.get("cron") or "").split())
    seconds = as_number(period.get("interval_second") or period.get("intervalSecond"))
    if cron:
        _check_cron(cron, where)
    elif not (seconds and seconds > 0):
        raise Refused(where, "no cron expression and no interval that says when", SCHEDULE_IT)
    modes = {str(run.get(key)).upper() for key in ("mode", "status", "enabled") if key in run}
    if not modes & {"ENABLE", "ENABLED", "TRUE"} or modes & {"DISABLE", "DISABLED", "FALSE"}:
        raise Refused(where, "it is not switched on", "enable it, and keep the answer again")
    name = _pipeline_of(run)
    if own not in name:
        raise Refused(
            where,
            f"it runs {name or 'a pipeline without a name'}, and the notebook is {own}",
            "take the package that `fastkf compile` makes of the notebook, and name the "
            f"recurring run after it: {own}-monthly",
        )
    return Found(where, cron or f"every {seconds:g} s")


def _check_cron(cron: str, where: str) -> None:
    try:
        schedule = read_schedule({"cron_schedule": {"cron": cron}})
    except ScheduleError as error:
        raise Refused(where, f"no cron expression that says when: {error}", SCHEDULE_IT) from error
    if schedule.after(clock.now()) is None:
        raise Refused(where, f"{cron} never comes", SCHEDULE_IT)


def _find_recurring(documents: list[Any], own: str) -> dict[str, Any]:
    """The recurring run as the API has it, alone or in a list, or a ScheduledWorkflow.

    Of a list, the first of one's own pipeline.
    """
    for one in map(as_table, documents):
        for key in ("recurringRuns", "recurring_runs"):
            if listed := list(map(as_table, as_list(one.get(key)))):
                return next((run for run in listed if own in _pipeline_of(run)), listed[0])
        if one.get("kind") == "ScheduledWorkflow":
            named = {"display_name": as_table(one.get("metadata")).get("name")}
            return {**named, **as_table(one.get("spec"))}
        if one:
            return one
    return {}


def _pipeline_of(run: dict[str, Any]) -> str:
    """What it runs: the package's own name; without a package, its own name."""
    spec = as_table(run.get("pipeline_spec") or run.get("pipelineSpec"))
    spec = as_table(spec.get("pipeline_spec")) or spec
    about = as_table(spec.get("pipelineInfo")).get("name")
    return str(about or run.get("display_name") or run.get("displayName") or "")


def drift(project: Project) -> Found:
    """PSI and KS of each feature, in two later periods or more."""
    where, content = read_report(project)
    measured = [one for one in list_measured(content) if one.feature in project.features]
    periods = {one.period for one in measured}
    if len(periods) < FEWEST_PERIODS:
        raise Refused(
            where,
            f"{len(periods)} periods with a PSI or a KS of the model's features",
            f"at least {FEWEST_PERIODS}; {MEASURE_IT}",
        )
    for one in measured:
        is_right = (one.psi is None or one.psi >= 0) and (one.ks is None or 0 <= one.ks <= 1)
        if not is_right:
            raise Refused(
                where, f"{one.feature}: a PSI is at least 0, a KS 0 to 1", "compute it again"
            )
    both = {one.feature for one in measured if one.psi is not None and one.ks is not None}
    if missing := sorted(project.features - both):
        raise Refused(where, f"{missing[0]} has no PSI or no KS", MEASURE_IT)
    if len(_distinct(measured)) < len(periods):
        raise Refused(where, "two periods have the same numbers", "compute them for each period")
    if len({(one.psi, one.ks) for one in measured}) <= len(periods):
        raise Refused(where, "all features have the same numbers", "compute them from the rows")
    return Found(where, f"{len(both)} features in {len(periods)} periods")


def _distinct(measured: list[Measured]) -> set[frozenset[tuple[str, float | None, float | None]]]:
    """What was measured in each period; periods of which the same is said are one."""
    of_period: dict[str, set[tuple[str, float | None, float | None]]] = {}
    for one in measured:
        of_period.setdefault(one.period, set()).add((one.feature, one.psi, one.ks))
    return set(map(frozenset, of_period.values()))


def decision(project: Project) -> Found:
    """How good the model was in each period, and what follows from it."""
    where, content = read_report(project)
    count, decided = _count_outcomes(content)
    if count < FEWEST_PERIODS:
        raise Refused(
            where,
            "how good the model was in each period is not there",
            'give each period its own, too: "auc": 0.65',
        )
    if not decided:
        raise Refused(
            where, "what follows is not there", 'say it, and by which rule: "retrain": ["2013-07"]'
        )
    return Found(where, f"the model's quality in {count} periods, and a decision")


def _count_outcomes(content: Any) -> tuple[int, bool]:
    """How many numbers say how good the model was, and whether anything follows from them."""
    if isinstance(content, Page):
        rows = [len(table) - 1 for table in content.tables if any(map(_is_outcome, table[0]))]
        return max(rows, default=0), any(word in content.text.lower() for word in DECISION)
    found = list(_walk(content))
    # One place is one period: a rule such as "retrain_below_auc" stands alone, above them.
    places = {
        path
        for path, key, value in found
        if _is_outcome(key) and "below" not in key and as_number(value) is not None
    }
    said = [value for _, key, value in found if _key(key) in DECISION]
    return len(places), any(value not in (None, "") for value in said)


def _is_outcome(name: object) -> bool:
    return bool({_key(name), *_key(name).split("_")} & OUTCOME)


class Page(HTMLParser):
    """The tables of an HTML page as rows of texts; nothing of it is run or fetched."""

    def __init__(self, text: str):
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.words: list[str] = []
        self.is_open = False
        self.feed(text)
        self.tables = [table for table in self.tables if table and table[0]]

    @property
    def text(self) -> str:
        return "".join(self.words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
            self.is_open = False  # of the table around it
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables and self.tables[-1]:
            self.tables[-1][-1].append("")
            self.is_open = True

    def handle_endtag(self, tag: str) -> None:
        self.is_open = self.is_open and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.is_open:
            self.tables[-1][-1][-1] += data.strip()


def read_report(project: Project) -> tuple[str, Any]:
    """The drift report and its file: the content of its JSON, or an HTML page."""
    folder = project.folder
    where = folder.find("drift report", MEASURE_IT, "*drift*.json", "*drift*.html")
    if where.endswith(".html"):
        text = folder.read(where)
        if text.count("<") > MOST_TAGS:
            raise Refused(where, f"a page of more than {MOST_TAGS:,} tags", MEASURE_IT)
        return where, Page(text)
    return where, folder.read_json(where)


def list_measured(content: Any) -> Iterator[Measured]:
    """What a report says of features, whatever its form: by keys, in lists, in tables."""
    if isinstance(content, Page):
        for number, table in enumerate(content.tables):
            heads = list(map(_key, table[0]))
            for cells in table[1:]:
                yield from _measured(
                    (f"table {number + 1}",), dict(zip(heads, cells, strict=False))
                )
        return
    for path, key, value in _walk(content):
        if isinstance(value, dict):
            yield from _measured((*path, key), {_key(name): one for name, one in value.items()})


def _measured(path: tuple[str, ...], row: dict[str, Any]) -> Iterator[Measured]:
    psi = next((as_number(row[name]) for name in SHIFT if name in row), None)
    ks = next((as_number(row[name]) for name in DISTANCE if name in row), None)
    if psi is None and ks is None:
        return
    own = next((str(row[name]) for name in NAMES if name in row), None)
    period = next((str(row[name]) for name in PERIODS if name in row), None)
    if own:
        # A list of features is one period, and so is a table of them by their names.
        around = path[:-1] if path[-1] == own or path[-1].startswith("[") else path
        yield Measured(period or "/".join(around), own, psi, ks)
        return
    # Periods may hold features, or features periods: only one of these names is a feature's.
    yield Measured(period or "/".join(path[:-1]), path[-1], psi, ks)
    if len(path) > 1:
        yield Measured(period or "/".join((*path[:-2], path[-1])), path[-2], psi, ks)


def _walk(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """Each value inside others, with the keys that lead to it; in a list, [0]."""
    if isinstance(value, dict):
        inner = [(str(key), one) for key, one in value.items()]
    elif isinstance(value, list):
        inner = [(f"[{number}]", one) for number, one in enumerate(value)]
    else:
        return
    for key, one in inner:
        yield path, key, one
        yield from _walk(one, (*path, key))


def _key(text: object) -> str:
    return re.sub(r"[^a-z0-9]+", "_", str(text).lower()).strip("_")
