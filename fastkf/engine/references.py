"""What a task's pod refers to: the Secrets and ConfigMaps of its variables and files."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from fastkf.package.given import KINDS, Given, Kind, constant_name

Table = Mapping[str, Any]
# The value of a parameter, as a task's inputs describe it; None where it has none.
Resolve = Callable[[Table], Any]


def find_name(asked: Table, kind: Kind, resolve: Resolve) -> str:
    """The name of the Secret or ConfigMap; "" where the input that names it has no value."""
    parameter = asked.get(f"{kind.field}NameParameter")
    return str((resolve(parameter) if parameter else asked.get(f"{kind.field}Name")) or "")


def list_references(asked: Table, resolve: Resolve) -> Iterator[dict[str, Any]]:
    """The variables that come from Secrets and ConfigMaps, as a pod's manifest has them."""
    for kind in KINDS:
        for one in asked.get(kind.as_env) or ():
            name = find_name(one, kind, resolve)
            for pair in one.get("keyToEnv") or () if name else ():
                chosen = {"name": name, "key": pair.get(kind.key, "")}
                optional = {"optional": one["optional"]} if "optional" in one else {}
                source = {kind.reference: chosen | optional}
                yield {"name": pair.get("envVar", ""), "valueFrom": source}


def find_variables(references: Iterable[Table], given: Given) -> dict[str, str]:
    """The variables that a container gets, as far as their values are given."""
    variables: dict[str, str] = {}
    for kind, one, chosen in _of_kinds(references):
        found = given.find(kind, chosen["name"]) or {}
        if chosen["key"] in found:
            variables[str(one["name"])] = found[chosen["key"]]
    return variables


def check_named(
    asked: Table, references: Iterable[Table], volumes: Iterable[tuple[Table, Table]], given: Given
) -> None:
    """Says what is lacking of those whose names only an input or another task says.

    The others have been looked for before the run.

    Args:
        asked: what the executor asks of Kubernetes.

    Raises:
        ValueError: names the first. On a cluster such a step waits for ever.
    """
    for kind, one, chosen in _of_kinds(references):
        name, key = chosen["name"], chosen["key"]
        if _is_needed(kind, kind.as_env, asked, name, chosen) and one["name"] not in os.environ:
            found = given.find(kind, name)
            if found is None or key not in found:
                raise ValueError(_lack(kind, name, "" if found is None else f"{key} in "))
    for kind in KINDS:
        for volume, _ in volumes:
            name, source = str(volume["name"]), volume.get(kind.field) or {}
            needed = source and _is_needed(kind, kind.as_volume, asked, name, source)
            if needed and given.find(kind, name) is None:
                raise ValueError(_lack(kind, name, ""))


def _of_kinds(references: Iterable[Table]) -> Iterator[tuple[Kind, Table, Table]]:
    for one in references:
        for kind in KINDS:
            if chosen := one["valueFrom"].get(kind.reference):
                yield kind, one, chosen


def _is_needed(kind: Kind, setting: str, asked: Table, name: str, source: Table) -> bool:
    known = {constant_name(kind, one) for one in asked.get(setting) or ()}
    return not source.get("optional") and name not in known


def _lack(kind: Kind, name: str, what: str) -> str:
    return (
        f"not given here: {what}{kind.name} {name}, for which this step would wait on a cluster; "
        f"give it with {kind.option} {name}=FILE"
    )
