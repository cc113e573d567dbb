"""Secrets, ConfigMaps and time limits: what a step has of them here."""

import json
import os
import sys
from pathlib import Path
from typing import Optional

import pytest
from kfp import compiler, dsl, kubernetes

from fastkf.base.errors import FastkfError, UsageError
from fastkf.engine.children import Children
from fastkf.engine.references import find_variables, list_references
from fastkf.engine.run import run_package
from fastkf.package.given import CONFIG_MAP, DONE, SECRET, check_given, read_given
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
    references = list_references(asked, lambda one: one["runtimeValue"]["constant"])
    assert find_variables(references, given) == {"PASSWORD": "a=b", "MODE": "fast"}
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


@dsl.component(base_image="python:3.11")
def choose() -> str:
    return "chosen"


OF_PODS = ("KFP_POD_NAME", "KFP_POD_UID")


class Looking:
    """An executor whose steps say what they were to get: `train` its variables and files."""

    honours = frozenset()

    def __init__(self, given):
        self.given, self.found = given, {}

    def execute(self, job, log, show):
        variables = {n: v for n, v in job.variables(self.given).items() if n not in OF_PODS}
        if job.name == "train":
            self.found = variables, job.list_mounts(self.given, log.with_suffix(".files"))
        outputs = {"parameterValues": {"Output": "modes"} if job.name == "choose" else {}}
        Path(job.executor_input["outputs"]["outputFile"]).write_text(json.dumps(outputs))

    def end(self):
        pass


def run_named(folder, use, given):
    @dsl.pipeline
    def takes(name: str = "db", maybe: Optional[str] = None):  # noqa: UP045 - KFP reads no other
        use(train(), name, choose().output, maybe)

    compiler.Compiler().compile(takes, str(folder / "takes.yaml"))
    looking = Looking(given)
    package = Package.read(folder / "takes.yaml")
    check_given(package, given)
    steps = run_package(
        package, {}, folder / "run", executors={"python": looking}, on_step=lambda step: None
    ).steps
    return looking.found, next(step for step in steps if step.name == "train")


def test_an_input_or_a_task_names_a_secret(tmp_path):
    def use(task, name, output, maybe):
        kubernetes.use_secret_as_env(task, name, {"password": "PASSWORD"})
        kubernetes.use_config_map_as_env(task, output, {"mode": "MODE"})
        kubernetes.use_secret_as_env(task, maybe, {"x": "X"})
        kubernetes.use_secret_as_volume(task, name, "/db")

    (tmp_path / "db.env").write_text("password=a=b\n")
    (tmp_path / "modes.env").write_text("mode=fast\n")
    given = read_given({"db": str(tmp_path / "db.env")}, {"modes": str(tmp_path / "modes.env")})
    (variables, [mount]), _ = run_named(tmp_path, use, given)
    assert variables == {"PASSWORD": "a=b", "MODE": "fast"}
    assert mount.target == "/db"


NAMED = {
    "variable": lambda task, name: kubernetes.use_secret_as_env(task, name, {"user": "USER_OF_DB"}),
    "files": lambda task, name: kubernetes.use_secret_as_volume(task, name, "/db"),
}


@pytest.mark.parametrize(
    ("kind", "given", "what"),
    [
        ("variable", {}, "Secret db"),
        ("variable", {"db": "password=1"}, "user in Secret db"),
        ("files", {"other": "password=1"}, "Secret db"),
    ],
)
def test_what_is_not_given_and_an_input_names_fails_the_step(tmp_path, kind, given, what):
    for name, text in given.items():
        (tmp_path / name).write_text(text)
    secrets = read_given({name: str(tmp_path / name) for name in given}, {})
    found, step = run_named(
        tmp_path, lambda task, name, output, maybe: NAMED[kind](task, name), secrets
    )
    assert not found
    assert f"not given here: {what}, for which this step would wait on a cluster" in str(
        step.failure
    )
    assert "--secret db=FILE" in str(step.failure)


def test_a_secret_that_need_not_be_there_or_that_the_shell_has_is_no_lack(tmp_path, monkeypatch):
    def use(task, name, output, maybe):
        kubernetes.use_secret_as_env(task, name, {"password": "OF_THE_SHELL"})
        kubernetes.use_secret_as_env(task, output, {"x": "X"}, optional=True)
        kubernetes.use_secret_as_volume(task, output, "/db", optional=True)

    monkeypatch.setenv("OF_THE_SHELL", "here")
    (variables, _), step = run_named(tmp_path, use, read_given({}, {}))
    assert (variables, step.state.value) == ({}, "succeeded")
