"""Compares a manifest with the pydantic model of its kind.

The models themselves drop fields that they do not know. Here an unknown field is a misfit, as a
value of the wrong type is, and both are named by their place.
"""

import difflib
import types
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

Step = str | int  # of a place: a field's name, or an index
# What a fault of pydantic says of the value that belongs there.
WANTED = {
    "list_type": "a list",
    "dict_type": "names with values",
    "model_type": "fields",
    "model_attributes_type": "fields",
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
}


def find_misfits(value: object, model: type[BaseModel], at: str = "") -> list[str]:
    """What of a value does not fit a model: fields that are unknown, missing, or of another type.

    Args:
        value: plain data, as read from YAML.
        model: the model of the value's kind, such as `kubeflow_katib_api.models.V1beta1Experiment`.
        at: the value's place in its manifest, for the texts.

    Returns:
        A text for each place, which it begins with.
    """
    try:
        model.model_validate(value, extra="forbid", by_alias=True, by_name=False)
    except ValidationError as error:
        misfits: dict[str, str] = {}
        for fault in error.errors(include_url=False):
            steps = _steps_through(value, model, fault["loc"])
            if not _is_scalar_of_union(fault, model, steps):
                place = _join(at, steps)
                misfits.setdefault(place, _describe(fault, model, at, steps))
        return list(misfits.values())
    return []


def without_nulls(value: Any) -> Any:
    """Plain data without the fields that are null, which the API server takes for left out."""
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [without_nulls(one) for one in value]
    return value


def suggest(name: str, known: Iterable[str]) -> str:
    """What to do about a name that is not among the known ones."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"


def _describe(fault: ErrorDetails, model: type[BaseModel], at: str, steps: Sequence[Step]) -> str:
    place, value = _join(at, steps), fault["input"]
    if fault["type"] == "extra_forbidden":
        known = _fields(_kind_at(model, steps[:-1]))
        return f"{place}: there is no such field; {suggest(str(steps[-1]), known)}"
    is_missing = fault["type"] == "missing" or value is None
    if is_missing and steps and isinstance(steps[-1], str):
        return f"{_join(at, steps[:-1])}: the field {steps[-1]} is missing"
    is_union = _is_union(_kind_at(model, steps))
    wanted = "a text or a number" if is_union else WANTED.get(fault["type"])
    if wanted is None:
        return f"{place}: {value!r}: {fault['msg'].removeprefix('Value error, ')}"
    is_plain = isinstance(value, bool | int | float)
    hint = f', in quotes: "{str(value).lower()}"' if wanted == "a text" and is_plain else ""
    return f"{place}: takes {wanted}{hint}, not {value!r}"


def _steps_through(value: Any, model: type[BaseModel], location: Sequence[Step]) -> list[Step]:
    """The part of a fault's location that leads through the data.

    Behind it pydantic names the member of a union, or the key of a dictionary, that was tried.
    """
    steps: list[Step] = []
    for step in location:
        if isinstance(value, dict) and not _is_union(_kind_at(model, steps)):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step]
        else:
            break
        steps.append(step)
    return steps


def _is_scalar_of_union(fault: ErrorDetails, model: type[BaseModel], steps: Sequence[Step]) -> bool:
    """Whether it is a text or a number where both are right, such as a port or a quantity.

    The generated models have a class for such a value, which makes one of `actual_instance` only.
    """
    is_scalar = isinstance(fault["input"], str | int | float)
    return is_scalar and _is_union(_kind_at(model, steps))


def _is_union(kind: Any) -> bool:
    return "actual_instance" in _fields(kind)


def _kind_at(kind: Any, steps: Iterable[Step]) -> Any:
    """The type of what stands at a place below a value of a type; None when it has none."""
    for step in steps:
        arguments = get_args(kind)
        if get_origin(kind) in (list, dict):
            kind = _bare(arguments[-1])
        else:
            field = _fields(kind).get(str(step))
            kind = _bare(field.annotation) if field else None
    return kind


def _bare(kind: Any) -> Any:
    """A type without what says that it is strict, or may be None."""
    while get_origin(kind) in (Annotated, Union, types.UnionType):
        kind = next(one for one in get_args(kind) if one is not types.NoneType)
    return kind


def _fields(kind: Any) -> dict[str, FieldInfo]:
    """The fields of a model by the names that they have in a manifest."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return {}
    return {field.alias or name: field for name, field in kind.model_fields.items()}


def _join(at: str, steps: Iterable[Step]) -> str:
    text = at
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")
