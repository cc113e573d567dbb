"""What the site makes of a page's source: links to what is no page, tags, folded cells."""

import html
import json
import re
from pathlib import Path

from nbformat.v4 import new_markdown_cell

from fastkf.course.tag_lines import remove_line, select_tags

LINK = re.compile(r"\[([^\[\]]+)\]\(([^()#\s:\"\\]+)\)")

EXAMPLES = Path(__file__).resolve().parents[1] / "labs"

# A small heading in JupyterLab; on a page no level of headings is left out.
QUESTION = re.compile(r"^#### (?=Question )", re.M)
HEADING = re.compile(r"^#+ (.+)$", re.M)
PLOT_TITLE = re.compile(r"title(?:=|\()([\"'])([^{}\\\n]+?)\1")


def adapt_links(source: str, folder: Path) -> str:
    return LINK.sub(lambda link: adapt_link(link, folder), source)


def adapt_link(link: re.Match, folder: Path) -> str:
    """A link to a folder leads to its README; without one there is nothing to lead to.

    A notebook that is an example of a guide is no page: it is there to be downloaded.
    """
    text, target = link.groups()
    if target.endswith(".ipynb") and EXAMPLES in (folder / target).resolve().parents:
        plain = text.replace("`", "")
        return f"{{download}}`{plain} <{target}>`"
    if not (folder / target).is_dir():
        return link[0]
    page = Path(target, "README.md")
    return f"[{text}]({page.as_posix()})" if (folder / page).exists() else text


def adapt_notebook(source: str, solution: Path | None, is_solution: bool) -> str:
    """Shows Kale's tags above their cells, folds what JupyterLab folds, names the solution."""
    notebook = json.loads(source)
    cells, heading = [], ""
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        describe_plots(cell, heading)
        if cell["cell_type"] == "markdown":
            text = remove_line("".join(cell["source"]))  # colours say it here
            heading = [heading, *HEADING.findall(text)][-1]
            cell["source"] = QUESTION.sub("### ", text)
        if cell["cell_type"] == "code" and (shown := show_tags(tags)):
            cells.append(new_markdown_cell(shown))
        if cell["metadata"].get("jupyter", {}).get("source_hidden"):
            # The tag that MyST-NB knows.
            cell["metadata"]["tags"] = [*tags, "hide-input"]
        cells.append(cell)
    if solution:
        words = f"[One way to solve the exercises]({solution.as_posix()})"
        cells.append(new_markdown_cell(words))
    if is_solution:
        notebook["metadata"]["orphan"] = True  # in no table of contents, as Sphinx says it
    return json.dumps({**notebook, "cells": cells})


def describe_plots(cell: dict, heading: str) -> None:
    """Says in words what a cell's plots show: the heading above them, and their titles."""
    shown = [output.get("data", {}) for output in cell.get("outputs", [])]
    if any("image/png" in data for data in shown):
        titles = dict.fromkeys(title for _, title in PLOT_TITLE.findall("".join(cell["source"])))
        words = ": ".join(filter(None, ["Plot", heading, ", ".join(titles)]))
        cell["metadata"]["mystnb"] = {"image": {"alt": words}}


def show_tags(tags: list[str]) -> str:
    """The tags as a line of HTML; empty where the cell has none of Kale's."""
    chips = "".join(
        f'<span class="kale-tag {html.escape(word.partition(":")[0])}">{html.escape(word)}</span>'
        for word in select_tags(tags)
    )
    label = "tags of the next cell"
    return chips and f'<div class="kale-tags" role="note" aria-label="{label}">{chips}</div>'
