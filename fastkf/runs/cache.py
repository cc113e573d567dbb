"""What steps of earlier runs have put out, kept so that an equal step need not run again.

One file for each key: a record of where the outputs are, in the folder of the run that has made
them. Nothing is kept twice, so what is deleted with its run is not in the cache any more.

Format, version 1 (JSON): version, pipeline, component, run, step, node (not in older ones), made
(RFC 3339), sizes, origins, outputs (as in run.json).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from fastkf.base.clock import format_utc
from fastkf.base.files import read_inside, write_text
from fastkf.runs.describe import describe_values
from fastkf.runs.model import Values
from fastkf.runs.record import OWNERS_ALONE, read_values

VERSION = 1
FOLDER = ".cache"  # in the folder of all runs
LARGEST = 8 * 2**20  # bytes of an entry; it holds the values of output parameters


@dataclass(frozen=True)
class Entry:
    """The outputs of one step.

    Attributes:
        key: what they follow from; a hexadecimal number.
        run: the folder of the run that has made them, below that of all runs, or its whole path.
        step: the step's name in it.
        node: the task's name in it, with the numbers of iterations.
        sizes: artifact to the bytes of its files, of those that have any.
        origins: artifact to what it is known by, whichever run has taken it.
    """

    key: str
    pipeline: str
    component: str
    run: str
    step: str
    made: datetime
    outputs: Values
    sizes: Mapping[str, int] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    node: str = ""

    @property
    def size(self) -> int:
        return sum(self.sizes.values())

    @classmethod
    def read(cls, key: str, text: bytes) -> Self:
        """Raises ValueError: it is none of this version."""
        try:
            content = json.loads(text)
            if content["version"] != VERSION:
                raise ValueError(f"version {content['version']}")
            return cls(
                key=key,
                pipeline=str(content["pipeline"]),
                component=str(content["component"]),
                run=str(content["run"]),
                step=str(content["step"]),
                made=datetime.fromisoformat(content["made"]),
                outputs=read_values(content["outputs"]),
                sizes={str(name): int(size) for name, size in content["sizes"].items()},
                origins={str(name): str(one) for name, one in content["origins"].items()},
                node=str(content.get("node", "")),
            )
        except (AttributeError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"no entry of a cache: {error}") from error

    def describe(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "pipeline": self.pipeline,
            "component": self.component,
            "run": self.run,
            "step": self.step,
            "node": self.node,
            "made": format_utc(self.made),
            "sizes": dict(self.sizes),
            "origins": dict(self.origins),
            "outputs": describe_values(self.outputs),
        }


@dataclass(frozen=True)
class Store:
    """The entries of a folder of runs.

    Several processes may use one at a time: an entry is written whole, and the last one counts.

    Attributes:
        folder: of the entries; made with the first.
        runs: the folder of the runs.
    """

    folder: Path
    runs: Path

    @classmethod
    def beside(cls, runs: Path) -> Self:
        """The store of runs that are not a server's."""
        return cls(runs.resolve() / FOLDER, runs.resolve())

    @classmethod
    def of_server(cls, folder: Path) -> Self:
        """The store of the local server with this data folder."""
        return cls(folder / "cache", folder / "runs")

    def name_run(self, folder: Path) -> str:
        """A run's folder, as entries name it."""
        inside = folder.is_relative_to(self.runs)
        return str(folder.relative_to(self.runs) if inside else folder)

    def run_folder(self, entry: Entry) -> Path:
        return self.runs / entry.run

    def find(self, key: str) -> Entry | None:
        """The entry of a key; None when there is none that can be read."""
        try:
            return Entry.read(key, read_inside(self.folder, _file_name(key), LARGEST))
        except (OSError, ValueError):
            return None

    def keep(self, entry: Entry) -> None:
        """Writes an entry, in place of an earlier one of its key.

        Raises:
            OSError: it cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(entry.describe()) + "\n"
        if len(text) <= LARGEST:
            write_text(self.folder / _file_name(entry.key), text, OWNERS_ALONE)

    def forget(self, key: str) -> None:
        (self.folder / _file_name(key)).unlink(missing_ok=True)

    def entries(self) -> Iterator[Entry]:
        """Those whose run is still there, in no order."""
        for path in self.folder.glob("*.json"):
            entry = self.find(path.stem)
            if entry is not None and self.run_folder(entry).is_dir():
                yield entry

    def forget_lost(self) -> None:
        """Removes the entries of runs that are not there any more, and what is no entry."""
        kept = {entry.key for entry in self.entries()}
        for path in self.folder.glob("*.json"):
            if path.stem not in kept:
                path.unlink(missing_ok=True)


def _file_name(key: str) -> str:
    return f"{key}.json"
