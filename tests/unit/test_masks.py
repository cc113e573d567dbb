"""What Secrets hold is not to be seen: in logs, in run.json, in the report."""

import os
import sys

import pytest
from kfp import compiler, dsl, kubernetes

from fastkf.base.masks import LONGEST_LINE, Mask
from fastkf.engine.board import Board
from fastkf.engine.children import Children
from fastkf.package.given import SECRET, Given, find_mask
from fastkf.package.model import Package
from fastkf.runs.hidden import hides
from fastkf.runs.model import Artifact, Failure, State, Step, Values

pytestmark = pytest.mark.security
SECRETS = ("hunter2!", "two words\nsecond line", 'quo"te\\', "abc", "hunter2!longer")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=hunter2!;", "password=***;"),
        ("hunter2!longer", "***"),
        ("two words\nsecond line", "***"),
        ("> two words\n> second line", "> ***\n> ***"),
        ('{"a": "quo\\"te\\\\"}', '{"a": "***"}'),
        ("abc hunter", "abc hunter"),
    ],
)
def test_the_words_of_secrets_are_stars(text, shown):
    mask = Mask(SECRETS)
    assert mask.hide_text(text) == shown
    assert mask.hide_bytes(text.encode()) == shown.encode()
    assert mask.hide({text: [text, 1, None]}) == {shown: [shown, 1, None]}


def test_a_mask_of_nothing_hides_nothing(tmp_path):
    mask = Mask(["", "abc", "\n"])
    assert not mask
    assert mask.hide({"a": "abc"}) == {"a": "abc"}


def run(tmp_path, program: str) -> str:
    command = [sys.executable, "-I", "-S", "-c", program]
    log = tmp_path / "log"
    Children().run(command, os.environ, log, tmp_path, mask=Mask(SECRETS))
    return log.read_text()


def test_a_log_never_holds_what_a_step_prints_in_pieces(tmp_path):
    program = """
import os, subprocess, sys, time
for piece in (b"a hun", b"ter2! b\\n", b"no end: two ", b"words"):
    os.write(1, piece); time.sleep(0.05)
os.write(2, b"\\n")
while b"no end: ***" not in open("log", "rb").read(): time.sleep(0.01)
subprocess.run(["echo", "second line"])  # after the first, not with it: they are one secret
os.write(1, b"x" * 200_000 + b"hunter2!")
"""
    assert run(tmp_path, program) == f"a *** b\nno end: ***\n***\n{'x' * 200_000}***"


def test_a_word_on_the_edge_of_a_piece_of_a_long_line_is_hidden(tmp_path):
    mask = Mask(SECRETS)
    for before in range(LONGEST_LINE - 10, LONGEST_LINE + 10):
        line = b"x" * before + b"hunter2!" + b"y" * LONGEST_LINE
        with (tmp_path / "log").open("wb") as file, mask.over(file) as descriptor:
            os.write(descriptor, line[: LONGEST_LINE * 2])
            os.write(descriptor, line[LONGEST_LINE * 2 :])
        assert (tmp_path / "log").read_bytes() == b"x" * before + b"***" + b"y" * LONGEST_LINE


def test_a_record_shows_stars_and_a_failure_too():
    told = []
    board = Board({("a",): Step("a", "a")}, told.append, Mask(SECRETS))
    place = "artifacts/hunter2!"
    made = Values({"Output": "hunter2!"}, {"m": Artifact("t", place, {"k": "hunter2!"})})
    board.change(("a",), (), outputs=made, command=("sh", "hunter2!"))
    board.change(("a",), (), state=State.FAILED, failure=Failure("E", "wrong: hunter2!", "x"))
    (step,) = board.steps
    assert step.outputs == Values({"Output": "***"}, {"m": Artifact("t", place, {"k": "***"})})
    assert (step.command, step.failure.message) == (("sh", "***"), "wrong: ***")
    assert hides(made, Mask(SECRETS))
    assert not hides(made, Mask())


@dsl.component(base_image="python:3.11")
def train():
    pass


def test_what_is_hidden(tmp_path, monkeypatch):
    @dsl.pipeline
    def takes():
        kubernetes.use_secret_as_env(train(), "db", {"password": "TEST_PASSWORD"})

    compiler.Compiler().compile(takes, str(tmp_path / "takes.yaml"))
    package = Package.read(tmp_path / "takes.yaml")
    monkeypatch.setenv("TEST_PASSWORD", "of the shell")
    mask = find_mask(package, Given({SECRET: {"db": {"password": "of the file"}}}))
    assert mask.hide_text("of the shell, of the file") == "***, ***"
