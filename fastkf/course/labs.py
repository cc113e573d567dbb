"""The notebooks of the course, in its order: notebooks/course.toml says it, and nothing else."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from fastkf.base.errors import FastkfError
from fastkf.course import places

ORDER = "course.toml"


@dataclass(frozen=True)
class Labs:
    """The notebooks of a course; those that are not there are left out.

    Attributes:
        welcome: the notebook to begin with, which is no lab.
        core: each builds on those before it.
        electives: those to choose from, and what the order does not name.
    """

    welcome: tuple[Path, ...] = ()
    core: tuple[Path, ...] = ()
    electives: tuple[Path, ...] = ()

    @property
    def all(self) -> tuple[Path, ...]:
        """The labs."""
        return self.core + self.electives

    @property
    def notebooks(self) -> tuple[Path, ...]:
        """The labs, and the welcome before them."""
        return self.welcome + self.all

    def part(self, lab: Path) -> str:
        """The lab's place in the order, for people."""
        return str(self.core.index(lab) + 1) if lab in self.core else "elective"


def read_labs(folder: Path | None = None) -> Labs:
    """The notebooks in a folder, or in the course's; none where there is no course.

    Raises:
        FastkfError: the order cannot be read.
    """
    if folder is None and not places.COURSE:
        return Labs()
    folder = folder or places.NOTEBOOKS
    order = _read_order(folder / ORDER)
    there = {path.stem: path for path in sorted(folder.glob("[0-9]*.ipynb"))}
    welcome, core, electives = (
        tuple(there.pop(name) for name in order.get(key, ()) if name in there)
        for key in ("welcome", "core", "electives")
    )
    return Labs(welcome, core, electives + tuple(there.values()))


def _read_order(path: Path) -> dict[str, list[str]]:
    """The names below each key; {} where there is no such file, as in an older course."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise FastkfError(f"{path}: {error}", "put it right, or take the course's own") from error
    names = {key: [value] if isinstance(value, str) else value for key, value in found.items()}
    for key, value in names.items():
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise FastkfError(f"{path}: {key} is not a list of names", 'give it as ["01_name"]')
    return {key: list(dict.fromkeys(value)) for key, value in names.items()}
