"""Which files of this user's home a package's code names."""

import pytest
from kfp import compiler, dsl, kubernetes

from fastkf.package import warnings
from fastkf.package.model import Package


def told_of(code: str, folder, mounted: str = "") -> list[str]:
    @dsl.container_component
    def look():
        return dsl.ContainerSpec(image="own:1", command=["python3", "-c", code])

    @dsl.pipeline
    def alone():
        task = look()
        if mounted:
            kubernetes.mount_pvc(task, "data", mounted)

    path = folder / "package.yaml"
    compiler.Compiler().compile(alone, str(path))
    return list(warnings.of_home(Package.read(path)))


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    (tmp_path / "me" / "data").mkdir(parents=True)
    (tmp_path / "me" / "data" / "table.csv").touch()
    return tmp_path / "me"


@pytest.mark.parametrize(
    "code",
    ["open('{home}/data/table.csv')", "open(\"{home}/data\") # 'x'", "x = \\'{home}/data\\'"],
)
def test_a_path_that_leads_to_what_is_there_is_told(home, tmp_path, code):
    [told] = told_of(code.format(home=home), tmp_path)
    assert told.startswith(f"look names {home}/data")
    assert "no pod has your home folder" in told


@pytest.mark.parametrize(
    "code",
    [
        "open('{home}/none.csv')",
        "open('{home}2/data')",
        "open('/data/table.csv')",
        "# as in {home}/data/table.csv",
        "print('{home}')",
    ],
)
def test_what_an_image_may_have_and_what_only_speaks_of_a_path_is_not_told(home, tmp_path, code):
    assert told_of(code.format(home=home), tmp_path) == []


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.environ['HF_HOME'] = '{home}/.cache/models'",
        "import os\nos.environ['HF_HOME'] = '{home}/data'",
        "import os\nos.makedirs('{home}/data', exist_ok=True)\nopen('{home}/data/table.csv', 'w')",
        "import os\nx = os.path.exists('{home}/data/table.csv')",
        "from pathlib import Path\np = Path('{home}/data')\np.mkdir(parents=True)",
        "import shutil\nshutil.copytree('/data', '{home}/data')\nopen('{home}/data/table.csv')",
        "import subprocess\nsubprocess.run(['cp', '-r', '/data', '{home}/data'])",
        "import os\ndef fetch(p):\n    os.makedirs(p)\nfetch('{home}/data')",
        "x = 1  # as in '{home}/data'",
        "sh -c \"mkdir -p '{home}/data'\"",
    ],
)
def test_what_the_code_makes_or_looks_for_first_is_not_told(home, tmp_path, code):
    (home / ".cache" / "models").mkdir(parents=True)
    assert told_of(code.format(home=home), tmp_path) == []


@pytest.mark.parametrize(
    "code",
    [
        "import pandas\np = '{home}/data/table.csv'\nprint(p)\nx = pandas.read_csv(p)",
        "from pathlib import Path\nx = Path('{home}/data/table.csv').read_text()",
        "def load(p):\n    return open(p)\nload('{home}/data/table.csv')",
        "import os\nos.makedirs('/out')\nopen('{home}/data/table.csv')",
        "sh -c \"cat '{home}/data/table.csv'\"",
    ],
)
def test_what_the_code_opens_is_told(home, tmp_path, code):
    assert len(told_of(code.format(home=home), tmp_path)) == 1


def test_a_volume_there_is_not_told(home, tmp_path, monkeypatch):
    code = f"open('{home}/data/table.csv')"
    assert told_of(code, tmp_path, f"{home}/data") == []
    assert len(told_of(code, tmp_path, "/data")) == 1
    monkeypatch.setenv("HOME", "/")
    assert told_of(code, tmp_path) == []
