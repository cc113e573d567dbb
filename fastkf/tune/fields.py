"""Finds the fields of a manifest that its type does not have, by the project's own models."""

import difflib
import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

QUANTITIES = ".resources."  # Kubernetes takes these as text and as numbers


def find_misfits(value: Any, kind: Any, where: str) -> Iterator[str]:
    """What of a value does not fit a type of `kubeflow_katib_api.models`.

    The models themselves drop fields that they do not know.

    Args:
        value: plain data, as read from YAML.
        kind: a model, or the annotation of a model's field.
        where: the value's place in the manifest, for the messages.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    options = [one for one in arguments if one is not types.NoneType]
    if value is None:
        return
    if origin is Annotated or (origin in (Union, types.UnionType) and len(options) == 1):
        inner = arguments[0] if origin is Annotated else options[0]
        if origin is Annotated and isinstance(inner, type):
            yield from _find_wrong_scalar(value, kind, where)
        else:
            yield from find_misfits(value, inner, where)
    elif origin is list:
        if not isinstance(value, list):
            yield f"{where}: give a list"
            return
        for position, item in enumerate(value):
            yield from find_misfits(item, arguments[0], f"{where}[{position}]")
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{where}: give names and values"
            return
        for name, item in value.items():
            yield from find_misfits(item, arguments[1], f"{where}.{name}")
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        if "actual_instance" not in kind.model_fields:  # a union of scalars
            yield from _find_in_object(value, kind, where)
    else:
        yield from _find_wrong_scalar(value, kind, where)


def explain_unknown(name: str, known: list[str]) -> str:
    """What to do about a name that is not among the known ones."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(sorted(known))}"


def _find_in_object(value: Any, kind: type[BaseModel], where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: give fields, not {value!r}"
        return
    fields = {field.alias or name: field for name, field in kind.model_fields.items()}
    for name, item in value.items():
        place = f"{where}.{name}" if where else str(name)
        if name not in fields:
            yield f"{place}: there is no such field; {explain_unknown(str(name), list(fields))}"
        else:
            yield from find_misfits(item, fields[name].annotation, place)
    for name, field in fields.items():
        if field.is_required() and name not in value:
            yield f"{where}.{name}: missing"


def _find_wrong_scalar(value: Any, kind: Any, where: str) -> Iterator[str]:
    if QUANTITIES in where:
        return
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        problem = error.errors()[0]
        if problem["type"] == "string_type" and not isinstance(value, dict | list):
            yield f'{where}: {value!r} is not text; put it in quotes: "{value}"'
        else:
            yield f"{where}: {value!r}: {problem['msg'].lower()}"
