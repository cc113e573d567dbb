"""Kale's language of cell tags (kale/processors/constants.py, TAGS_LANGUAGE)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fastkf.notebook.reading.errors import NotPlainError

_SEGMENT = "[a-zA-Z0-9]+([a-zA-Z0-9-_.]*[a-zA-Z0-9])?"
_KEY = f"{_SEGMENT}([/]{_SEGMENT})?"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
LANGUAGE = (
    r"^skip$",
    r"^imports$",
    r"^functions$",
    r"^prev:[_a-z]([_a-z0-9]*)?$",
    r"^step:([_a-z]([_a-z0-9]*)?)?$",
    r"^notebook:([_a-z]([_a-z0-9]*)?)?$",
    r"^pipeline-parameters$",
    r"^pipeline-metrics$",
    rf"^annotation:{_KEY}:(.*)$",
    rf"^label:{_KEY}:(.*)$",
    r"^limit:([_a-z-\.\/]+):([_a-zA-Z0-9\.]+)$",
    rf"^secret:({_LABEL}(\.{_LABEL})*):([-._a-zA-Z0-9]+):([a-zA-Z_][a-zA-Z0-9_]*)$",
    r"^image:(.+)$",
    r"^cache:(enabled|disabled)$",
    r"^report:(enabled|disabled)$",
)
SPECIAL = ("skip", "pipeline-parameters", "pipeline-metrics", "imports", "functions")
_LANGUAGE = tuple(re.compile(pattern) for pattern in LANGUAGE)


@dataclass(frozen=True)
class StepConfig:
    """What the tags of a step ask for (kale/step.py, StepConfig)."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    base_image: str = ""
    enable_caching: bool | None = None
    generate_html_report: bool | None = None


@dataclass(frozen=True)
class CellTags:
    """The tags of a cell (kale/processors/nbprocessor.py, parse_cell_metadata).

    Attributes:
        step: the name of a step, or a special tag; None: the cell continues the one above.
    """

    step: str | None = None
    previous: tuple[str, ...] = ()
    config: StepConfig = StepConfig()


def is_tag(tag: str) -> bool:
    """Whether a cell tag belongs to the language."""
    return any(pattern.match(tag) for pattern in _LANGUAGE)


def read_tags(tags: Iterable[str]) -> CellTags:
    """The tags of a code cell.

    Raises:
        NotPlainError: Kale refuses one, or the cell refers to another notebook.
    """
    by_kind: dict[str, list[list[str]]] = {}
    for tag in tags:
        if not tag.isprintable() or not is_tag(tag):
            raise NotPlainError(f"the tag {tag}")
        if tag in SPECIAL:
            return CellTags(tag)
        kind, *parts = tag.split(":")
        by_kind.setdefault(kind, []).append(parts)
    steps = [parts[0] for parts in by_kind.pop("step", [])]
    if len(steps) > 1 or "" in steps or "notebook" in by_kind or (by_kind and not steps):
        raise NotPlainError("a cell's tags")
    previous = tuple(parts[0] for parts in by_kind.pop("prev", []))
    return CellTags(steps[0] if steps else None, previous, _read_config(by_kind))


def _read_config(by_kind: Mapping[str, list[list[str]]]) -> StepConfig:
    def pairs(kind: str) -> dict[str, str]:
        return {key: "".join(rest) for key, *rest in by_kind.get(kind, [])}

    images = [":".join(parts) for parts in by_kind.get("image", [])]
    return StepConfig(
        pairs("label"),
        pairs("annotation"),
        {key: value for key, value, *_ in by_kind.get("limit", [])},
        {
            variable: {"secret_name": name, "secret_key": key}
            for name, key, variable in by_kind.get("secret", [])
        },
        images[-1] if images else "",
        _switch(by_kind.get("cache", [])),
        _switch(by_kind.get("report", [])),
    )


def _switch(found: list[list[str]]) -> bool | None:
    return found[-1][0] == "enabled" if found else None
