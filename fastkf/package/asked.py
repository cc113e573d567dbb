"""What an environment for steps is to have, where what they ask for is not here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from fastkf.package.installs import Install, find_installs, find_lack, list_files, list_runtime
from fastkf.package.kale import brings_source
from fastkf.package.model import Package
from fastkf.package.pins import Pins


@dataclass(frozen=True)
class Asked:
    """What an environment is to have.

    Attributes:
        requirements: all that is asked for, but for KFP.
        options: of pip.
        lacking: those that are not here, and what is.
    """

    requirements: tuple[str, ...]
    options: tuple[str, ...]
    lacking: tuple[str, ...]

    def and_packages(self, more: Sequence[str]) -> Self:
        """The same, with packages that are not here and not among the requirements."""
        known = set(filter(None, map(_name, self.requirements)))
        new = [one for one in more if _name(one) not in known]
        lacking = tuple(f"{one} (here: not installed)" for one in new)
        return type(self)((*self.requirements, *new), self.options, (*self.lacking, *lacking))


def ask(installs: Iterable[Install], runtime: Iterable[str] = ()) -> Asked | None:
    """What is to be installed for a step; None where all that it asks for is here.

    Args:
        installs: the step's; those that are not wholly known it does itself.
        runtime: packages of which any version will do.
    """
    known = [one for one in installs if one.is_known]
    wanted = list(dict.fromkeys(text for one in known for text in one.list_wanted(runtime)))
    lacking = [f"{text} ({lack})" for text in wanted if (lack := find_lack(text))]
    files = [path for one in known for path in list_files(one.options)]
    if not (lacking or files):
        return None
    options = [word for one in known if one.lacks(runtime) for word in one.options]
    return Asked(tuple(wanted), tuple(options), (*lacking, *(f"-r {path}" for path in files)))


def list_asked(package: Package) -> list[Asked]:
    """What the Python components of a package ask for, each once."""
    return list(dict.fromkeys(_list_asked(package.executors.values())))


def _list_asked(executors: Iterable[Mapping[str, Any]]) -> Iterator[Asked]:
    wanted: dict[tuple[tuple[Install, ...], tuple[str, ...]], None] = {}
    for executor in executors:
        command = [str(word) for word in (executor.get("container") or {}).get("command") or ()]
        if brings_source(command):
            *script, source = command
            wanted[tuple(find_installs(script)), list_runtime(source)] = None
    for installs, runtime in wanted:  # steps of one notebook all install the same
        if asked := ask(installs, runtime):
            yield asked


def ask_for_kernel(
    asked: Sequence[Asked], missing: Sequence[str], pins: Pins | None
) -> Asked | None:
    """What the kernel of a notebook needs: what its steps do, and what it explores with.

    Args:
        asked: for the steps; Kale has each of them ask for the same.
        missing: the packages that the notebook imports and that are not here.
    """
    steps = asked[0] if asked else Asked((), (), ())
    kernel = steps.and_packages(list(map((pins or Pins()).pin, missing)))
    return kernel if kernel.lacking else None


def _name(text: str) -> str | None:
    try:
        return canonicalize_name(Requirement(text).name)
    except InvalidRequirement:
        return None
