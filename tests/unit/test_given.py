"""Secrets, ConfigMaps and time limits: what a step has of them here."""

import os
import sys

import pytest
from kfp import compiler, dsl, kubernetes

from fastkf.base.errors import FastkfError, UsageError
from fastkf.engine.children import Children
from fastkf.package.given import CONFIG_MAP, DONE, SECRET, check_given, find_variables, read_given
from fastkf.package.model import Package
from fastkf.package.settings import describe_settings, for_executors
from fastkf.server.provided import VARIABLE, Provided

MANIFEST = "kind: Secret\ndata: {user: bWU=}\nstringData: {password: it's}\n"


@dsl.component(base_image="python:3.11")
def train():
    pass


@pytest.fixture
def package(tmp_path):
    @dsl.pipeline
    def takes():
        task = train()
        kubernetes.use_secret_as_env(task, "db", {"password": "PASSWORD"})
        kubernetes.use_config_map_as_env(task, "modes", {"mode": "MODE"})
        kubernetes.use_secret_as_env(task, "more", {"x": "X"}, optional=True)
        kubernetes.set_timeout(task, 30)

    compiler.Compiler().compile(takes, str(tmp_path / "takes.yaml"))
    return Package.read(tmp_path / "takes.yaml")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("db.env", '# keys\nuser=me\nexport password="it\'s"\n\n'),
        ("db.yaml", MANIFEST),
        ("db/user", "me"),
    ],
)
def test_the_forms_of_a_secret(tmp_path, name, text):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    if path.parent != tmp_path:
        (path.parent / "password").write_text("it's")
        path = path.parent
    given = read_given({"db": str(path)}, {})
    assert given.find(SECRET, "db") == {"user": "me", "password": "it's"}
    assert "it's" not in repr(given)


@pytest.mark.parametrize("text", ["hunter2", "kind: ConfigMap\ndata: {a: hunter2}", "- hunter2"])
@pytest.mark.parametrize("ending", ["env", "yaml"])
def test_what_is_none_is_refused_without_its_words(tmp_path, text, ending):
    path = tmp_path / f"db.{ending}"
    path.write_text(text)
    with pytest.raises(UsageError, match="--secret: ") as refused:
        read_given({"db": str(path)}, {})
    assert "hunter2" not in str(refused.value)


def test_a_step_gets_what_is_given(tmp_path, package):
    (tmp_path / "db.env").write_text("password=a=b\n")
    (tmp_path / "modes.env").write_text("mode=fast\n")
    given = read_given({"db": str(tmp_path / "db.env")}, {"modes": str(tmp_path / "modes.env")})
    check_given(package, given)
    assert given.find(CONFIG_MAP, "modes") == {"mode": "fast"}
    [asked] = for_executors(package).values()
    assert find_variables(asked, {}, given) == {"PASSWORD": "a=b", "MODE": "fast"}
    assert describe_settings(package, DONE) == ()


def test_what_is_not_given_is_named_at_once(tmp_path, package):
    (tmp_path / "db.env").write_text("user=me\n")
    given = read_given({"db": str(tmp_path / "db.env")}, {})
    with pytest.raises(FastkfError) as refused:
        check_given(package, given)
    assert str(refused.value) == (
        "not given here: password in Secret db of train; ConfigMap modes of train; give the values "
        "with --secret db=FILE --config-map modes=FILE, or set the steps' variables yourself"
    )


def test_a_server_hands_on_paths_only(tmp_path, monkeypatch, package):
    monkeypatch.setenv(VARIABLE, "")
    (tmp_path / "db.env").write_text("password=hunter2\n")
    Provided({"db": str(tmp_path / "db.env")}, offline=True).hand_on()
    assert "hunter2" not in os.environ[VARIABLE]
    taken = Provided.take()
    assert taken.give(package).find(SECRET, "db") == {"password": "hunter2"}
    assert taken.environments.offline
    assert VARIABLE not in os.environ


def test_a_step_is_ended_at_its_time_limit(tmp_path):
    words = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]
    ending = Children().run(words, os.environ, tmp_path / "log", tmp_path, 0.2)
    assert ending.code
    assert "its time limit (DeadlineExceeded)" in str(ending)
