"""What the steps of a run have made, as its results: metrics and pages."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

from fastkf.base.files import open_inside, write_bytes
from fastkf.base.masks import Mask
from fastkf.runs.model import Artifact, Step

LARGEST_PAGE = 32 * 2**20  # bytes
KALE_METRICS = "kale_metrics_artifact"
METRICS, HTML, MARKDOWN = "system.Metrics", "system.HTML", "system.Markdown"
NOTHING = Mask()
PAGES = (HTML, MARKDOWN)


def read_metrics(steps: Iterable[Step]) -> dict[str, float | str]:
    """The metrics among the steps' artifacts.

    Kale's have the names of the notebook's variables (it writes them with hyphens); all others
    begin with the name of their step.
    """
    metrics: dict[str, float | str] = {}
    for step, key, artifact in _artifacts(steps, METRICS):
        for name, value in sorted(artifact.metadata.items()):
            if key == KALE_METRICS:
                metrics[name.replace("-", "_")] = value
            else:
                metrics.setdefault(f"{step.name}.{name}", value)
    return metrics


def write_pages(steps: Iterable[Step], folder: Path, mask: Mask = NOTHING) -> None:
    """Writes what each step has to show, its HTML and its Markdown, to outputs/<step>.html.

    Args:
        folder: the run's, in which the artifacts are.
        mask: what is not to be seen in them.
    """
    for step in steps:
        made = step.outputs.artifacts if step.outputs else {}
        pages = {name: _read_page(one, folder) for name, one in made.items() if one.type in PAGES}
        shown = {name: html for name, html in pages.items() if html is not None}
        if len(shown) == 1:
            (page,) = shown.values()
        else:
            page = b"\n".join(
                f"<h2>{escape(name)}</h2>\n".encode() + html for name, html in shown.items()
            )
        if page:
            write_bytes(folder / "outputs" / f"{step.name}.html", mask.hide_bytes(page))


def _read_page(artifact: Artifact, folder: Path) -> bytes | None:
    """An artifact as HTML; None of one that has no file, or too large a one."""
    file = open_inside(folder, artifact.uri)
    if file is None:
        return None
    with file:
        content = file.read(LARGEST_PAGE + 1)
    if len(content) > LARGEST_PAGE:
        return None
    if artifact.type == HTML:
        return content
    from markdown_it import MarkdownIt  # takes longer to import than most steps have pages

    text = content.decode("utf-8", errors="replace")
    shown = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return str(shown).encode()


def _artifacts(steps: Iterable[Step], kind: str) -> list[tuple[Step, str, Artifact]]:
    return [
        (step, key, artifact)
        for step in steps
        if step.outputs
        for key, artifact in step.outputs.artifacts.items()
        if artifact.type == kind
    ]
