"""The values that a run gives to the parameters of its pipeline."""

from collections.abc import Mapping
from typing import Any

from fastkf.base.errors import UsageError
from fastkf.package import kale
from fastkf.package.errors import PackageError
from fastkf.package.model import Package


def read_arguments(package: Package, given: Mapping[str, str]) -> dict[str, Any]:
    """The given texts in the types of the pipeline's parameters.

    Raises:
        UsageError: an unknown parameter, a value of another type or one that its steps cannot
            take, or a missing one.
    """
    arguments = {}
    for name, text in given.items():
        if name not in package.parameters:
            raise UsageError(
                f"{package.path}: no parameter {name}; its parameters: {_known(package)}"
            )
        try:
            arguments[name] = package.parameters[name].read(text)
        except UsageError as error:
            raise UsageError(f"{package.path}: {error}") from None
        if problem := _find_break(package, name, arguments[name]):
            raise UsageError(f"{package.path}: {problem}", kale.WITHOUT_BREAK)
    for name in _missing(package, arguments):
        problem = f"{package.path}: parameter {name} has no default"
        raise UsageError(problem, f"give -p {name}=...")
    return arguments


def check_arguments(package: Package, given: Mapping[str, Any]) -> None:
    """Raises PackageError where `read_arguments` raises UsageError; of values in JSON."""
    for name, value in given.items():
        if name not in package.parameters:
            raise PackageError(
                f"the pipeline {package.name} has no parameter {name}; it has: {_known(package)}"
            )
        package.parameters[name].check(value)
        if problem := _find_break(package, name, value):
            raise PackageError(problem, kale.WITHOUT_BREAK)
    for name in _missing(package, given):
        raise PackageError(f"parameter {name} has no default", "give a value")


def complete_arguments(package: Package, given: Mapping[str, Any]) -> dict[str, Any]:
    """All values of a run: the defaults, and those given, as Python has them."""
    values = {**package.defaults, **given}
    return {
        name: package.parameters[name].convert(value) if name in package.parameters else value
        for name, value in values.items()
    }


def _find_break(package: Package, name: str, value: Any) -> str | None:
    """What of a value would become code of a notebook's steps."""
    found = kale.find_break(value) if package.is_kale and isinstance(value, str) else None
    return kale.explain_break(name, found) if found else None


def _missing(package: Package, given: Mapping[str, Any]) -> list[str]:
    return [
        name
        for name, parameter in package.parameters.items()
        if parameter.is_required and name not in given
    ]


def _known(package: Package) -> str:
    return ", ".join(package.parameters) or "none"
