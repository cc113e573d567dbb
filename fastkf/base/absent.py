"""Imports as they are where some optional modules are not installed."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def absent(modules: Iterable[str]) -> Iterator[None]:
    """Within it, those of the modules that are not imported yet cannot be.

    For libraries that import others where they find them, and do without where they do not. It
    holds for all threads, so it is for a process that has one. Nothing of it is left.
    """
    names = [name for name in modules if name not in sys.modules]
    # Documented (The import system, 5.3.1): what is None there cannot be imported.
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
