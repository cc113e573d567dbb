"""The versions of other packages that this one was tested with."""

from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from fastkf.base.errors import FastkfError

DISTRIBUTION = "fastkf"


def check_version(package: str) -> None:
    """Checks that the installed version of a package is one that the tests have seen.

    The range is the one that this distribution asks for, so it stands once, in pyproject.toml.

    Raises:
        FastkfError: the package is not installed, or in another version.
    """
    tested = tested_versions(package)
    wanted = f"python -m pip install '{package}{tested}'"
    try:
        installed = metadata.version(package)
    except metadata.PackageNotFoundError:
        raise FastkfError(f"{package} is not installed", wanted) from None
    if not tested.contains(installed, prereleases=True):
        raise FastkfError(
            f"{package} {installed} is installed, and fastkf works with {package}{tested}", wanted
        )


def tested_versions(package: str) -> SpecifierSet:
    """The range of versions that this distribution asks for; all where it asks for none."""
    for line in metadata.requires(DISTRIBUTION) or []:
        requirement = Requirement(line)
        if canonicalize_name(requirement.name) == canonicalize_name(package):
            return requirement.specifier
    return SpecifierSet()
