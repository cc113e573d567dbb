"""A step that was made for another release of KFP and looks for what the one here has not."""

import json
import sys
from importlib import metadata

import pytest

from fastkf.engine.warm import interpreter
from fastkf.package.installs import find_kfp

HERE = metadata.version("kfp")


@pytest.mark.parametrize(
    ("source", "asked", "is_told"),
    [
        ("from kfp import dsl; dsl.Artifact._no_such_method()", "2.14.6", True),
        ("from kfp import dsl; dsl.Dataset()._no_such_method()", "2.14.6", True),
        ("import kfp.dsl; kfp.dsl._no_such_name", "2.14.6", True),
        ("from kfp.dsl import _no_such_name", "2.14.6", True),
        ("import kfp._no_such_module", "2.14.6", True),
        ("from kfp import dsl; dsl.Artifact._no_such_method()", None, False),
        ("None.text", "2.14.6", False),
        ("import no_such_module", "2.14.6", False),
    ],
)
def test_the_error_says_which_kfp_runs(tmp_path, monkeypatch, capsys, source, asked, is_told):
    (tmp_path / "made_for_another.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(interpreter, "_become_layer", lambda: None)
    monkeypatch.setenv(interpreter.STEP_FOLDER, str(tmp_path))
    if asked:
        monkeypatch.setenv(interpreter.ASKED_KFP, asked)
    assert interpreter.run("made_for_another", []) == 1
    remedy = json.loads((tmp_path / interpreter.ERROR_FILE).read_text())["remedy"]
    said = f"the package asks for kfp 2.14.6, and its steps run with kfp {HERE}, which is installed"
    assert (said in (remedy or "")) == is_told


def test_the_version_that_a_command_asks_for():
    words = ["sh", "-c", "pip install --quiet 'kfp==2.14.6' '--no-deps' && \"$0\" \"$@\""]
    assert find_kfp(words) == "2.14.6"
    assert find_kfp(["sh", "-c", "echo kfp"]) == ""
