"""Notebook to KFP v2 package: as Kale and KFP's compiler write it, or by them."""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from fastkf.base.errors import UsageError
from fastkf.base.outputs import cannot_be_written, write_named
from fastkf.notebook import kale
from fastkf.notebook.model import Notebook
from fastkf.notebook.plain import write_plain
from fastkf.notebook.reading.errors import NotPlainError
from fastkf.notebook.script import compile_script, pin_packages
from fastkf.package.model import Package
from fastkf.package.pins import Pins

INDEXES = "KALE_PIP_INDEX_URLS"  # the environment variable by which Kale is told them


def compile_notebook(
    notebook: Notebook, path: Path, image: str | None = None, pins: Pins | None = None
) -> Path:
    """Writes the notebook's pipeline package; returns the path.

    Args and Raises: as of `compile_package`.
    """
    compile_package(notebook, path, image, pins)
    return path


def compile_package(
    notebook: Notebook, path: Path, image: str | None = None, pins: Pins | None = None
) -> Package:
    """Writes the notebook's pipeline package; the same notebook gives the same bytes.

    Args:
        notebook: the notebook, as `fastkf.notebook.model.read` returns it.
        path: the YAML file to write; its folder is made when missing.
        image: the container image of the steps; Kale's default when None.
        pins: the versions of the packages that steps install; those installed here when None.

    Returns:
        The package.

    Raises:
        UsageError: the package's name does not end in .yaml, or it cannot be written there.
        FastkfError: Kale or the KFP compiler rejects the notebook.
    """
    if path.suffix != ".yaml":
        raise UsageError(f"{path}: a package's name ends in .yaml")
    settings, pin = notebook.settings(image), (pins or Pins()).pin
    try:
        written = write_plain(notebook.path, settings, pin)
        content = written.text.encode("utf-8")
        package = Package(written.spec, written.platform, path)
    except NotPlainError:
        content = run_script(notebook.path, settings, pin)
        package = Package.load(path, content.decode("utf-8"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_be_written(path, error) from error
    write_named(path, content)
    return package


def run_script(path: Path, settings: Mapping[str, str], pin: Callable[[str], str]) -> bytes:
    """The package that KFP's compiler makes of the script that Kale generates.

    Args and Raises: as of `compile_package`.
    """
    generated = kale.generate_script(path, settings)
    script = pin_packages(generated, pin, keep_indexes=bool(os.environ.get(INDEXES)))
    with tempfile.TemporaryDirectory(prefix="fastkf-compile-") as folder:
        made = Path(folder) / "package.yaml"
        compile_script(script, Path(folder), made)
        return made.read_bytes()
