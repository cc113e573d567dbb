"""What the steps of a run have made, as its results: metrics and pages."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from fastkf.runs.model import Artifact, Step

KALE_METRICS = "kale_metrics_artifact"
METRICS, HTML = "system.Metrics", "system.HTML"


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


def copy_pages(steps: Iterable[Step], folder: Path) -> None:
    """Copies the HTML pages among the steps' artifacts to outputs/<step>.html."""
    for step, _, artifact in _artifacts(steps, HTML):
        page = folder / artifact.uri
        if page.is_file():
            shutil.copyfile(page, folder / "outputs" / f"{step.name}.html")


def _artifacts(steps: Iterable[Step], kind: str) -> list[tuple[Step, str, Artifact]]:
    return [
        (step, key, artifact)
        for step in steps
        if step.outputs
        for key, artifact in step.outputs.artifacts.items()
        if artifact.type == kind
    ]
