"""The package of a pipeline version as text, and what differs between two of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from itertools import islice
from typing import Any

from fastkf.package.model import Package
from fastkf.server import database as db
from fastkf.server.pages.package import list_fields

MOST_LETTERS = 300_000  # of a package on a page; the whole is to download
MOST_LINES = 4_000  # of each package that are compared
MOST_CHANGES = 2_000  # lines of the difference
CONTEXT = 3


@dataclass(frozen=True)
class Line:
    """A line of a difference: `kind` is added, removed, place, or "" of one that is the same."""

    kind: str
    text: str


def show_yaml(package: Package | None) -> dict:
    """The text of a package for a page, and whether it goes on."""
    text = package.as_yaml() if package else ""
    return {"text": text[:MOST_LETTERS], "more": len(text) > MOST_LETTERS}


def compare_versions(old: Package, new: Package) -> dict:
    """What differs between two packages: their parameters, and the lines of their YAML."""
    texts = [one.as_yaml().splitlines() for one in (old, new)]
    lines = list(islice(_differ(texts[0], texts[1]), MOST_CHANGES))
    return {
        "parameters": _compare_fields(old, new),
        "lines": lines,
        "added": sum(line.kind == "added" for line in lines),
        "removed": sum(line.kind == "removed" for line in lines),
        "cut": any(len(text) > MOST_LINES for text in texts) or len(lines) == MOST_CHANGES,
    }


def describe_tags(tags: Mapping[str, Any]) -> list[str]:
    return [f"{name}={value}" if value else str(name) for name, value in sorted(tags.items())]


def order(one: db.PipelineVersion, other: db.PipelineVersion) -> tuple[Any, Any]:
    """The older version, and the newer one."""
    return (one, other) if one.created_at <= other.created_at else (other, one)


def _differ(old: list[str], new: list[str]) -> Iterator[Line]:
    kinds = {"+": "added", "-": "removed", "@": "place"}
    found = unified_diff(old[:MOST_LINES], new[:MOST_LINES], lineterm="", n=CONTEXT)
    for line in islice(found, 2, None):  # after the names of the files
        yield Line(kinds.get(line[:1], ""), line)


def _compare_fields(old: Package, new: Package) -> list[dict]:
    sides = [
        {
            field.name: f"{field.takes}{'' if field.default is None else f', {field.default}'}"
            for field in list_fields(package)
        }
        for package in (old, new)
    ]
    names = dict.fromkeys([*sides[0], *sides[1]])
    rows = [(name, [side.get(name, "–") for side in sides]) for name in names]
    return [
        {"name": name, "values": values, "differs": values[0] != values[1]} for name, values in rows
    ]
