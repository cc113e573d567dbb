"""Which notebooks passed every check, and what they were made of then."""

import hashlib
import json
from pathlib import Path

from fastkf.base.errors import FastkfError
from fastkf.base.files import write_text
from fastkf.course import places
from fastkf.course.data import read_sources
from fastkf.course.regression.checks import golden_path, solution_path
from fastkf.notebook.composition import find_part
from fastkf.notebook.model import Notebook, read

GREEN = "last_green.json"


def fingerprint(notebook: Notebook) -> str:
    """A hash of all that a notebook's checks depend on: it, its data, the lock, the toolkit."""
    digest = hashlib.sha256()
    files = [notebook.path, solution_path(notebook), golden_path(notebook), places.LOCK]
    files += [find_part(notebook, cell) for cell in notebook.references.values()]
    files += sorted(Path(__file__).parents[2].rglob("*.py"))
    sources = read_sources()
    files += [
        places.DATA / name / file.name
        for name in notebook.course.needs
        for file in sources[name].files
    ]
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes() if file.exists() else b"").digest())
    return digest.hexdigest()


def keep(passed: dict[Path, bool], quick: bool) -> None:
    """Remembers of each notebook whether it passed, and what it was made of.

    Where nothing can be written, it says so: the checks have ended as they have.
    """
    if not passed:
        return
    record = read_green()
    for path, all_passed in passed.items():
        record.pop(_key(path, quick), None)
        if all_passed:
            record[_key(path, quick)] = fingerprint(read(path))
    try:
        places.RUNS.mkdir(exist_ok=True)
        write_text(places.RUNS / GREEN, json.dumps(record, indent=2))
    except OSError as error:
        print(f"\nWhat passed is not remembered for --changed: {error.filename}: {error.strerror}")


def is_green(path: Path, quick: bool) -> bool:
    """Whether the notebook passed when it, its data, the lock and the toolkit were as they are."""
    keys = {_key(path, mode) for mode in {False, quick}}
    known = {value for key, value in read_green().items() if key in keys}
    try:
        return fingerprint(read(path)) in known
    except FastkfError:
        return False


def read_green() -> dict[str, str]:
    try:
        return json.loads((places.RUNS / GREEN).read_text())
    except (OSError, ValueError):
        return {}


def _key(path: Path, quick: bool) -> str:
    return f"{'quick' if quick else 'full'} {path.resolve()}"
