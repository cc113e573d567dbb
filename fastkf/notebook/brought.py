"""The files that a notebook's steps find in their image, as its metadata say: `fastkf.files`."""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import replace

from fastkf.base.brought import find_named, list_files
from fastkf.notebook.metadata import COURSE_METADATA
from fastkf.notebook.model import Notebook


def bring(notebook: Notebook, names: Iterable[str]) -> Notebook:
    """The notebook, as if its metadata named these files and folders too.

    Raises:
        UsageError: there is no such file, or it is not in the notebook's folder.
    """
    found = find_named(notebook.path.parent, names)
    block = notebook.metadata.get(COURSE_METADATA, {})
    if not found or not isinstance(block, Mapping):  # what is wrong with it, a rule says
        return notebook
    files = [*(block.get("files") or []), *found]
    metadata = {**notebook.metadata, COURSE_METADATA: {**block, "files": files}}
    return replace(notebook, metadata=metadata)


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
    return list_files(notebook.path.resolve().parent, notebook.course.files)
