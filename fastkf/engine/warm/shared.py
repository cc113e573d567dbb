"""What several steps import that are not a notebook's, imported by the warm parent."""

import site
from collections.abc import Sequence
from contextlib import suppress
from importlib.machinery import PathFinder

Shared = Sequence[tuple[str, str]]


def import_installed(shared: Shared) -> None:
    """Runs import statements, but those of what is not installed, such as a file of this folder.

    Args:
        shared: modules with the statements, as `fastkf.package.imports` lists them.
    """
    installed = site.getsitepackages()
    for module, statement in shared:
        if PathFinder.find_spec(module, installed):
            with suppress(Exception):  # any module may raise anything; the step itself says so
                exec(statement, {})
