"""What a shell offers for a word that is being typed, when Tab is pressed.

Where there is nothing to offer, shells offer files. A fault here says nothing: it would stand in
the middle of the line that somebody types.
"""

import contextlib
from collections.abc import Iterable

from fastkf.base.errors import FastkfError
from fastkf.course import places
from fastkf.course.labs import read_labs


def offer_labs(incomplete: str) -> list[str]:
    with contextlib.suppress(FastkfError, OSError):
        return begin_with(incomplete, (lab.stem for lab in read_labs().notebooks))
    return []


def offer_runs(incomplete: str) -> list[str]:
    """What has been run in this folder; of each, a command takes the newest run."""
    with contextlib.suppress(OSError):
        return begin_with(incomplete, (one.name for one in places.RUNS.iterdir() if one.is_dir()))
    return []


def offer_rules(incomplete: str) -> list[str]:
    from fastkf.notebook.check import RULES

    return begin_with(incomplete, (rule.name for rule in RULES))


def offer_data(incomplete: str) -> list[str]:
    from fastkf.course.data import read_sources

    with contextlib.suppress(FastkfError, OSError):
        return begin_with(incomplete, read_sources())
    return []


def begin_with(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
