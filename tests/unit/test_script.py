"""The script that Kale generates: its packages are put right, and nothing else."""

import sys
from pathlib import Path

import pytest

from fastkf.base.errors import FastkfError
from fastkf.notebook.errors import CompileError
from fastkf.notebook.kale import Script
from fastkf.notebook.script import compile_script, pin_packages

COMPONENT = """
@kfp_dsl.component(
    base_image='python:3.12',
    packages_to_install=['kfp>=2.0.0',
                         'numpy'],
    pip_index_urls = ['https://packages.example/index'],
    pip_trusted_hosts = []
)
def load_step():
    block = '''
    # ä: @kfp_dsl.component(packages_to_install=['torch'], pip_index_urls = ['x'])
    '''
"""
PINNED = """
@kfp_dsl.component(
    base_image='python:3.12',
    packages_to_install=['kfp==1', 'numpy==1'],
    pip_index_urls = [],
    pip_trusted_hosts = []
)
def load_step():
    block = '''
    # ä: @kfp_dsl.component(packages_to_install=['torch'], pip_index_urls = ['x'])
    '''
"""
NOTEBOOK = Path("example.ipynb")


def pin(requirement: str) -> str:
    return f"{requirement.partition('>')[0]}==1"


def test_the_packages_of_components_are_pinned():
    script = Script(NOTEBOOK, COMPONENT + COMPONENT, {"part": COMPONENT})
    pinned = pin_packages(script, pin, keep_indexes=False)
    assert pinned == Script(NOTEBOOK, PINNED + PINNED, {"part": PINNED})


def test_the_indexes_stay_where_they_are_wanted():
    pinned = pin_packages(Script(NOTEBOOK, COMPONENT), pin, keep_indexes=True)
    assert pinned.source == PINNED.replace("= []", "= ['https://packages.example/index']", 1)


@pytest.mark.parametrize(
    "source",
    [
        "title = 'x'\npackages = dict(packages_to_install=['numpy'], pip_index_urls=['x'])\n",
        "def f():\n    @kfp_dsl.component(packages_to_install=['numpy'])\n    def g(): pass\n",
        "@other.component(packages_to_install=['numpy'])\ndef load_step(): pass\n",
    ],
)
def test_what_kale_did_not_write_stays(source):
    script = Script(NOTEBOOK, source)
    assert pin_packages(script, pin, keep_indexes=False) == script


def test_another_form_of_components_is_one_clear_error():
    script = Script(NOTEBOOK, "@kfp_dsl.component(base_image='x')\ndef load_step(): pass\n")
    with pytest.raises(FastkfError, match="another form than 2.3 does .no packages_to_install."):
        pin_packages(script, pin, keep_indexes=False)


def test_a_script_that_is_no_python_names_the_notebook():
    with pytest.raises(CompileError, match="example.ipynb: the pipeline does not compile: Syntax"):
        pin_packages(Script(NOTEBOOK, "name = 'it's'"), pin, keep_indexes=False)


def test_a_mistake_of_our_own_is_not_blamed_on_the_notebook():
    def fail(requirement: str) -> str:
        raise KeyError(requirement)

    with pytest.raises(KeyError):
        pin_packages(Script(NOTEBOOK, COMPONENT), fail, keep_indexes=False)


def test_a_script_that_fails_names_the_notebook(tmp_path):
    script = Script(NOTEBOOK, "raise LookupError('x')")
    with pytest.raises(CompileError, match="does not compile: LookupError: x; run `fastkf check"):
        compile_script(script, tmp_path, tmp_path / "package.yaml")


def test_a_script_leaves_nothing_in_this_process(tmp_path):
    source = "import sys\nsys.path.insert(0, '{}')\nimport kale_notebook_x_y\nraise LookupError"
    script = Script(NOTEBOOK, source.format(tmp_path), {"kale_notebook_x_y": "z = 1"})
    before = list(sys.path)
    with pytest.raises(CompileError, match="LookupError"):
        compile_script(script, tmp_path, tmp_path / "package.yaml")
    assert sys.path == before
    assert "kale_notebook_x_y" not in sys.modules
