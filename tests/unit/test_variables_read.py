"""Which keys of the terminal a step has read, that no pod would have."""

import os
import subprocess
import sys

import pytest

from fastkf.engine.warm.variables import WATCHED, list_watched, read_noted

PROGRAM = """
import os, pathlib, sys
from fastkf.engine.warm.variables import watch
watch(pathlib.Path(sys.argv[1]))
exec(sys.argv[2])
"""


def read_by(source, folder) -> list[str]:
    own = {"API_KEY": "1", "OTHER_TOKEN": "2", "LANG": "C", WATCHED: "API_KEY OTHER_TOKEN"}
    command = [sys.executable, "-c", PROGRAM, str(folder), source]
    subprocess.run(command, env={**os.environ, **own}, check=True)
    return read_noted(folder)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("os.environ['API_KEY']; os.environ['API_KEY']", ["API_KEY"]),
        ("os.getenv('API_KEY'); os.environ.get('OTHER_TOKEN')", ["API_KEY", "OTHER_TOKEN"]),
        ("assert 'API_KEY' in os.environ", ["API_KEY"]),
        ("os.environ['LANG']; os.environ.get('NOT_THERE')", []),
        ("assert {**os.environ}['API_KEY'] == '1'", []),
        ("os.environ.copy(); dict(os.environ); list(os.environ.items())", []),
        ("import subprocess; subprocess.run(['true'])", []),
        ("os.environ.copy(); os.environ['OTHER_TOKEN']", ["OTHER_TOKEN"]),
    ],
)
def test_what_is_read_is_noted_and_what_is_copied_is_not(tmp_path, source, names):
    assert read_by(source, tmp_path) == names


@pytest.mark.parametrize(
    ("name", "is_watched"),
    [
        ("OPENAI_API_KEY", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("HF_TOKEN", True),
        ("MLFLOW_TRACKING_URI", True),
        ("GOOGLE_APPLICATION_CREDENTIALS", True),
        ("GIVEN_TOKEN", False),
        ("KEYBOARD", False),
        ("PIP_INDEX_URL", False),
        ("KFP_EXISTING_TOKEN", False),
    ],
)
def test_keys_and_addresses_are_watched(monkeypatch, name, is_watched):
    monkeypatch.setenv(name, "value")
    assert (name in list_watched(["GIVEN_TOKEN"])) == is_watched
