"""A notebook file: JSON that is what nbformat 4 says, as far as it is read here."""

import json
from pathlib import Path
from typing import Any

from fastkf.base.errors import FastkfError, UsageError

ESCAPED_SURROGATE = "\\ud"


def read_content(path: Path) -> dict[str, Any]:
    """The content of a notebook file; every part that is read here has its type.

    Source: the format's schema, nbformat/v4/nbformat.v4.schema.json; more lenient in that a part
    may be missing or null.

    Raises:
        UsageError: there is no such file, or it is a folder.
        FastkfError: it is not a notebook.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file", "`fastkf list` shows the labs")
    if path.is_dir():
        raise UsageError(f"{path}: this is a folder", "name one notebook (.ipynb) in it")
    try:
        text = path.read_text(encoding="utf-8")
        content: Any = json.loads(text)
        if ESCAPED_SURROGATE in text.lower():
            json.dumps(content, ensure_ascii=False).encode("utf-8")  # half of a pair is no text
    except (ValueError, RecursionError, OSError) as error:
        raise FastkfError(
            f"{path}: not a readable notebook ({error})",
            "a notebook is a JSON file saved by Jupyter",
        ) from error
    is_notebook = isinstance(content, dict) and _is_list_of(dict, content.get("cells"))
    if not is_notebook or content.get("nbformat") != 4:
        raise FastkfError(
            f"{path}: not a notebook of format 4", "open it in JupyterLab and save it again"
        )
    where = _find_misfit(content)
    if where:
        raise FastkfError(
            f"{path}: not a valid notebook ({where})", "open it in JupyterLab and save it again"
        )
    return dict(content)


def _find_misfit(content: dict[str, Any]) -> str | None:
    """The first part of a notebook that has a wrong type; null is as good as nothing."""
    if not isinstance(content.get("metadata") or {}, dict):
        return "its metadata"
    for number, cell in enumerate(content["cells"], start=1):
        metadata = cell.get("metadata") or {}
        source = cell.get("source") or ""
        parts = {
            "cell_type": isinstance(cell.get("cell_type", ""), str),
            "metadata": isinstance(metadata, dict),
            "tags": isinstance(metadata, dict) and isinstance(metadata.get("tags") or [], list),
            "source": isinstance(source, str) or _is_list_of(str, source),
            "outputs": _is_list_of(dict, cell.get("outputs") or []),
        }
        for part, is_right in parts.items():
            if not is_right:
                return f"the {part} of cell {number}"
    return None


def _is_list_of(kind: type, value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)
