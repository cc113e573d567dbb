"""What the pages show of a pipeline package."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fastkf.base.errors import FastkfError
from fastkf.package.model import Package
from fastkf.package.parameters import Parameter

TAKES = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    list: "a list, as JSON",
    dict: "a table, as JSON",
}


@dataclass(frozen=True)
class Field:
    """A field of a form, for a parameter of a pipeline.

    Attributes:
        kind: int, float, str, bool, list or dict.
        takes: the kind in words.
        text: what the field holds: the value given before, or the default.
        default: as tables show it; None where there is none.
    """

    name: str
    kind: str
    takes: str
    text: str
    default: str | None
    required: bool


def read_package(path: Path) -> Package | None:
    """The package of a run, in a file that the server has written; None when it is not there."""
    try:
        return _load(path, path.stat().st_mtime_ns)
    except (OSError, FastkfError):
        return None


@lru_cache(maxsize=8)
def _load(path: Path, changed: int) -> Package:
    return Package.load(path)


def list_fields(package: Package | None, given: dict | None = None) -> list[Field]:
    """The fields for a pipeline's parameters, by name.

    Args:
        given: values that a run was given before.
    """
    parameters = package.parameters.values() if package else []
    return [_make_field(parameter, given or {}) for parameter in parameters]


def show_text(value) -> str:
    """A value as text that a form's field holds."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _make_field(parameter: Parameter, given: dict) -> Field:
    default = show_text(parameter.default) if parameter.has_default else None
    is_given = parameter.name in given
    return Field(
        name=parameter.name,
        kind=parameter.python_type.__name__,
        takes=TAKES[parameter.python_type],
        text=show_text(parameter.convert(given[parameter.name])) if is_given else default or "",
        default=default,
        required=parameter.is_required,
    )
