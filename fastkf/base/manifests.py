"""Compares a manifest with the fields that Kubernetes knows."""

import difflib
import re

from kubernetes.client import models

# A class of fields: from each field to its type, in the notation of the kubernetes package:
# `str`, `int`, `bool`, `float`, `object`, `list[TYPE]`, `dict(str, TYPE)`, or the name of a class.
Fields = dict[str, str]
PLAIN = {"str": str, "int": int, "bool": bool, "float": float}
WORDS = {"str": "a text", "int": "a whole number", "bool": "true or false", "float": "a number"}


def check_fields(value, kind: str, at: str, own: dict[str, Fields]) -> list[str]:
    """What is wrong with the fields of a value: unknown, missing, or of another type.

    Args:
        value: a part of a manifest, as YAML gives it.
        kind: its type, such as V1PodTemplateSpec.
        at: where it stands, such as spec.template.
        own: classes that the kubernetes package does not have.
    """
    if value is None or kind in ("object", "datetime"):
        return []
    if match := re.fullmatch(r"list\[(.+)\]", kind):
        if not isinstance(value, list):
            return [f"{at}: takes a list"]
        parts = [check_fields(one, match[1], f"{at}[{i}]", own) for i, one in enumerate(value)]
    elif match := re.fullmatch(r"dict\(str, (.+)\)", kind):
        if not isinstance(value, dict):
            return [f"{at}: takes names with values"]
        parts = [check_fields(one, match[1], f"{at}.{key}", own) for key, one in value.items()]
    elif kind in PLAIN:
        return _check_plain(value, kind, at)
    elif not isinstance(value, dict):
        return [f"{at}: takes fields"]
    else:
        known = own.get(kind) or _kubernetes_fields(kind)
        parts = [_missing(value, kind, at, own)]
        for name, one in value.items():
            where = f"{at}.{name}".lstrip(".")
            if name in known:
                parts.append(check_fields(one, known[name], where, own))
            else:
                parts.append([f"{where}: there is no such field{_suggest(name, known)}"])
    return [problem for part in parts for problem in part]


def _check_plain(value, kind: str, at: str) -> list[str]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # A quantity, such as the memory of a container, may be a number too.
    if kind == "str" and is_number and re.search(r"\.(limits|requests|capacity)\.", at):
        return []
    fits = is_number if kind == "float" else type(value) is PLAIN[kind]
    if fits:
        return []
    hint = f', in quotes: "{str(value).lower()}"' if kind == "str" else ""
    return [f"{at}: takes {WORDS[kind]}{hint}, not {value!r}"]


def _kubernetes_fields(kind: str) -> Fields:
    model = getattr(models, kind)
    return {model.attribute_map[name]: one for name, one in model.openapi_types.items()}


def _missing(value: dict, kind: str, at: str, own: dict[str, Fields]) -> list[str]:
    """The first required field that is not there, as the kubernetes package tells it."""
    if kind in own:
        return []
    model = getattr(models, kind)
    given = {name: value.get(field) for name, field in model.attribute_map.items()}
    try:
        model(**given)
    except ValueError as error:
        if match := re.search(r"`(\w+)`, must not be `None`", str(error)):
            return [f"{at}: the field {model.attribute_map[match[1]]} is missing"]
    return []


def _suggest(name: str, known: Fields) -> str:
    close = difflib.get_close_matches(str(name), known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are: {', '.join(known)}"
