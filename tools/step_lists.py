"""Writes the lists of packages of the step image, out of the lock.

    python tools/step_lists.py

`steps.txt` has what the core and the extra `steps` of pyproject.toml need, line by line as in
requirements.txt: versions, markers, hashes. `tensorflow.txt` has the lines of TensorFlow alone: it
is most of the image and changes rarely, so it gets a layer of its own.
"""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
IMAGE = PROJECT / "labs" / "kubeflow_notebooks"
NAME = re.compile(r"[A-Za-z0-9._-]+")
ITSELF = re.compile(r"fastkf\[([\w,-]+)\]")
# Who needs a package: uv writes it below the package's hashes.
NEEDED_BY = re.compile(r"^    #(?: via|  ) +([a-z0-9._-]+)", re.M)
COMMENT = re.compile(r"^ *#.*\n?", re.M)
HEADING = "# Made of requirements.txt by `make lock`: what the steps of the labs need.\n"


def main() -> None:
    lock = (PROJECT / "requirements.txt").read_text(encoding="utf-8")
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, text in make_lists(lock, settings).items():
        (IMAGE / name).write_text(text, encoding="utf-8")


def make_lists(lock: str, settings: dict) -> dict[str, str]:
    """The text of each list, by the name of its file."""
    entries = split_lock(lock)
    wanted = find_needed(entries, find_roots(settings))
    return {
        "steps.txt": write_list(entries[name] for name in entries if name in wanted),
        "tensorflow.txt": write_list([entries["tensorflow"]]),
    }


def write_list(entries: Iterable[str]) -> str:
    """The lines of packages without who needs them."""
    return HEADING + "".join(COMMENT.sub("", entry) for entry in entries)


def split_lock(lock: str) -> dict[str, str]:
    """The lines of each package, by its name: of all its versions, where Pythons need several."""
    packages: dict[str, str] = {}
    for entry in re.split(r"^(?=[a-z0-9])", lock, flags=re.M)[1:]:
        name = entry.split("==")[0]
        packages[name] = packages.get(name, "") + entry
    return packages


def find_roots(settings: dict) -> set[str]:
    """What the core and the extra `steps` name, setuptools to build them, other extras within."""
    requirements, waiting = set(settings["dependencies"]), ["steps"]
    while waiting:
        for one in settings["optional-dependencies"][waiting.pop()]:
            if within := ITSELF.fullmatch(one):
                waiting += within[1].split(",")
            else:
                requirements.add(one)
    return {NAME.match(one)[0] for one in requirements} | {"setuptools"}


def find_needed(entries: dict[str, str], roots: set[str]) -> set[str]:
    """The roots, and what they need, and what that needs."""
    needs: dict[str, set[str]] = {}
    for name, entry in entries.items():
        for needed_by in NEEDED_BY.findall(entry):
            needs.setdefault(needed_by, set()).add(name)
    found, waiting = set(), list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs.get(name, ())
    return found


if __name__ == "__main__":
    main()
