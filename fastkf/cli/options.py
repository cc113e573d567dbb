"""What the commands have in common: arguments that name notebooks and parameters."""

import contextlib
import glob
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastkf.base.errors import UsageError
from fastkf.cli.completion import offer_labs
from fastkf.course.labs import read_labs
from fastkf.runs.compare import Tolerance

if TYPE_CHECKING:
    from fastkf.package.given import Given

NotebookName = Annotated[
    str,
    typer.Argument(
        metavar="NOTEBOOK",
        help="A lab's name, or the path of any Kale notebook.",
        autocompletion=offer_labs,
    ),
]

NotebookNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NOTEBOOK]...",
        help="Labs' names or paths; every lab when none.",
        autocompletion=offer_labs,
    ),
]

Brought = Annotated[
    list[str] | None,
    typer.Option(
        "--bring", metavar="FILE", help="A file or folder that the steps find, as in their image."
    ),
]

Tolerances = Annotated[
    list[str] | None,
    typer.Option(
        "--tolerance",
        metavar="[METRIC=]NUMBER",
        help="How far numbers may be apart, relative to the larger one [1e-9].",
    ),
]


Secrets = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="NAME=FILE",
        help="A Secret that steps take: NAME=VALUE lines, a folder, or its YAML.",
    ),
]

ConfigMaps = Annotated[
    list[str] | None,
    typer.Option("--config-map", metavar="NAME=FILE", help="The same for a ConfigMap."),
]

Volumes = Annotated[
    list[str] | None,
    typer.Option("--volume", metavar="NAME=FOLDER", help="The folder that is a volume here."),
]

NoLimits = Annotated[
    bool,
    typer.Option(
        "--no-limits", help="Let steps use more memory and processors than the pipeline allows."
    ),
]

AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print JSON, and all else to standard error."),
]

Offline = Annotated[
    bool,
    typer.Option("--offline", help="Fetch no packages; what is not here is named instead."),
]


def find_notebooks(names: list[str] | None) -> list[Path]:
    """The notebooks of these names; every lab's when there are no names.

    Raises:
        UsageError: there is nothing of that name, or nothing at all.
    """
    found = [find_notebook(name) for name in names] if names else list(read_labs().all)
    if not found:
        raise UsageError(
            "there is no course here whose labs could be meant", "name a notebook, as in my.ipynb"
        )
    return found


def find_notebook(name: str) -> Path:
    """The path of a lab, by its name (02_titanic, titanic, 02), or of any notebook, by its path.

    Raises:
        UsageError: there is neither.
    """
    path = Path(name)
    if path.exists():
        return path
    known_labs = read_labs().notebooks
    if path.suffix:
        raise UsageError(
            f"{name}: {'a link that leads nowhere' if path.is_symlink() else 'no such file'}",
            "`fastkf list` shows the labs" if known_labs else None,
        )
    labs = [lab for lab in known_labs if name in (lab.stem, *lab.stem.split("_", 1))]
    if len(labs) != 1:
        known = ", ".join(lab.stem for lab in known_labs)
        there = f"the labs: {known}" if known else "there is no course here, so give its path"
        raise UsageError(f"{name}: no such lab or notebook; {there}")
    return labs[0]


def find_all_notebooks(names: list[str] | None) -> list[Path]:
    """The notebooks of these names, those in folders and those of patterns among them.

    Raises:
        UsageError: there is nothing of that name, or nothing at all.
    """
    found: list[Path] = []
    for name in names or []:
        path = Path(name)
        if path.is_dir():
            found += list_notebooks(find_tested(name))
        elif not path.exists() and any(sign in name for sign in "*?["):
            found += _match(name)
        else:
            found.append(find_notebook(name))
    return list(dict.fromkeys(found)) if names else find_notebooks(None)


def list_notebooks(folder: Path) -> list[Path]:
    """The notebooks in a folder and below, without those in hidden folders.

    Links that lead nowhere, and pipes, are passed over: the other notebooks can be read.
    """
    return [
        path
        for path in sorted(folder.rglob("*.ipynb"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]


def _match(pattern: str) -> list[Path]:
    found = sorted(Path(path) for path in glob.glob(pattern, recursive=True))
    found = [path for path in found if path.suffix == ".ipynb"]
    if not found:
        raise UsageError(f"{pattern}: no notebook (.ipynb) matches")
    return found


def find_tested(name: str) -> Path:
    """A folder of notebooks, or what `find_notebook` finds.

    Raises:
        UsageError: there is no such thing, or no notebook in it.
    """
    path = Path(name) if Path(name).is_dir() else find_notebook(name)
    if not path.exists():
        raise UsageError(f"{name}: no such notebook or folder")
    if path.is_dir() and not list_notebooks(path):
        raise UsageError(f"{name}: no notebook (.ipynb) is in this folder or below it")
    return path


def parse_parameters(words: list[str]) -> dict[str, str]:
    """NAME=VALUE words as a dictionary.

    Raises:
        UsageError: a word is of another form, or a name is given two values.
    """
    parameters: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name.isidentifier() and equals):
            raise UsageError(f"-p {word}: give a parameter as NAME=VALUE")
        if parameters.get(name, value) != value:
            raise UsageError(
                f"-p {word}: {name} is {parameters[name]} already", "give it one value"
            )
        parameters[name] = value
    return parameters


def parse_assignments(words: list[str], option: str) -> dict[str, str]:
    """NAME=VALUE words of an option as a dictionary.

    Raises:
        UsageError: a word is of another form.
    """
    pairs = [word.partition("=") for word in words]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise UsageError(f"{option} {name}{equals}{value}: give it as NAME=VALUE")
    return {name: value for name, _, value in pairs}


def parse_given(
    secrets: list[str] | None,
    config_maps: list[str] | None,
    volumes: list[str] | None,
    no_limits: bool,
) -> "Given":
    """What options give a run in the place of a cluster.

    Raises:
        UsageError: a word is of another form, or a file cannot be read.
    """
    from fastkf.package.given import read_given

    given = read_given(
        parse_assignments(secrets or [], "--secret"),
        parse_assignments(config_maps or [], "--config-map"),
        parse_assignments(volumes or [], "--volume"),
    )
    return given.without_limits() if no_limits else given


def parse_tolerance(words: list[str]) -> Tolerance:
    """NUMBER and METRIC=NUMBER words.

    Raises:
        UsageError: a word is of another form, or no number from 0 on.
    """
    usual, named = None, dict[str, float]()
    for word in words:
        metric, _, text = word.rpartition("=")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise UsageError(f"--tolerance {word}: give it as NUMBER, or as METRIC=NUMBER")
        if metric:
            named[metric] = number
        else:
            usual = number
    return Tolerance(usual, named)


def parse_days(text: str) -> float:
    """Days of at most a hundred years, as Typer hands them over."""
    return _parse_amount(text, 36_500)


def parse_seconds(text: str) -> float:
    return _parse_amount(text, 10**9)


def _parse_amount(text: str, most: int) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= (amount := float(text)) <= most:  # which no NaN is
            return amount
    raise typer.BadParameter(f"{text} is no number from 0 to {most}")


def ask(question: str, remedy: str) -> bool:
    """Whether the person at the terminal says yes.

    Raises:
        UsageError: there is nobody; the remedy is what to do then.
    """
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to be asked", remedy)
    return typer.confirm(question)
