"""The command for the image of a notebook's steps."""

from pathlib import Path
from typing import Annotated

import typer

from fastkf.base.errors import UsageError
from fastkf.cli.command import command
from fastkf.cli.options import Brought, NotebookName, find_notebook
from fastkf.runs.progress import Progress


@command()
def image(
    notebook: NotebookName,
    bring: Brought = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="IMAGE",
            help="[base_image of the notebook, or the course's image]",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a Dockerfile or .dockerignore that differs.")
    ] = False,
    *,
    display: Progress,
) -> None:
    """Write the Dockerfile of an image for a notebook's steps, and its .dockerignore.

    Both go to the notebook's folder. The image has the files that the notebook's metadata name
    ("fastkf": {"files": [...]}), those of --bring, and the packages that the notebook imports, with
    the versions of the lock or of this machine. Nothing is built: the file says how.

    Examples: `fastkf image my.ipynb --bring words.txt` · `fastkf image my.ipynb --from python:3.12`
    """
    from fastkf.base.files import shown_path, write_text
    from fastkf.course.lock import read_lock
    from fastkf.course.step_image import describe_base
    from fastkf.notebook.brought import with_files
    from fastkf.notebook.dockerfile import write_dockerfile, write_dockerignore
    from fastkf.notebook.model import read

    taken = with_files(read(find_notebook(notebook)), bring or [])
    found = describe_base(base or str(taken.kale.get("base_image") or ""))
    texts = {
        "Dockerfile": write_dockerfile(taken, found, read_lock()),
        ".dockerignore": write_dockerignore(taken),
    }
    paths = {taken.path.parent / name: text for name, text in texts.items()}
    for path, text in paths.items():
        if not force and differs(path, text):
            raise UsageError(f"{path}: is there already, and differs", "--force replaces it")
    for path, text in paths.items():
        write_text(path, text)
        display.done(f"wrote {shown_path(path)}")
    for step in sorted({cell.step or "" for cell in taken.code_cells if cell.tag_values("image")}):
        display.warn(f"step {step} names an image of its own, which has what it has")


def differs(path: Path, text: str) -> bool:
    """Whether there is a file, or a link, that holds anything else."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return True
    return path.exists() and path.read_bytes() != text.encode()
