"""The picture of a notebook's pipeline, drawn from its tags."""

from pathlib import Path

from fastkf.base.outputs import check_inside, write_named
from fastkf.notebook.composition import flat_dependencies
from fastkf.notebook.model import Notebook
from fastkf.runs.drawing.svg import draw_pipeline


def draw_picture(notebook: Notebook) -> Path:
    """Draws the pipeline as images/<name>.svg beside the notebook; returns the file.

    Raises:
        UsageError: a link there leads elsewhere, or it cannot be written.
    """
    picture = notebook.path.parent / "images" / f"{notebook.name}.svg"
    check_inside(picture, notebook.path.parent)
    picture.parent.mkdir(exist_ok=True)
    svg = draw_pipeline(flat_dependencies(notebook), title=notebook.title)
    write_named(picture, svg.encode("utf-8"))
    return picture
