"""What is asked of Kale beside its public names: all of it, as it was when it was written for.

A failure here says what a new version of Kale has changed, before anything else does; the names
stand in fastkf/notebook/kale.py and script.py.
"""

import importlib
import importlib.resources
import inspect
from importlib.metadata import version

import pytest

from fastkf.base import versions
from fastkf.base.errors import FastkfError
from fastkf.notebook import kale
from fastkf.notebook.script import DECORATOR, INDEXES, PACKAGES, PIPELINE_FUNCTION

PARAMETERS = {
    "kale:Compiler": ["pipeline", "imports_and_functions"],
    "kale:Compiler.generate_dsl": ["self"],
    "kale:NotebookProcessor": ["nb_path", "nb_metadata_overrides"],
    "kale:NotebookProcessor.run": ["self"],
    "kale:NotebookProcessor.get_imports_and_functions": ["self"],
    "kale.processors.nbprocessor:NotebookConfig": [],
    "kale.common.graphutils:get_ordered_ancestors": ["g", "node"],
    "kale.common.flakeutils:pyflakes_report": ["code"],
    "kale.common.imports:ImportInfo": ["module", "names", "alias", "is_from", "line_number"],
    "kale.common.imports:ImportInfo.get_pypi_package": ["self"],
    "kale.pipeline:Pipeline.get_step": ["self", "name"],
}


def find(name: str) -> object:
    module, _, path = name.partition(":")
    found: object = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", PARAMETERS)
def test_what_is_called_takes_what_it_is_given(name):
    parameters = list(inspect.signature(find(name)).parameters)
    assert parameters[: len(PARAMETERS[name])] == PARAMETERS[name]


def test_what_is_read_is_there():
    assert all(
        isinstance(pattern, str) for pattern in find("kale.processors.constants:TAGS_LANGUAGE")
    )
    assert isinstance(find("kale.pipeline:DEFAULT_BASE_IMAGE"), str)
    step = find("kale:Step")(name="load", source=["x = 1"])
    assert (step.name, step.source, step.ins, step.outs, step.metrics) == (
        "load",
        ["x = 1"],
        [],
        [],
        False,
    )
    assert find("kale:Compiler")(None, "").modules == {}


def test_the_templates_write_what_is_put_right():
    templates = importlib.resources.files("kale") / "templates"
    component = (templates / "nb_function_template.jinja2").read_text(encoding="utf-8")
    assert component.startswith(f"@{DECORATOR}(")
    for keyword in (PACKAGES, INDEXES):
        assert component.count(keyword) == 1 + component.count(f"{{{{ {keyword}")
    compiler = inspect.getsource(find("kale:Compiler.generate_pipeline"))
    assert f'fn="{PIPELINE_FUNCTION}"' in compiler


@pytest.mark.parametrize("installed", ["1.0", "2.2.9", "99.0"])
def test_another_version_is_one_clear_error(installed, monkeypatch):
    monkeypatch.setattr(versions.metadata, "version", lambda package: installed)
    kale.check_installed.cache_clear()
    with pytest.raises(FastkfError, match=f"kubeflow-kale {installed} is installed, and fastkf"):
        kale.package_of("numpy")


def test_the_installed_version_is_one_that_is_tested():
    assert versions.tested_versions("kubeflow-kale").contains(version("kubeflow-kale"))
    kale.check_installed.cache_clear()
    assert kale.package_of("numpy") == "numpy"
