"""The line in small type that says, above a cell of a lab, which of Kale's tags the cell has.

JupyterLab with Kale shows the tags, and the site does. GitHub, other viewers and print do not. The
line stands in text, not in the cell: Kale takes no comment in a cell of parameters or of metrics,
and what the steps run stays as it is. Cells with the tag `skip` are in no pipeline, and have none.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fastkf.course.exercises import source_of

LINE = re.compile(r"\s*^<sub>Tags of the next cell: .*</sub>\s*\Z", re.M)
OF_OTHER_TOOLS = ("parameters", "hide-", "remove-", "nbval", "raises-exception")


def select_tags(tags: Iterable[str]) -> list[str]:
    """The tags that are Kale's."""
    return [tag for tag in tags if not tag.startswith(OF_OTHER_TOOLS)]


def make_line(cell: Mapping[str, Any]) -> str:
    """The line for a cell; empty where it needs none."""
    tags = select_tags((cell.get("metadata") or {}).get("tags") or [])
    if cell.get("cell_type") != "code" or not tags or "skip" in tags:
        return ""
    return f"<sub>Tags of the next cell: {', '.join(f'`{tag}`' for tag in tags)}</sub>"


def remove_line(text: str) -> str:
    return LINE.sub("", text)


def write_lines(cells: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The cells with the lines that their tags ask for: at the end of the text above, or alone.

    Cells that hold a line and nothing else are made anew, so writing twice changes nothing.
    """
    written: list[dict[str, Any]] = []
    for cell in map(dict, cells):
        if cell.get("cell_type") == "markdown":
            cell["source"] = remove_line(text := source_of(cell))
            if text and not cell["source"]:
                continue
        line = make_line(cell)
        if line and written and written[-1].get("cell_type") == "markdown":
            written[-1]["source"] = f"{source_of(written[-1])}\n\n{line}"
        elif line:
            written.append(_text_cell(line, cell))
        written.append(cell)
    return written


def _text_cell(line: str, above: Mapping[str, Any]) -> dict[str, Any]:
    made = {"cell_type": "markdown", "metadata": {}, "source": line}
    return {**made, "id": f"tags-{above['id']}"[:64]} if "id" in above else made
