"""References to environment variables in a container's words, as the kubelet expands them."""

import re
from collections.abc import Mapping
from typing import Any

REFERENCE = re.compile(r"\$\$|\$\(([\w.-]+)\)")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """$(NAME) becomes the variable's value, where it has one, and $$ becomes $."""
    return REFERENCE.sub(lambda match: variables.get(match[1], match[0]) if match[1] else "$", text)


def expand_inside(value: Any, variables: Mapping[str, str]) -> Any:
    """The same in all texts of a JSON value."""
    if isinstance(value, str):
        return expand(value, variables)
    if isinstance(value, list):
        return [expand_inside(one, variables) for one in value]
    if isinstance(value, dict):
        pairs = value.items()
        return {expand(key, variables): expand_inside(one, variables) for key, one in pairs}
    return value


def read_variables(container: Mapping[str, Any]) -> dict[str, str]:
    """The variables whose values stand in a container's manifest; each knows those before it."""
    variables: dict[str, str] = {}
    for one in container.get("env") or []:
        variables[one["name"]] = expand(one.get("value") or "", variables)
    return variables


def read_command(container: Mapping[str, Any]) -> list[str]:
    """The words with which a container starts."""
    variables = read_variables(container)
    words = [*container["command"], *(container.get("args") or [])]
    return [expand(word, variables) for word in words]
