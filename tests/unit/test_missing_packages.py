"""Which packages a notebook lacks: a file of its own is none, whatever the index has."""

import pytest
from build import write_notebook
from conftest import LABS

from fastkf.notebook.model import read
from fastkf.notebook.packages import list_missing_packages

INSERT = 'sys.path.insert(0, str(Path("../tools_of_mine").resolve()))'


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("import sys", ["no_such_module_here"]),
        (INSERT, []),
        ('sys.path.append("../tools_of_mine")', []),
        ('sys.path.extend(["../tools_of_mine"])', []),
        ('sys.path[:0] = ["../tools_of_mine"]', []),
        ('made = "x"; sys.path[:0] = [made, "../empty"]', []),
        ('sys.path += ["../tools_of_mine"]', []),
        ('here = sys.path + ["../tools_of_mine"]', ["no_such_module_here"]),
        ('sys.path.append("../empty")', ["no_such_module_here"]),
        ("sys.path.insert(0, str(Path.home()))", []),
        ("sys.path.insert(0, str(Path.home())); import umap", ["umap-learn"]),
    ],
)
def test_a_module_in_a_folder_that_a_cell_adds_is_no_package(tmp_path, line, missing):
    (tmp_path / "tools_of_mine").mkdir()
    (tmp_path / "tools_of_mine" / "no_such_module_here.py").write_text("x = 1\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    code = f"import sys\nfrom pathlib import Path\n{line}\nfrom no_such_module_here import x"
    path = write_notebook(tmp_path / "notes" / "mine.ipynb", [("skip", code)])
    assert list_missing_packages(read(path)) == missing


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_no_lab_fetches_a_package_that_the_course_has_not(path):
    assert list_missing_packages(read(path)) == []
