"""The versions that the packages of a step are pinned to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Self

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from fastkf.base.errors import FastkfError


@dataclass(frozen=True)
class Pins:
    """Versions of packages; those that are not among them are pinned as they are installed here.

    Attributes:
        versions: canonical package name to its version.
    """

    versions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_lock(cls, path: Path) -> Self:
        """The versions in a requirements file, for the markers of this Python and platform.

        Raises:
            FastkfError: it cannot be read, or has a line without a pin.
        """
        versions: dict[str, str] = {}
        try:
            for line in path.read_text(encoding="utf-8").splitlines():
                if line and not line.startswith(("#", " ", "-")):
                    requirement = Requirement(line.split(" \\")[0])
                    if requirement.marker is None or requirement.marker.evaluate():
                        [specifier] = requirement.specifier
                        versions[canonicalize_name(requirement.name)] = specifier.version
        except (OSError, ValueError, InvalidRequirement) as error:
            raise FastkfError(f"{path}: not a readable lock ({error})") from error
        return cls(versions)

    def pin(self, package: str) -> str:
        """`package==version`; the requirement as it is when its package is not known here."""
        name = Requirement(package).name
        version = self.versions.get(canonicalize_name(name)) or installed_version(name)
        return f"{name}=={version}" if version else package


def installed_version(name: str) -> str | None:
    """The version of a package that is installed here; None when it is not."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
