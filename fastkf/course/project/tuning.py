"""Two points for a study of `fastkf tune`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastkf.course.project.folder import Refused, as_list, as_number, as_table
from fastkf.course.project.project import Found, Project

MANIFEST, TRIALS = "manifest.yaml", "trials.csv"
MOST_STUDIES = 20  # that are looked at
FEWEST_TRIALS = 8
FEWEST_TRIED = 5  # different assignments
ROUNDED = 0.05  # relative: a learning rate of 0.0387 may be written 0.04
NOTEBOOK = "fastkf/notebook"
SUCCEEDED = "Succeeded"
TUNE_IT = "fastkf tune NOTEBOOK --metric ... --param ... --output evidence/tune"


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        where: the table of its trials.
        names: of the parameters.
        trials: the rows of those that succeeded.
    """

    where: str
    metric: str
    maximize: bool
    names: tuple[str, ...]
    trials: tuple[dict[str, str], ...]

    @property
    def best(self) -> list[dict[str, str]]:
        """The trials than which none is better: several, where they are equal."""
        choose = max if self.maximize else min
        most = choose(as_number(row[self.metric]) or 0.0 for row in self.trials)
        return [row for row in self.trials if as_number(row[self.metric]) == most]


def tried(project: Project) -> Found:
    """At least eight trials of this notebook, judged by a metric that no test row is part of."""
    return _judge_any(project, _judge_trials)


def _judge_trials(project: Project, study: Study) -> Found:
    assignments = {tuple(row.get(name) for name in study.names) for row in study.trials}
    if len(study.trials) < FEWEST_TRIALS or len(assignments) < FEWEST_TRIED:
        raise Refused(
            study.where,
            f"{len(study.trials)} trials succeeded, with {len(assignments)} different values",
            f"at least {FEWEST_TRIALS} trials with {FEWEST_TRIED} different values: {TUNE_IT}",
        )
    if len({as_number(row[study.metric]) for row in study.trials}) == 1:
        raise Refused(
            study.where,
            f"{study.metric} is the same in all trials",
            "tune a parameter that the model depends on",
        )
    if study.metric in project.flow.touched:
        raise Refused(
            study.where,
            f"{study.metric} comes of test rows, so they have chosen the parameters",
            f"tune by a metric of validation rows: {TUNE_IT}",
        )
    return Found(study.where, f"{len(study.trials)} trials of {study.metric}")


def taken_over(project: Project) -> Found:
    """The notebook has the values of the best trial."""
    return _judge_any(project, _judge_values)


def _judge_values(project: Project, study: Study) -> Found:
    if not study.trials:
        raise Refused(study.where, "no trial has succeeded", TUNE_IT)
    own = project.notebook.parameters
    differing = [
        [name for name in study.names if not _agrees(row.get(name), own.get(name))]
        for row in study.best
    ]
    if all(differing):
        name = differing[0][0]
        raise Refused(
            study.where,
            f"the best trial has {name} = {study.best[0].get(name)}, and the notebook "
            f"{own.get(name)}",
            "write the best values into the notebook, and run it again; or say in the README "
            "why not, and show it to your instructor",
        )
    return Found(study.where, f"the best of them: {study.metric} {study.best[0][study.metric]}")


def _agrees(tuned: str | None, own: object) -> bool:
    one, other = as_number(tuned), as_number(own)
    if one is None or other is None or isinstance(own, bool):
        return str(tuned).lower() == str(own).lower()
    if isinstance(own, int):
        return one == other
    return abs(one - other) <= ROUNDED * max(abs(one), abs(other))


def _judge_any(project: Project, judge: Callable[[Project, Study], Found]) -> Found:
    """One study of the notebook that is enough is enough, whatever others lie beside it.

    Raises:
        Refused: none is, and why not the first.
    """
    own: list[Refused] = []
    others: list[Refused] = []
    for name in project.folder.named(MANIFEST)[:MOST_STUDIES]:
        try:
            if study := _read_study(project, name):
                return judge(project, study)
            others.append(Refused(name, "it tunes another notebook", TUNE_IT))
        except Refused as refused:
            own.append(refused)
    none = Refused("evidence/tune/", "there is no study of fastkf tune", TUNE_IT)
    raise next(iter([*own, *others]), none)


def _read_study(project: Project, name: str) -> Study | None:
    """The study of a manifest; None of another notebook's.

    Raises:
        Refused: it is damaged.
    """
    folder, where = project.folder, name.removesuffix(MANIFEST) + TRIALS
    manifest = _find_experiment(folder.read_documents(name))
    about = as_table(as_table(manifest.get("metadata")).get("annotations")).get(NOTEBOOK)
    if about != project.notebook.path.name:
        return None
    if where not in folder.files:
        raise Refused(name, f"beside it there is no {TRIALS}", f"hand in both: {TUNE_IT}")
    return _read(project, manifest, name, where)


def _is_within(value: str, parameter: dict[str, Any]) -> bool:
    """Whether a value is one that the study could try; where it does not say which, any is."""
    space, number = as_table(parameter.get("feasibleSpace")), as_number(value)
    if listed := as_list(space.get("list")):
        return any(value == str(one) or number == as_number(one) is not None for one in listed)
    least, most = as_number(space.get("min")), as_number(space.get("max"))
    if least is None or most is None:
        return True
    near = 1e-9 * max(abs(least), abs(most))  # of rounding
    return number is not None and least - near <= number <= most + near


def _find_experiment(documents: list[Any]) -> dict[str, Any]:
    tables = map(as_table, documents)
    return next((one for one in tables if one.get("kind") == "Experiment"), {})


def _read(project: Project, manifest: dict[str, Any], name: str, where: str) -> Study:
    spec = as_table(manifest.get("spec"))
    objective = as_table(spec.get("objective"))
    metric = str(objective.get("objectiveMetricName"))
    names = tuple(str(as_table(one).get("name")) for one in as_list(spec.get("parameters")))
    if metric not in project.notebook.metrics or not names:
        raise Refused(name, f"the notebook has no metric {metric}, or nothing is tuned", TUNE_IT)
    if missing := [one for one in names if one not in project.notebook.parameters]:
        raise Refused(name, f"the notebook has no parameter {missing[0]}", TUNE_IT)
    rows = project.folder.read_table(where)
    if missing := [one for one in ("state", metric, *names) if one not in rows[0]]:
        raise Refused(where, f"no column {missing[0]}", f"hand it in as it was written: {TUNE_IT}")
    ended = [
        row for row in rows if row["state"] == SUCCEEDED and as_number(row[metric]) is not None
    ]
    for parameter in map(as_table, as_list(spec.get("parameters"))):
        own = str(parameter.get("name"))
        if strange := [row[own] for row in ended if not _is_within(row[own], parameter)]:
            problem = f"a trial has {own} = {strange[0]}, outside of what {name} searches"
            raise Refused(where, problem, TUNE_IT)
    return Study(where, metric, objective.get("type") != "minimize", names, tuple(ended))
