"""The values of parameters as Kubeflow Pipelines passes them from step to step.

It keeps them as `google.protobuf.Value`, which has one kind of number, and writes whole ones
without a point: 1.0 arrives in a step as 1, in a dict or a list too.
"""

import json
import math
from decimal import Decimal
from typing import Any

from fastkf.base.errors import show_value
from fastkf.base.plain_data import spell_numbers

LARGEST_WITHOUT_EXPONENT = 1e21
TRUE, FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")
KINDS: dict[str, tuple[type, ...]] = {
    "STRING": (str,),
    "BOOLEAN": (bool,),
    "NUMBER_INTEGER": (int, float),
    "NUMBER_DOUBLE": (int, float),
    "LIST": (list,),
    "STRUCT": (dict,),
    "TASK_FINAL_STATUS": (dict,),
    "TASK_CONFIG": (dict,),
}


def as_passed(value: Any) -> Any:
    """A value as it arrives in a step.

    Raises:
        ValueError: no parameter can have it.
    """
    match value:
        case bool() | str() | None:
            return value
        case int() | float():
            return _as_number(value)
        case list() | tuple():
            return [as_passed(one) for one in value]
        case dict():
            return {str(name): as_passed(one) for name, one in value.items()}
    raise ValueError(f"no parameter can be {show_value(value)}")


def _as_number(value: float) -> int | float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        said = spell_numbers(value) if isinstance(value, float) else show_value(value)
        raise ValueError(f"no parameter can be {said}: there is no such number in JSON")
    is_whole = number.is_integer() and abs(number) < LARGEST_WITHOUT_EXPONENT
    return int(number) if is_whole else number


def find_infinite(value: Any, path: str = "") -> str | None:
    """Where a value has a number that is not finite, and which: `points[0].rate is NaN`.

    Args:
        path: leads to the value.
    """
    match value:
        case dict():
            parts = [(f"{path}.{name}" if path else str(name), one) for name, one in value.items()]
        case list():
            parts = [(f"{path}[{number}]", one) for number, one in enumerate(value)]
        case float() if not math.isfinite(value):
            return f"{path} is {spell_numbers(value)}"
        case _:
            return None
    return next((found for path, one in parts if (found := find_infinite(one, path))), None)


def fit(what: str, value: Any, kind: str) -> Any:
    """A value of a kind; for STRING any other becomes its text.

    Args:
        what: has the value, in words, such as "input rate".

    Raises:
        ValueError: it is of another kind.
    """
    if kind == "STRING":
        return as_text(value)
    types = KINDS.get(kind)
    is_boolean = isinstance(value, bool)
    if types is None or (isinstance(value, types) and is_boolean == (kind == "BOOLEAN")):
        return value
    raise ValueError(f"{what} is {kind}, not {show_value(value)}")


def as_text(value: Any) -> str:
    """A value as a word of a command has it."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return format(Decimal(repr(value)), "f")
    return json.dumps(value, ensure_ascii=False)


def read_text(name: str, text: str, kind: str) -> Any:
    """The value that a step has written as the text of an output parameter.

    Raises:
        ValueError: the text is of another kind.
    """
    if kind == "STRING" or kind not in KINDS:
        return text
    try:
        return _read(text.strip(), kind)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"output {name} is {kind}, not {show_value(text)}") from error


def _read(text: str, kind: str) -> Any:
    if kind in ("NUMBER_INTEGER", "NUMBER_DOUBLE"):
        return as_passed(float(text))
    if kind == "BOOLEAN":
        if text not in (*TRUE, *FALSE):
            raise ValueError(text)
        return text in TRUE
    return as_passed(fit("", json.loads(text), kind))


def as_items(value: Any) -> list[Any]:
    """What a loop goes over: a list, or its text as JSON.

    Raises:
        ValueError: it is neither.
    """
    items = value
    if isinstance(value, str):
        try:
            items = json.loads(value)
        except (ValueError, RecursionError):
            items = None
    if not isinstance(items, list):
        raise ValueError(f"a loop goes over a list, not over {show_value(value)}")
    return [as_passed(item) for item in items]
