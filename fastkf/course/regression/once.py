"""A lab executed once, for the two checks that look at it: `execution` and `exercises`.

Whichever comes first executes it, in whatever process it is; the other finds what came of it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from filelock import FileLock

from fastkf.base.files import write_text
from fastkf.notebook.composition import executable_copy, whole
from fastkf.notebook.model import Notebook

SANITISING = Path(__file__).parent / "nbval.cfg"
FOLDER = "executed"


@dataclass(frozen=True)
class Execution:
    """What came of it.

    Attributes:
        code: 0 where each cell of the lab has given its committed outputs.
        told: what nbval says of those that have not.
        answers: the outputs of each cell of the solution's exercises.
    """

    code: int
    told: str
    answers: list[list[dict[str, Any]]] = field(default_factory=list)


def execute_once(notebook: Notebook, solution: Path, folder: Path) -> Execution:
    """Executes the lab, and the exercises of the solution in the same kernel, if there is one.

    Args:
        folder: keeps what came of it, for all that ask for the same in this session.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "execution.json"
    with FileLock(folder / "lock"):
        if not kept.exists():
            execution = _execute(notebook, solution, folder / "answers.json")
            write_text(kept, json.dumps(asdict(execution)))
        return Execution(**json.loads(kept.read_text()))


def _execute(notebook: Notebook, solution: Path, answers: Path) -> Execution:
    command = ["--nbval", "--nbval-sanitize-with", str(SANITISING)]
    command += ["-q", "--color=no", "-p", "no:cacheprovider", "-c", os.devnull]
    # Other plugins that are installed have nothing to do here, and take a second to import.
    command += ["--disable-plugin-autoload", "-p", f"{__package__}.nbval", "-p", "nbval.plugin"]
    if solution.exists():
        command += ["--kale-solution", str(solution.resolve()), "--kale-answers", str(answers)]
    with whole_file(notebook) as path:
        folder = notebook.path.parent
        code, told = run_pytest(notebook, [*command, "--rootdir", str(folder), path.name], folder)
    printed = json.loads(answers.read_text()) if answers.exists() else []
    return Execution(code, told.replace(path.name, notebook.path.name), printed)


def run_pytest(notebook: Notebook, words: list[str], folder: Path) -> tuple[int, str]:
    """Pytest in a process of its own; returns its exit code and what it says."""
    command = [sys.executable, "-m", "pytest", *words]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return result.returncode, result.stdout


@contextmanager
def whole_file(notebook: Notebook) -> Iterator[Path]:
    """The notebook's file; of one that refers to others, a file beside it with their cells."""
    if not notebook.references:
        yield notebook.path
        return
    home = notebook.path.parent  # nbval starts the kernel in the folder of the file
    with (
        executable_copy(whole(notebook)) as made,
        NamedTemporaryFile("wb", dir=home, prefix=".whole-", suffix=".ipynb") as file,
    ):
        file.write(made.read_bytes())
        file.flush()
        yield Path(file.name)
