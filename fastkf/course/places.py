"""Where the course's own files are, and where runs go."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

COURSE_VARIABLE = "FASTKF_COURSE"
CHECKOUT = Path(__file__).resolve().parents[2]


def find_course(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of the course: the one that is named, one around the working folder, or the
    repository that this file is part of; None when there is none.

    In a Kubeflow notebook server, FASTKF_COURSE names the learner's copy in the home folder.
    """
    if named := environ.get(COURSE_VARIABLE):
        return Path(named)
    around: list[Path] = []
    with contextlib.suppress(FileNotFoundError):  # the working folder is gone
        around = [Path.cwd(), *Path.cwd().parents]
    return next((folder for folder in (*around, CHECKOUT) if is_course(folder)), None)


def is_course(folder: Path) -> bool:
    return (folder / "data" / "sources.toml").is_file() and (folder / "notebooks").is_dir()


COURSE = find_course()
PROJECT = COURSE or CHECKOUT
NOTEBOOKS = PROJECT / "notebooks"
WORKBOOK = PROJECT / "workbook"  # the learner's copies of the notebooks
DATA = PROJECT / "data"
LOCK = PROJECT / "requirements.txt"
RUNS = Path("runs")
