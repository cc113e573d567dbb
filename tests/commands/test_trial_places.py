"""What a trial does not find, as its pod would not have it: others' files, a home."""

import io
import os
import tempfile
import uuid
from pathlib import Path

import pytest
import yaml
from build import write_notebook
from conftest import fastkf
from experiments import write_experiment
from rich.console import Console

from fastkf.base.errors import FastkfError
from fastkf.base.mounts import can_mount
from fastkf.cli.display import Display
from fastkf.engine import process_places
from fastkf.tune.start import Options, tune_manifest
from fastkf.tune.tuning import Tuning

pytestmark = pytest.mark.slow
needs_mounts = pytest.mark.skipif(not can_mount(), reason="nobody may mount anything here")
HERE = f"/tmp/{uuid.uuid4()}"  # that nobody else has
ONE = {"maxTrialCount": 1, "parallelTrialCount": 1, "maxFailedTrialCount": 1}
COUNT = """
    from pathlib import Path
    place = Path({place})
    found = place.exists()
    place.write_text("a checkpoint")
    print(f"score={{1 if found else 0}}")
"""


class Tuned:
    """A tuning with a manifest in a folder, that has ended."""

    def __init__(self, folder: Path, code: str, spec: dict, **container):
        path = write_experiment(folder, code, spec=spec)
        manifest = yaml.safe_load(path.read_text())
        pod = manifest["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
        pod["volumes"] = container.pop("volumes", [])
        pod["containers"][0] |= container
        path.write_text(yaml.safe_dump(manifest))
        text = io.StringIO()
        self.succeeded = tune_manifest(
            path, Options(output=folder / "run"), Display(Console(file=text, width=400))
        )
        self.output = text.getvalue()
        self.logs = [one.read_text() for one in sorted(folder.glob("run/trials/*/output.log"))]


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(f"'{HERE}'", marks=needs_mounts),
        pytest.param(f"'/var{HERE}'", marks=needs_mounts),
        "tempfile.gettempdir(), 'checkpoint'",
        "Path.home(), 'checkpoint'",
    ],
    ids=["tmp", "var-tmp", "temporary", "home"],
)
def test_what_one_trial_leaves_no_other_finds(tmp_path, place):
    code = "    import tempfile" + COUNT.format(place=place)
    tuned = Tuned(tmp_path, code, {"maxTrialCount": 3, "parallelTrialCount": 1})
    assert tuned.succeeded, tuned.output
    assert [log.strip() for log in tuned.logs] == ["score=0"] * 3
    assert not os.path.lexists(HERE)
    assert not os.path.lexists(f"/var{HERE}")


@pytest.mark.parametrize("interrupted", [False, True])
def test_nothing_of_a_trial_stays_behind(tmp_path, monkeypatch, interrupted):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    if interrupted:
        monkeypatch.setattr(Tuning, "_look_after_running", interrupt)
        with pytest.raises(FastkfError, match="interrupted"):
            Tuned(tmp_path, "time.sleep(600)", ONE)
    else:
        assert Tuned(tmp_path, "print(f'score={x}')", ONE).succeeded
    assert os.listdir(temporary) == []


def interrupt(*_):
    raise KeyboardInterrupt


@needs_mounts
def test_a_trial_that_looks_for_what_this_machine_has_in_tmp_says_so(tmp_path):
    with tempfile.NamedTemporaryFile(dir="/tmp") as file:
        tuned = Tuned(tmp_path, f"open('{file.name}')", ONE)
    assert not tuned.succeeded
    assert f"No such file or directory: '{file.name}' (this machine has it, and" in tuned.output


def test_a_trial_that_looks_for_what_your_home_has_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    (tmp_path / "me").mkdir()
    (tmp_path / "me" / ".keys").touch()
    tuned = Tuned(tmp_path, "open(os.path.expanduser('~/.keys'))", ONE)
    assert not tuned.succeeded
    assert "/.keys' (your home folder has it, and each trial has a home of its own" in tuned.output


def test_a_trial_of_a_user_without_a_home_fails_for_its_own_reason(tmp_path, monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)  # as in containers of any user
    tuned = Tuned(tmp_path, "open(os.path.expanduser('~/.keys'))", ONE)
    assert not tuned.succeeded
    assert "No such file or directory" in tuned.output
    assert "your home folder has it" not in tuned.output


@needs_mounts
def test_the_folder_of_a_volume_in_tmp_is_this_machines(tmp_path):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        (Path(folder) / "table").write_text("7")
        code = f"print('score=' + open('{folder}/table').read())"
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
        mounts = [{"name": "data", "mountPath": folder}]
        assert Tuned(tmp_path, code, ONE, volumes=volumes, volumeMounts=mounts).succeeded
        volumes = [{"name": "data", "emptyDir": {}}]
        again = tmp_path / "again"
        assert not Tuned(again, code, ONE, volumes=volumes, volumeMounts=mounts).succeeded


@needs_mounts
def test_a_project_in_tmp_is_all_there(tmp_path):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        (Path(folder) / "data").mkdir()
        (Path(folder) / "data" / "table").write_text("7")
        code = "print('score=' + open('../data/table').read())"
        assert Tuned(Path(folder) / "search", code, ONE).succeeded


@needs_mounts
def test_what_a_parameter_of_a_notebook_names_in_tmp_is_there(tmp_path):
    step = "score = rate + len(open(table).read())"
    parameters = 'rate = 0.5\ntable = "none"'
    cells = [
        ("imports", "import os"),
        ("pipeline-parameters", parameters),
        ("step:train", step),
        ("pipeline-metrics", "print(score)"),
    ]
    notebook = write_notebook(tmp_path / "train.ipynb", cells, "my-training")
    with tempfile.NamedTemporaryFile("w", dir="/tmp") as file:
        words = "--metric", "score", "--param", "rate=0.1..0.9", "--trials", "1"
        words = "tune", notebook, *words, "-p", f"table={file.name}"
        result = fastkf(*words, folder=tmp_path / "run")
    assert result.code == 0, result.output


def test_a_trial_knows_nobodys_name_and_time_zone_but_finds_their_packages(tmp_path, monkeypatch):
    mine = {"USER": "ana", "TZ": "Asia/Tokyo", "PYTHONUSERBASE": str(tmp_path / "mine")}
    for name, value in mine.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(process_places.site, "USER_BASE", str(tmp_path / "mine"))
    code = "print('score=1', *(os.getenv(name) for name in ('USER', 'TZ', 'PYTHONUSERBASE')))"
    assert Tuned(tmp_path, code, ONE).logs == [f"score=1 None UTC {tmp_path / 'mine'}\n"]


@pytest.mark.parametrize(("place", "told"), [("/tmp/none", True), ("/mnt/none", False)])
def test_where_nobody_may_mount_trials_share_tmp_and_it_is_said(tmp_path, monkeypatch, place, told):
    monkeypatch.setattr(process_places, "can_mount", lambda before: False)
    tuned = Tuned(tmp_path, f"print('score=1', os.path.exists('{place}'))", ONE)
    assert tuned.succeeded
    assert ("trials share this machine's /tmp" in tuned.output) is told
