"""Whether an answer of the API has the form that its generated client takes for granted.

The client (kfp_server_api) makes objects of any JSON: of a text in place of a list it makes a
list of letters, and what it cannot make at all is a TypeError.
"""

import json
import re
from typing import Any

import kfp_server_api

LIST = re.compile(r"list\[(.+)\]")
DICT = re.compile(r"dict\(\w+, (.+)\)")
# int64 is a text in the JSON of gRPC.
PLAIN: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": (int, str),
    "float": (int, float),
    "bool": bool,
    "datetime": str,
}
# What everything after it is asked with.
NEEDED = {
    "V2beta1Pipeline": "pipeline_id",
    "V2beta1PipelineVersion": "pipeline_version_id",
    "V2beta1Experiment": "experiment_id",
    "V2beta1Run": "run_id",
}


def find_misfit(body: str, kind: str) -> str | None:
    """What in the body of an answer is not as it should be; None when all is.

    Args:
        body: JSON.
        kind: the type in kfp_server_api's spelling, such as "V2beta1Run" or "list[str]".
    """
    return _find_misfit(json.loads(body), kind, "the answer")


def _find_misfit_of_field(value: Any, kind: str, place: str) -> str | None:
    return None if value is None else _find_misfit(value, kind, place)


def _find_misfit(value: Any, kind: str, place: str) -> str | None:
    if inner := LIST.fullmatch(kind):
        if not isinstance(value, list):
            return f"{place} is no list"
        found = (_find_misfit(one, inner[1], f"an item of {place}") for one in value)
    elif inner := DICT.fullmatch(kind):
        if not isinstance(value, dict):
            return f"{place} is no object"
        found = (_find_misfit(one, inner[1], f"{place}.{key}") for key, one in value.items())
    elif kind in PLAIN:
        return None if isinstance(value, PLAIN[kind]) else f"{place} is of another type"
    else:
        return _find_misfit_of_model(value, kind, place)
    return next(filter(None, found), None)


def _find_misfit_of_model(value: Any, kind: str, place: str) -> str | None:
    model: Any = getattr(kfp_server_api, kind, None)
    if model is None:  # `object`, which may be anything
        return None
    if not model.openapi_types:  # a word of a list
        return None if isinstance(value, str) else f"{place} is of another type"
    if not isinstance(value, dict):
        return f"{place} is no object"
    if NEEDED.get(kind) and not value.get(NEEDED[kind]):
        return f"{place} has no {NEEDED[kind]}"
    found = (
        _find_misfit_of_field(value.get(model.attribute_map[name]), inner, name)
        for name, inner in model.openapi_types.items()
    )
    return next(filter(None, found), None)
