"""Which keys and addresses of the terminal a step reads, though nothing gives them to its pod.

Steps inherit the variables of the terminal, which stand for Secrets that a package asks for. A step
that reads one that the package does not ask for, such as OPENAI_API_KEY, finds it here alone: it is
told which. Only names of keys and of services' addresses are watched: what else a terminal has,
such as LANG, an image has too, or nobody needs.
"""

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

WATCHED = "FASTKF_WATCHED"  # names of variables
READ = "variables"  # in a step's folder: the names of those that it has read, one a line
NAMED = re.compile(
    r"(?:\w+_)?(?:KEY|KEYS|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|URI|URL|ENDPOINT)(?:_\w+)?"
)
# Of tools that work on this machine, and of its way to the network.
OF_TOOLS = re.compile(
    r"(?:FASTKF|KF|KFP|_KFP|PIP|UV|CONDA|JUPYTER|IPYTHON|VSCODE|GIT|GITHUB|SSH|GPG|XDG|DBUS|DOCKER|"
    r"PYTHON|PYTEST|COVERAGE|BASH|ZSH|TERM|WSL)_\w+"
)


def list_watched(given: Iterable[str]) -> list[str]:
    """The variables of this process that are watched.

    Args:
        given: the names of those that the step has, or should have, from elsewhere.
    """
    known = set(given)
    return sorted(
        name
        for name in os.environ
        if NAMED.fullmatch(name) and not OF_TOOLS.fullmatch(name) and name not in known
    )


def watch(folder: Path) -> None:
    """From here on, notes in a step's folder which of the watched variables this process reads."""
    names = os.environ.get(WATCHED, "").split()
    if names:
        _Watching.names, _Watching.note = set(names), folder / READ
        os.environ.__class__ = _Watching


def read_noted(folder: Path) -> list[str]:
    """The watched variables that a step has read."""
    with suppress(OSError):
        return sorted(set((folder / READ).read_text(encoding="utf-8").split()))
    return []


class _Watching(os._Environ):  # type: ignore[type-arg]  # noqa: SLF001
    """Variables that know when one of them is read; not when all of them are copied."""

    names: set[str] = set()
    note = Path()
    _copied: deque[str] = deque()

    def __iter__(self) -> Iterator[str]:
        names = list(super().__iter__())
        _Watching._copied = deque(names)
        return iter(names)

    def __getitem__(self, name: str) -> str:
        value: str = super().__getitem__(name)
        if self._copied and self._copied[0] == name:
            self._copied.popleft()
        elif name in self.names:
            self.names.discard(name)
            with suppress(OSError), self.note.open("a", encoding="utf-8") as file:
                file.write(f"{name}\n")
        return value
