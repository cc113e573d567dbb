"""The rubric: twenty points, and how a folder is given them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fastkf.course.project import leaks, readme, running, serving, tags, tuning, watching
from fastkf.course.project.folder import Folder, Refused
from fastkf.course.project.project import Criterion, Project
from fastkf.course.project.settings import read_settings

PASS_MARK = 14

# Area, what the point is for, and the function that looks for it.
RUBRIC: tuple[tuple[str, Criterion], ...] = (
    ("tags", tags.steps),
    ("tags", tags.parameters_and_metrics),
    ("pipeline", running.both_ways),
    ("pipeline", running.same_code),
    ("metrics", running.equal_metrics),
    ("metrics", running.baseline),
    ("leaks", leaks.columns),
    ("leaks", leaks.split_first),
    ("leaks", leaks.tested_once),
    ("tuned", tuning.tried),
    ("tuned", tuning.taken_over),
    ("served", serving.manifest),
    ("served", serving.answer),
    ("load", serving.loaded),
    ("load", serving.borne),
    ("recurring", watching.recurring),
    ("drift", watching.drift),
    ("drift", watching.decision),
    ("readme", readme.sections),
    ("readme", readme.numbers),
)
BY_HAND = (
    "whether the question is one that somebody has, and the baseline a fair one",
    "whether known_afterwards in project.toml names every column that is known too late",
    "columns that are computed from the outcome, and statistics computed by hand on all rows",
    "whether anything, such as a threshold, is chosen by how the test rows come out",
    "whether the runs, the load test and the recurring run are the learner's own: each of these "
    "files can be written by hand, and only looking over a shoulder shows that it was not",
    "whether what the README claims follows from its numbers",
)


@dataclass(frozen=True)
class Point:
    """One point of the rubric.

    Attributes:
        area: what it belongs to.
        criterion: its name.
        looked_for: in a sentence.
        given: whether the folder has it.
        where: the file, or the cell, that was looked at.
        found: what is there, or what is wrong.
        remedy: what to do for it; "" where it is given.
    """

    area: str
    criterion: str
    looked_for: str
    given: bool
    where: str
    found: str
    remedy: str = ""

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def check_project(path: Path, runs: Sequence[Path] = ()) -> list[Point]:
    """The twenty points of a project; nothing in its folder is run.

    Args:
        path: its folder.
        runs: folders of runs elsewhere that count, too.

    Raises:
        UsageError: it is no project.
    """
    folder = Folder(path)
    project = Project(folder, read_settings(folder), tuple(runs))
    return [_judge(area, criterion, project) for area, criterion in RUBRIC]


def _judge(area: str, criterion: Criterion, project: Project) -> Point:
    name = criterion.__name__.replace("_", "-")
    looked_for = (criterion.__doc__ or "").strip()
    try:
        found = criterion(project)
    except Refused as error:
        return Point(area, name, looked_for, False, error.where, error.problem, error.remedy or "")
    except (RecursionError, MemoryError):
        where, remedy = project.settings.notebook, "write it in smaller expressions"
        return Point(area, name, looked_for, False, where, "too deep to be read", remedy)
    return Point(area, name, looked_for, True, found.where, found.text)
