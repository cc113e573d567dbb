"""The versions that requirements.txt pins."""

from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fastkf.course.places import LOCK


@cache
def read_lock(path: Path = LOCK) -> dict[str, str]:
    """Canonical package name to pinned version, for the markers of this Python and platform."""
    versions = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", " ", "-")):
            requirement = Requirement(line.split(" \\")[0])
            if requirement.marker is None or requirement.marker.evaluate():
                pinned = next(iter(requirement.specifier)).version
                versions[canonicalize_name(requirement.name)] = pinned
    return versions


def pin(package: str) -> str:
    """`package==version` as locked, else as installed here; unpinned when it is neither."""
    name = Requirement(package).name
    version = read_lock().get(canonicalize_name(name))
    if version is None:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            return package
    return f"{name}=={version}"
