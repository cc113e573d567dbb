"""Notebook to KFP v2 package, through Kale's Python API and the KFP compiler."""

import importlib.util
import logging
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from fastkf.base.errors import FastkfError
from fastkf.notebook.model import Notebook, read_with_kale
from fastkf.package.pins import Pins


def compile_notebook(
    notebook: Notebook, package: Path, image: str | None = None, pins: Pins | None = None
) -> Path:
    """Writes the notebook's pipeline package; the same notebook gives the same bytes.

    Args:
        notebook: the notebook, as `fastkf.notebook.model.read` returns it.
        package: the YAML file to write; its folder is made when missing.
        image: the container image of the steps; Kale's default when None.
        pins: the versions of the packages that steps install; those installed here when None.

    Returns:
        The path of the package.

    Raises:
        FastkfError: Kale or the KFP compiler rejects the notebook.
    """
    processor = read_with_kale(notebook, image)
    package.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fastkf-compile-") as folder:
        try:
            script = _write_dsl(processor, Path(folder), pins or Pins())
            _compile_dsl(script, package)
        except Exception as error:
            raise FastkfError(
                f"{notebook.path}: the pipeline does not compile: {type(error).__name__}: {error}; "
                f"run `fastkf check {notebook.path}` to see where"
            ) from error
    return package


def _write_dsl(processor, folder: Path, pins: Pins) -> Path:
    """Writes Kale's KFP DSL script, and the modules of the notebooks it refers to, into folder."""
    from kale import Compiler

    compiler = Compiler(processor.pipeline, processor.get_imports_and_functions())
    with _pinned_packages(pins):
        script = folder / "pipeline.py"
        script.write_text(compiler.generate_dsl(), encoding="utf-8")
    for name, source in compiler.modules.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    return script


@contextmanager
def _pinned_packages(pins: Pins):
    """Kale lists a step's packages unpinned, and writes the public index's address beside them.

    The components of a notebook that another one refers to are made by a `kale.Compiler` of
    their own, so a subclass would miss them.
    """
    import kale.compiler

    list_packages = kale.compiler.Compiler._get_package_list_from_imports
    list_index_urls = kale.compiler.utils.compute_pip_index_urls

    def list_pinned(compiler):
        return [pins.pin(package) for package in list_packages(compiler)]

    def list_chosen_index_urls():
        return list_index_urls() if os.environ.get("KALE_PIP_INDEX_URLS") else []

    with (
        mock.patch.object(kale.compiler.Compiler, "_get_package_list_from_imports", list_pinned),
        mock.patch.object(kale.compiler.utils, "compute_pip_index_urls", list_chosen_index_urls),
    ):
        yield


def _compile_dsl(script: Path, package: Path) -> None:
    from kfp.compiler import Compiler

    spec = importlib.util.spec_from_file_location(f"fastkf_{script.parent.name}", script)
    module = importlib.util.module_from_spec(spec)
    logging.disable(logging.CRITICAL)
    try:
        spec.loader.exec_module(module)
        Compiler().compile(module.auto_generated_pipeline, str(package))
    finally:
        logging.disable(logging.NOTSET)
