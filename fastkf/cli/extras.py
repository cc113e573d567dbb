"""Which packages a command needs beside the core's: the extras of pyproject.toml."""

import sys
from importlib import metadata

import typer

PACKAGE = "fastkf"


def require(extra: str, words: str) -> None:
    """Ends the command with one line, as wrong use, when a package of the extra is missing.

    Args:
        words: what the user typed after `fastkf`.
    """
    if find_missing(extra):
        print(f"fastkf {words} needs: pip install '{PACKAGE}[{extra}]'", file=sys.stderr)
        raise typer.Exit(2)


def find_missing(extra: str) -> list[str]:
    """The packages of an extra, and of the extras in it, that are not installed."""
    return [name for name in list_packages(extra) if not _is_installed(name)]


def list_packages(extra: str) -> list[str]:
    """The packages of an extra for this Python and platform, as the installed metadata name them.

    None where this package is not installed itself, but on the path.
    """
    from packaging.requirements import Requirement

    try:
        requirements = [Requirement(text) for text in metadata.requires(PACKAGE) or []]
    except metadata.PackageNotFoundError:
        return []
    chosen = [one for one in requirements if one.marker and one.marker.evaluate({"extra": extra})]
    own = [one.name for one in chosen if one.name != PACKAGE]
    inner = sorted(name for one in chosen if one.name == PACKAGE for name in one.extras)
    return [*own, *(name for one in inner for name in list_packages(one))]


def _is_installed(package: str) -> bool:
    try:
        return bool(metadata.version(package))
    except metadata.PackageNotFoundError:
        return False
