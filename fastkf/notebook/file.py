"""A notebook file: JSON that is what nbformat 4 says, as far as it is read here."""

import copy
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastkf.base.errors import FastkfError, UsageError, one_line, shorten
from fastkf.base.iri import import_jsonschema

ESCAPED_SURROGATE = "\\ud"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
PARAMETERS = "pipeline-parameters"


def read_content(path: Path) -> dict[str, Any]:
    """The content of a notebook file; every part that is read here has its type.

    A byte order mark is passed over, and a notebook of format 3 is converted.

    Source: the format's schema, nbformat/v4/nbformat.v4.schema.json; more lenient in that a part
    may be missing or null, except the source of a code cell.

    Raises:
        UsageError: there is no such file, or it is a folder.
        FastkfError: it is not a notebook.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file")
    if not path.is_file():  # reading a pipe would wait for somebody to write into it
        kind, inside = ("a folder", " in it") if path.is_dir() else ("a device or a pipe", "")
        raise UsageError(f"{path}: this is {kind}", f"name one notebook (.ipynb){inside}")
    try:
        text = path.read_text(encoding="utf-8-sig")
        content: Any = json.loads(text)
        if ESCAPED_SURROGATE in text.lower():
            json.dumps(content, ensure_ascii=False).encode("utf-8")  # half of a pair is no text
    except (ValueError, RecursionError, OSError) as error:
        raise FastkfError(
            f"{path}: not a readable notebook ({error})",
            "a notebook is a JSON file saved by Jupyter",
        ) from error
    if isinstance(content, dict) and content.get("nbformat") == 3:
        content = _convert(path, content)
    if not isinstance(content, dict) or content.get("nbformat") != 4:
        raise FastkfError(
            f"{path}: not a notebook of format 4", "open it in JupyterLab and save it again"
        )
    _check_parts(path, content)
    _check_language(path, content.get("metadata") or {})
    return dict(content)


def _check_parts(path: Path, content: dict[str, Any]) -> None:
    where = _find_misfit(content)
    if where:
        raise FastkfError(
            f"{path}: not a valid notebook ({where})", "open it in JupyterLab and save it again"
        )
    for number, cell in enumerate(content["cells"], start=1):
        if cell.get("cell_type") == "code" and cell.get("source") is None:  # no kernel runs it
            raise FastkfError(
                f"{path}: cell {number} has no source",
                'delete the cell, or give it "source": "" in the file',
            )


def _check_language(path: Path, metadata: Mapping[str, Any]) -> None:
    """Many a notebook does not say its language, which is Python then."""
    said = [
        table.get(key)
        for table, key in (
            (metadata.get("kernelspec"), "language"),
            (metadata.get("language_info"), "name"),
        )
        if isinstance(table, dict)
    ]
    language = next((one for one in said if isinstance(one, str) and one), "python")
    if "python" not in language.lower():
        raise FastkfError(
            f"{path}: its language is {shorten(one_line(language), 40)}, and Kale makes pipelines "
            "of Python alone",
            "if its cells are in Python, choose a Python kernel for it in JupyterLab, and save it",
        )


def _find_misfit(content: dict[str, Any]) -> str | None:
    """The first part of a notebook that has a wrong type; null is as good as nothing."""
    if not _is_list_of(dict, content.get("cells")):
        return "its cells"
    if not isinstance(content.get("metadata") or {}, dict):
        return "its metadata"
    minor = content.get("nbformat_minor", 0)
    if not isinstance(minor, int) or isinstance(minor, bool) or minor < 0:
        return "its nbformat_minor"
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


def _convert(path: Path, content: dict[str, Any]) -> Any:
    """A notebook of format 3 in format 4.

    Raises:
        FastkfError: it is none of format 3 either.
    """
    import_jsonschema()
    import nbformat.reader

    try:
        with warnings.catch_warnings(action="ignore"):
            old = nbformat.reader.reads(json.dumps(content))  # type: ignore[no-untyped-call]
            made = nbformat.convert(old, 4)  # type: ignore[no-untyped-call]
            return json.loads(nbformat.writes(made))  # type: ignore[no-untyped-call]
    except Exception as error:
        raise FastkfError(
            f"{path}: not a notebook of format 4, nor one of format 3 ({one_line(str(error))})",
            "open it in JupyterLab and save it again",
        ) from error


@contextmanager
def readable_copy(path: Path, to_execute: bool = False) -> Iterator[Path]:
    """The notebook in a form that Kale and papermill read: the file itself, where it has that form.

    Args:
        path: the notebook.
        to_execute: cells get the ids, and the parameters the tag, that papermill asks for.

    Raises:
        FastkfError: it is no notebook.
    """
    content = read_content(path)
    made = copy.deepcopy(content)
    if to_execute:
        _complete(made)
    parts = _list_references(made, path)
    if made == content and all(map(_is_plain, [path, *parts.values()])):
        yield path
        return
    with TemporaryDirectory(prefix="fastkf-notebook-") as folder:
        _root_references(made, path, Path(folder))
        target = Path(folder) / path.name
        target.write_text(json.dumps(made), encoding="utf-8")
        yield target


def read_complete(path: Path) -> dict[str, Any]:
    """The content of a notebook file, with the ids and the tag that papermill asks for.

    Raises: as `read_content`.
    """
    content = read_content(path)
    _complete(content)
    return content


def _is_plain(path: Path) -> bool:
    """Whether a file is of format 4, without a byte order mark; or none that can be read."""
    try:
        text = path.read_bytes()
        return not text.startswith(BYTE_ORDER_MARK) and json.loads(text).get("nbformat") == 4
    except (OSError, ValueError, AttributeError):
        return True


def _complete(content: dict[str, Any]) -> None:
    cells = content["cells"]
    if any("id" not in cell for cell in cells):
        content["nbformat_minor"] = max(5, content.get("nbformat_minor") or 0)
        for number, cell in enumerate(cells, start=1):
            cell["id"] = f"cell-{number}"
    tagged = [cell for cell in cells if PARAMETERS in _tags_of(cell)]
    if tagged and not any("parameters" in _tags_of(cell) for cell in cells):
        _tags_of(tagged[-1]).append("parameters")


def _tags_of(cell: dict[str, Any]) -> list[Any]:
    return (cell.get("metadata") or {}).get("tags") or []


def _list_references(content: dict[str, Any], path: Path) -> dict[int, Path]:
    """The cells that refer to other notebooks, by their places, and the files of those."""
    found = {}
    for place, cell in enumerate(content["cells"]):
        reference = (cell.get("metadata") or {}).get("notebook_path")
        if isinstance(reference, str):
            found[place] = path.resolve().parent / reference
    return found


def _root_references(content: dict[str, Any], path: Path, folder: Path) -> None:
    """Makes the paths of notebooks that cells refer to absolute, as a copy stands elsewhere.

    One that Kale could not read is copied, too.
    """
    for place, part in _list_references(content, path).items():
        if part.exists() and not _is_plain(part):
            copied = folder / f"part-{place}" / part.name
            copied.parent.mkdir()
            copied.write_text(json.dumps(read_content(part)), encoding="utf-8")
            part = copied
        content["cells"][place]["metadata"]["notebook_path"] = str(part)
