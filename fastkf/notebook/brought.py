"""The files that a notebook's steps find in their image, as its metadata say: `fastkf.files`.

A notebook that refers to others is taken with its parts, as `composition.whole` returns it: then
those too that its parts name.
"""

import posixpath
from collections.abc import Iterable
from dataclasses import replace

from fastkf.base import brought
from fastkf.base.brought import find_named
from fastkf.notebook.metadata import list_files, set_files
from fastkf.notebook.model import Notebook


def with_files(notebook: Notebook, names: Iterable[str]) -> Notebook:
    """The notebook, as if its metadata named these files and folders too.

    Raises:
        UsageError: there is no such file, or it is not in the notebook's folder.
    """
    own, home = list_files(notebook.metadata), notebook.path.parent
    return replace(
        notebook, metadata=set_files(notebook.metadata, [*own, *find_named(home, names)])
    )


def top_names(notebook: Notebook) -> tuple[str, ...]:
    """The files and folders that are named, without those in another one."""
    named = dict.fromkeys(posixpath.normpath(one) for one in notebook.course.files)
    return tuple(one for one in named if not any(one.startswith(f"{other}/") for other in named))


def brought_files(notebook: Notebook) -> tuple[str, ...]:
    """All of these files, as paths from the notebook's folder.

    Raises:
        UsageError: one is not there, outside of the folder, or a link; they are too many or too
            large.
    """
    return brought.list_files(notebook.path.resolve().parent, notebook.course.files)
