"""The values that a run gives to the parameters of its pipeline."""

from collections.abc import Mapping
from typing import Any

from fastkf.base.errors import UsageError
from fastkf.package.errors import PackageError
from fastkf.package.model import Package


def read_arguments(package: Package, given: Mapping[str, str]) -> dict[str, Any]:
    """The given texts in the types of the pipeline's parameters.

    Raises:
        UsageError: an unknown parameter, a value of another type, or a missing one.
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
    for name in _missing(package, arguments):
        problem = f"{package.path}: parameter {name} has no default"
        raise UsageError(problem, f"give -p {name}=...")
    return arguments


def check_arguments(package: Package, given: Mapping[str, Any]) -> None:
    """Raises PackageError for an unknown parameter, a value of another type, or a missing one."""
    for name, value in given.items():
        if name not in package.parameters:
            raise PackageError(
                f"the pipeline {package.name} has no parameter {name}; it has: {_known(package)}"
            )
        package.parameters[name].check(value)
    for name in _missing(package, given):
        raise PackageError(f"parameter {name} has no default", "give a value")


def complete_arguments(package: Package, given: Mapping[str, Any]) -> dict[str, Any]:
    """All values of a run: the defaults, and those given, as Python has them."""
    values = {**package.defaults, **given}
    return {
        name: package.parameters[name].convert(value) if name in package.parameters else value
        for name, value in values.items()
    }


def _missing(package: Package, given: Mapping[str, Any]) -> list[str]:
    return [
        name
        for name, parameter in package.parameters.items()
        if parameter.is_required and name not in given
    ]


def _known(package: Package) -> str:
    return ", ".join(package.parameters) or "none"
