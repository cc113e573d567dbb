"""Notebooks are read without Kale as Kale reads them: the same steps, data, edges and settings."""

import json
import subprocess
import sys

import pytest
from build import write_notebook
from conftest import LABS
from fuzz import holds
from hypothesis import strategies as st

from fastkf.base.errors import FastkfError
from fastkf.base.yaml_text import read_yaml
from fastkf.course import places
from fastkf.course.lock import read_lock
from fastkf.notebook import kale, plain
from fastkf.notebook.check import check_file
from fastkf.notebook.compile import run_script
from fastkf.notebook.errors import KaleError
from fastkf.notebook.model import read
from fastkf.notebook.plain import write_plain
from fastkf.notebook.reading import settings
from fastkf.notebook.reading.errors import NotPlainError
from fastkf.notebook.reading.package import KFP
from fastkf.notebook.reading.tags import LANGUAGE, is_tag
from fastkf.package.pins import Pins

OLD = sorted((places.PROJECT / "labs" / "old_notebooks").glob("*.ipynb"))
SETTINGS = {"pipeline_name": "example", "experiment_name": "example"}
CODE = [
    "a = 1",
    "b = a + 1",
    "c = [a for a in range(b)]",
    "import math\nd = math.sqrt(a)",
    "model = {'weights': [b, c]}\nmodel",
    "def use(n):\n    return n + a",
    "def call():\n    return use(b) + later()",
    "def later():\n    '''What `d` is.'''\n    return d",
    "class Thing:\n    def use(self):\n        return c",
    "e = use(b)",
    "f = call()",
    "for g, (h, i) in []:\n    a = g",
    "try:\n    import numpy as np\nexcept ImportError:\n    np = None",
    "with open(a) as file:\n    data = file.read()",
    "j = lambda k: k + b\nj",
    "text = '%d' \\\n % a",
    "text = ('%d'\n  % b)",
    "async def wait():\n    return a",
    "x, *y = c, d\nprint(x, y)",
    "del a",
    "%matplotlib inline\na = 2",
    "!ls",
    "print(undefined)",
    "def first(n):\n    def inner():\n        return a + n\n    return inner",
    "global_name: int = b",
    "a += 1",
    "if (z := b) > 1:\n    z",
    "match a:\n    case 1:\n        m = b",
    "def choose(n):\n    match n:\n        case 1:\n            return a",
    "",
    "# only words",
]
TAGS = ["imports", "functions", "skip", "pipeline-parameters", "pipeline-metrics", ""]
STEPS = ["load", "train", "test", "skip", "functions"]


def compare(path, **more) -> None:
    """Where a notebook is read here, Kale reads the same; what it stops at is not read here."""
    notebook = read(path)
    wanted = {**notebook.settings(), **more}
    try:
        own = kale.describe_plain(kale.read_linked(path, wanted))
    except NotPlainError:
        return
    assert own == kale.ask_kale(path, wanted)
    if own.steps and not own.misfits:
        compare_packages(path, wanted)


def compare_packages(path, wanted) -> None:
    """Both packages, byte for byte; what KFP writes itself is not written here."""
    try:
        own = write_plain(path, wanted, Pins().pin)
    except NotPlainError:
        return
    assert own.text.encode() == run_script(path, wanted, Pins().pin)
    # What stands in memory is what the file says, down to the order.
    documents = [own.spec, own.platform]
    assert json.dumps(documents) == json.dumps(read_yaml(own.text))


@pytest.mark.slow
@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_each_lab_is_plain_and_read_as_kale_reads_it(path):
    notebook = read(path)
    own = kale.describe_plain(kale.read_linked(path, notebook.settings()))
    assert own == kale.ask_kale(path, notebook.settings())


@pytest.mark.slow
def test_the_package_of_a_lab_is_that_of_kale_and_kfp():
    """The others are compared with what the two have made: golden/."""
    compare_packages(LABS[-1], read(LABS[-1]).settings())


ODD = "s = '''a  \n  \\d\n#fmt\n\n\n   é\t'''  \nx=1 \nif x : y = [ 1,2 ]\nz = 5 # fastkf_block_0_ "
VALUES = """rate = 0.5
Name = 'a  b'
MOST = 3
fast = True
tiny = 1e-5
large = 9007199254740991
empty = ''
yes = 'yes'
text = '# é: {x} "q" %s'
"""
WHOLE = [
    ("imports", "import numpy as np\nfrom sklearn.svm import SVC"),
    ("functions", "def twice(n):\n    return 2 * n + rate"),
    ("pipeline-parameters", VALUES),
    (["step:load_data", "label:team:blue", "annotation:note:a b é", "limit:cpu:1"], ODD),
    ("skip", "x"),
    (["step:train", "prev:load_data", "secret:store:key:STORE_KEY", "cache:disabled"], "model = x"),
    (["step:alone", "report:disabled", "image:python:3.11"], "twice(1)"),
    (["step:test", "prev:train", "prev:alone"], "best_score = model + z\nbest_score"),
    ("", "q = 1"),
    ("pipeline-metrics", "print(best_score)\nprint(x)"),
]


def test_the_package_of_a_notebook_that_asks_for_everything_is_that_of_kfp(tmp_path):
    path = write_notebook(tmp_path / "all.ipynb", WHOLE)
    assert write_plain(path, read(path).settings(), str).text
    compare(path)


@pytest.mark.parametrize(
    "cells",
    [
        [("step:load__all", "x = 1")],
        [("step:_load", "x = 1")],
        [(["step:load", "limit:nvidia.com/gpu:1"], "x = 1")],
        [("pipeline-parameters", "name = 1\nName = 2"), ("step:load", "x = 1")],
        [("pipeline-parameters", "load_step = 1"), ("step:load", "x = 1")],
        [("pipeline-parameters", "Output = 1"), ("step:load", "x = 1")],
        [("pipeline-parameters", "größe = 1"), ("step:load", "x = 1")],
        [("pipeline-parameters", "load_html_report = 1"), ("step:load", "x = 1")],
        [("pipeline-parameters", "Lambda = 1"), ("step:load", "x = 1")],
        [("pipeline-parameters", "self = 1"), ("step:load", "x = 1")],
        [("step:load", "_x = 1\n_x")],
        [("step:load", "größe = 1"), (["step:train", "prev:load"], "y = größe")],
    ],
    ids=str,
)
def test_what_kfp_renames_or_refuses_is_left_to_it(cells, tmp_path):
    path = write_notebook(tmp_path / "rare.ipynb", cells)
    with pytest.raises(NotPlainError):
        write_plain(path, read(path).settings(), str)


@pytest.mark.parametrize("version", ["2.17.0", "2.18.0"])
def test_another_version_of_kfp_writes_its_own_packages(version, tmp_path, monkeypatch):
    path = write_notebook(tmp_path / "a.ipynb", [("step:load", "x = 1")])
    monkeypatch.setattr(plain, "KFP", version)
    with pytest.raises(NotPlainError):
        write_plain(path, read(path).settings(), str)


def test_the_version_whose_packages_are_written_is_the_one_of_the_lock():
    assert read_lock().versions["kfp"] == KFP


@pytest.mark.parametrize("code", ["x = 1  # fmt: off\ny = [ 1 ]", "# autopep8:on\nx = 1"])
def test_what_switches_the_formatting_off_is_left_to_kale(code, tmp_path):
    path = write_notebook(tmp_path / "off.ipynb", [("step:load", code)])
    with pytest.raises(NotPlainError):
        write_plain(path, read(path).settings(), str)
    compare(path)


@pytest.mark.parametrize("variable", ["KALE_PIP_INDEX_URLS", "KALE_SECURITY_CONTEXT_RUN_AS_USER"])
def test_what_kale_takes_from_the_environment_it_takes_itself(variable, tmp_path, monkeypatch):
    monkeypatch.setenv(variable, "1000")
    path = write_notebook(tmp_path / "set.ipynb", [("step:load", "x = 1")])
    with pytest.raises(NotPlainError):
        write_plain(path, read(path).settings(), str)


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_an_old_notebook_is_left_to_kale(path):
    with pytest.raises(NotPlainError):
        kale.read_linked(path, read(path).settings())


def cells():
    step = st.builds(
        lambda name, previous, more: [f"step:{name}", *(f"prev:{one}" for one in previous), *more],
        st.sampled_from(STEPS),
        st.lists(st.sampled_from(STEPS[:3]), max_size=2),
        st.sampled_from([[], [], ["cache:disabled"], ["label:a:b"], ["limit:cpu:2"], ["other"]]),
    )
    tags = st.one_of(step, step, step, st.sampled_from([[tag] for tag in TAGS]))
    return st.lists(st.tuples(tags, st.sampled_from(CODE)), min_size=2, max_size=9)


@pytest.mark.slow
@holds(60, cells(), st.sampled_from(["", "print(b)", "print(e)\nprint(model)", "print(A)"]))
def test_a_notebook_of_any_cells_is_read_as_kale_reads_it(tmp_path_factory, made, metrics):
    path = tmp_path_factory.mktemp("notebook") / "any.ipynb"
    whole = [("step:load", "a = 1"), *made, *([("pipeline-metrics", metrics)] if metrics else [])]
    compare(write_notebook(path, whole))


@pytest.mark.parametrize(
    "kept",
    [
        {"base_image": None, "enable_caching": False, "marshal_path": "/data/marshal"},
        {"steps_defaults": ["label:team:blue"]},
        {"volumes": [{"name": "data", "mount_point": "/data", "type": "pvc"}]},
        {"volume_access_mode": "rwm", "snapshot_volumes": False, "katib_run": True},
        {"pipeline_description": "It's"},
        {"timeout": 5},
        {"docker_image": "old"},
        {"experiment_name": 7},
    ],
    ids=lambda kept: next(iter(kept)),
)
def test_settings_are_taken_as_kale_takes_them(kept, tmp_path, monkeypatch):
    monkeypatch.setenv(settings.IMAGE_VARIABLE, "not an image")
    path = write_notebook(tmp_path / "set.ipynb", [("step:load", "a = 1")], kale=kept)
    compare(path)
    compare(path, base_image="python:3.11")


@pytest.mark.parametrize("name", ["Capital", "a\n", "-a", "", "a--b", "a.b", None, 3, True])
def test_what_is_plain_is_not_refused_by_kale(name):
    own = settings.are_plain({**SETTINGS, "pipeline_name": name})
    assert own == (_ask_config({**SETTINGS, "pipeline_name": name}) is None and name != "a\n")


def _ask_config(given: dict) -> str | None:
    from kale.processors.nbprocessor import NotebookConfig

    try:
        NotebookConfig(**given, notebook_path="x.ipynb")
    except Exception as error:  # noqa: BLE001 - Kale's own, of any type
        return str(error)
    return None


def test_the_words_are_those_of_kale():
    from kale.pipeline import DEFAULT_BASE_IMAGE
    from kale.processors.constants import TAGS_LANGUAGE

    assert list(LANGUAGE) == TAGS_LANGUAGE
    assert settings.DEFAULT_IMAGE == DEFAULT_BASE_IMAGE
    assert is_tag("step:load")
    assert not is_tag("step:Load")


def test_what_kale_stops_at_it_says_in_its_own_words(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", [("step:a", "a = 1"), ("step:b", "b = = 1")])
    with pytest.raises(FastkfError, match="Kale cannot turn this notebook into a pipeline"):
        read(path).pipeline  # noqa: B018


def test_a_check_and_a_compilation_do_without_kale_and_kfp(tmp_path):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from fastkf.notebook.check import check_file\n"
        "from fastkf.notebook.compile import compile_notebook\n"
        "from fastkf.notebook.model import read\n"
        "check_file(sys.argv[1])\n"
        "compile_notebook(read(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(*sorted(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(LABS[0]), str(tmp_path / "package.yaml")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {module.split(".")[0] for module in result.stdout.split()}
    slow = {"kale", "kfp", "kubernetes", "networkx", "nbformat", "jsonschema", "pydantic"}
    assert loaded & slow == set()


def test_kale_is_asked_once_for_what_it_refuses(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(kale, "ask_kale", lambda path, _: asked.append(path) or refuse(path))
    path = write_notebook(tmp_path / "a.ipynb", [("step:a", "a = = 1"), ("step:b", "b = 1")])
    check_file(path)
    assert asked == [path]


def refuse(path):
    raise KaleError(path, "no")
