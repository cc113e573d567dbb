"""What several rules ask of a notebook, found out once."""

import functools
from collections.abc import Callable
from typing import TypeVar

from fastkf.notebook.model import Notebook

T = TypeVar("T")


def once(find: Callable[[Notebook], T]) -> Callable[[Notebook], T]:
    """Makes a function keep with the notebook what it finds, which its callers must not change."""

    @functools.wraps(find)
    def ask(notebook: Notebook) -> T:
        # Where `cached_property` keeps what it finds, which needs a notebook that can be a key.
        kept = notebook.__dict__.setdefault("_once", {})
        if find not in kept:
            kept[find] = find(notebook)
        found: T = kept[find]
        return found

    return ask
