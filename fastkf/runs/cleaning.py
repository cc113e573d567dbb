"""Which runs can go, so that their folders do not fill the disk."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from fastkf.base.errors import FastkfError
from fastkf.runs.model import State
from fastkf.runs.record import read_run

MARK = "keep"  # a file of this name in a run's folder
LONGEST_RUN = timedelta(days=2)  # what says that it runs for longer was ended without a word


@dataclass(frozen=True)
class Candidate:
    """A run's folder.

    Attributes:
        started: when the run started, or the folder was last written to.
        kept: why it is never removed: "kept" or "running"; None where nothing speaks for it.
    """

    folder: Path
    started: datetime
    kept: str | None


def look_at(folder: Path, now: datetime) -> Candidate:
    """What speaks for and against a run; a damaged record is judged by its file's age."""
    written = datetime.fromtimestamp((folder / "run.json").stat().st_mtime, tz=now.tzinfo)
    started, is_running = written, False
    try:
        run = read_run(folder)
        started = run.started or written
        is_running = run.state is State.RUNNING and now - written < LONGEST_RUN
    except FastkfError:
        pass
    kept = "kept" if (folder / MARK).exists() else "running" if is_running else None
    return Candidate(folder, started, kept)


def choose(
    candidates: Iterable[Candidate], now: datetime, older_than: timedelta | None, last: int
) -> list[Candidate]:
    """Those that can go: of each name all but the `last` ones, where they are old enough.

    Args:
        candidates: of one name one after the other, the oldest first.
        older_than: None where the age does not matter.
    """
    chosen: list[Candidate] = []
    for _, runs in groupby(candidates, key=lambda one: one.folder.parent):
        free = [one for one in runs if one.kept is None]
        old = free[: max(0, len(free) - last)]
        chosen += [one for one in old if older_than is None or now - one.started > older_than]
    return chosen


def measure(folder: Path) -> int:
    """How many bytes the files of a folder have."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
