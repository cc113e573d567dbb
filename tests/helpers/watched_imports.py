"""Finds modules of the project that ask the process for its environment or folder on import.

Such a module must not be shared by commands that have other ones.
"""

import contextlib
import inspect
import os
import sys
from collections.abc import Iterator


class AsksOnImportError(Exception):
    """A module of the project asks; the message is its name."""


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Within it, a module of the project that asks on import raises AsksOnImportError."""
    kind, getcwd = type(os.environ), os.getcwd

    class Watched(kind):
        def __getitem__(self, name):
            refuse_importing_project()
            return super().__getitem__(name)

        def __iter__(self):
            refuse_importing_project()
            return super().__iter__()

    def watched_getcwd():
        refuse_importing_project()
        return getcwd()

    os.environ.__class__, os.getcwd = Watched, watched_getcwd
    try:
        yield
    finally:
        os.environ.__class__, os.getcwd = kind, getcwd


def refuse_importing_project() -> None:
    """Raises when a module of the project asks, by itself or through the standard library.

    What a library asks for, it asks for itself, whoever imports it first.
    """
    frame = inspect.currentframe()
    while frame and is_passed_on(frame.f_globals["__name__"].partition(".")[0]):
        frame = frame.f_back
    name = frame.f_globals["__name__"] if frame else ""
    if name.startswith("fastkf."):
        raise AsksOnImportError(name)


def is_passed_on(package: str) -> bool:
    return package == __name__ or package in sys.stdlib_module_names
