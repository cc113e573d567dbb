"""The Dockerfile of a notebook's image: what it copies and installs, and what it cannot hold."""

import pytest
from build import notebook_metadata, write_notebook
from conftest import fastkf

from fastkf.base.errors import UsageError
from fastkf.cluster.source import read_source
from fastkf.course.step_image import IMAGE, START, describe_base
from fastkf.notebook.dockerfile import Base, write_dockerfile, write_dockerignore
from fastkf.notebook.model import read
from fastkf.package.pins import Pins
from fastkf.tune import notebook as tuning

CELLS = [
    ("imports", "import numpy\nimport no_such_module"),
    ("step:load", "n = len(open('words/all.txt').read())"),
]


@pytest.fixture
def notebook(tmp_path):
    for name in ("words/all.txt", "two words.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text")
    return make(tmp_path, ["words", "words/all.txt", "two words.txt"])


def make(folder, files, **kale):
    metadata = {**notebook_metadata(kale=kale), "fastkf": {"files": files}}
    return read(write_notebook(folder / "own.ipynb", CELLS, metadata=metadata))


def test_it_copies_what_is_named_and_installs_what_the_base_lacks(notebook):
    base = Base("python:3.12", packages=frozenset({"kfp"}))
    text = write_dockerfile(notebook, base, Pins({"numpy": "1.2", "kubeflow-kale": "2.3.0"}))
    lines = text.splitlines()
    assert "FROM python:3.12" in lines
    assert 'COPY ["./words/", "./words/"]' in lines
    assert 'COPY ["./two words.txt", "./two words.txt"]' in lines
    assert "RUN chmod -R a+rX,go-w ./words './two words.txt'" in lines
    installed = text.split("--no-cache-dir")[1].split("\n\n")[0].replace("\\", "").split()
    assert installed == ["kubeflow-kale==2.3.0", "no-such-module", "numpy==1.2"]
    assert "not installed here: no-such-module." in text
    assert lines[-1] == "USER 65534:0"
    assert write_dockerignore(notebook).split("\n")[1:4] == ["*", "!words", "!two words.txt"]


def test_the_courses_image_has_what_the_labs_import():
    base = describe_base("")
    assert (base.image, base.start) == (IMAGE, START)
    assert {"numpy", "tensorflow", "kubeflow-kale", "kfp"} <= base.packages
    assert tuning.IMAGE == IMAGE
    assert describe_base("python:3.12") == Base("python:3.12")


@pytest.mark.parametrize(
    "name", ["a\nRUN x", "$HOME", "[a]", "#a", "!a", "a*", 'a"b', "-a", "a ", "a`b"]
)
def test_a_name_that_these_files_cannot_hold_is_refused(tmp_path, name):
    (tmp_path / name).write_text("text")
    with pytest.raises(UsageError, match="cannot hold"):
        write_dockerfile(make(tmp_path, [name]), Base("python:3.12"), Pins())


@pytest.mark.parametrize("image", ["", "python\nRUN x", "a b", "$IMAGE"])
def test_a_base_that_is_no_image_is_refused(notebook, image):
    with pytest.raises(UsageError, match="name of an image"):
        write_dockerfile(notebook, Base(image), Pins())


def test_the_command_writes_both_files_and_replaces_none_that_differs(notebook, tmp_path):
    words = ("image", notebook.path, "--from", "python:3.12")
    assert fastkf(*words).code == 0
    assert "FROM python:3.12" in (tmp_path / "Dockerfile").read_text()
    assert fastkf(*words).code == 0
    (tmp_path / ".dockerignore").write_text("mine")
    refused = fastkf(*words)
    assert refused.code == 2
    assert ".dockerignore: is there already" in refused.output
    assert (tmp_path / ".dockerignore").read_text() == "mine"
    assert fastkf(*words, "--force").code == 0
    assert (tmp_path / ".dockerignore").read_text() != "mine"


def test_who_submits_such_a_notebook_is_told_what_its_image_needs(tmp_path):
    class Told(list):
        def __getattr__(self, _):
            return self.append

    (tmp_path / "words.txt").touch()
    told = Told()
    cells = [("step:load", "n = 1"), (["step:use", "prev:load"], "m = n")]
    metadata = {**notebook_metadata(), "fastkf": {"files": ["words.txt"]}}
    read_source(write_notebook(tmp_path / "own.ipynb", cells, metadata=metadata), told, given={})
    [line] = [one for one in told if "image of the steps" in one]
    assert "words.txt; `fastkf image " in line
    assert "--image" in line
