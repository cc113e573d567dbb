"""Writes above each cell of the course's notebooks which of Kale's tags it has (`make format`)."""

from pathlib import Path

import nbformat

from fastkf.base.files import write_text
from fastkf.course import places
from fastkf.course.tag_lines import write_lines


def main() -> None:
    for path in sorted(places.NOTEBOOKS.rglob("[0-9]*.ipynb")):
        write(path)


def write(path: Path) -> None:
    """Changes the file where a line is missing or is another than the tags say."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [nbformat.from_dict(cell) for cell in write_lines(notebook.cells)]
    text = nbformat.writes(notebook) + "\n"
    if text != path.read_text(encoding="utf-8"):
        write_text(path, text)
        print(path)


if __name__ == "__main__":
    main()
