"""Mermaid diagrams as SVG in the page: drawn when the site is built, coloured by its style sheet.

A reader needs no script for them, and they can be read in print and in the dark.
"""

import re

from docutils import nodes
from docutils.parsers.rst import Directive
from mermaidx import render

PLAIN = {"theme": "base", "themeVariables": {"fontFamily": "inherit"}}


class Mermaid(Directive):
    """A fence marked `mermaid`: a flowchart, which the nodes' texts say in words."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        environment = self.state.document.settings.env
        name = f"diagram-{environment.new_serialno('diagram')}"
        # mermaidx names every drawing and its arrowheads my-svg; a page may hold several.
        drawing = render("\n".join(self.content), config=PLAIN).svg().replace("my-svg", name)
        width = re.search(r'viewBox="\S+ \S+ ([\d.]+)', drawing)[1]
        frame = (
            f'<div class="diagram" role="group" aria-label="Diagram" tabindex="0" '
            f'style="--drawn-width: {width}px">'
        )
        return [nodes.raw("", f"{frame}{drawing}</div>", format="html")]


def setup(app) -> dict[str, bool]:
    app.add_directive("mermaid", Mermaid)
    return {"parallel_read_safe": True}
