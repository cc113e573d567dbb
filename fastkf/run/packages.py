"""The packages that a notebook and its steps need and that are not here."""

from collections.abc import Sequence
from pathlib import Path

from fastkf.engine.environments import Environments
from fastkf.engine.layer import Layer
from fastkf.notebook.composition import whole
from fastkf.notebook.model import Notebook
from fastkf.notebook.packages import list_missing_packages
from fastkf.package.asked import Asked
from fastkf.package.pins import Pins
from fastkf.runs.progress import Progress

LOG = "packages.log"


def ask_for_kernel(notebook: Notebook, asked: Sequence[Asked], pins: Pins | None) -> Asked | None:
    """What the kernel of a notebook needs: what its steps do, and what it explores with.

    Args:
        asked: for the steps; Kale has each of them ask for the same.
    """
    steps = asked[0] if asked else Asked((), (), ())
    missing = list_missing_packages(whole(notebook))
    kernel = steps.and_packages(list(map((pins or Pins()).pin, missing)))
    return kernel if kernel.lacking else None


def provide(
    environments: Environments,
    asked: Sequence[Asked],
    kernel: Asked | None,
    folder: Path,
    progress: Progress,
) -> Layer | None:
    """Makes an environment for each that is not there yet; returns that of the kernel.

    Args:
        folder: the run's, which gets a log of what was fetched.

    Raises:
        FastkfError: one cannot be made, or not without fetching packages.
    """
    wanted = list(dict.fromkeys([*asked, *([kernel] if kernel else [])]))
    environments.check(wanted)
    layers: dict[Asked | None, Layer] = {}
    for one in wanted:
        if not environments.find(one):
            progress.say(f"fetching what is not here: {', '.join(one.lacking)}")
        layers[one] = environments.provide(one, folder / LOG, folder)
    return layers.get(kernel)
