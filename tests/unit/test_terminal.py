"""Which keys of the terminal the steps of a package read, that their pods would not have."""

import pytest
from kfp import compiler, dsl, kubernetes

from fastkf.package.model import Package
from fastkf.package.terminal import list_read

HERE = ["OPENAI_API_KEY", "HF_TOKEN", "MLFLOW_TRACKING_URI", "ASKED_TOKEN", "SET_URL", "LANG"]
HERE += ["KEYBOARD", "PIP_INDEX_URL", "UNREAD_SECRET"]


@dsl.component(base_image="python:3.11")
def in_python() -> str:
    import os

    keys = os.environ["OPENAI_API_KEY"] + os.getenv("HF_TOKEN") + os.environ.get("ASKED_TOKEN")
    return f"{keys} {os.environ['LANG']} {os.environ['KEYBOARD']} {os.environ['PIP_INDEX_URL']}"


@dsl.container_component
def in_shell():
    return dsl.ContainerSpec("debian", ["sh", "-c"], ["echo $SET_URL; curl ${MLFLOW_TRACKING_URI}"])


@dsl.component(base_image="python:3.11")
def without() -> str:
    return "UNREAD_SECRET"


@dsl.pipeline
def every_kind():
    kubernetes.use_secret_as_env(in_python(), "asked", {"token": "ASKED_TOKEN"})
    in_shell().set_env_variable("SET_URL", "http://store")
    without()


@pytest.fixture
def package(tmp_path):
    compiler.Compiler().compile(every_kind, str(tmp_path / "package.yaml"))
    return Package.read(tmp_path / "package.yaml")


def test_what_nothing_gives_the_pod_is_listed(package):
    assert dict(list_read(package, HERE)) == {
        "in-python": ["HF_TOKEN", "OPENAI_API_KEY"],
        "in-shell": ["MLFLOW_TRACKING_URI"],
    }


def test_what_the_terminal_does_not_have_fails_by_itself(package):
    assert dict(list_read(package, ["LANG"])) == {}
