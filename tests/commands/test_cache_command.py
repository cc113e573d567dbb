"""`fastkf cache`: what it lists of the kept steps, and what it forgets."""

import pytest
from conftest import fastkf

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    """A working folder in which two pipelines have run with the cache."""
    from kfp import compiler, dsl

    @dsl.component(base_image="python:3.12")
    def add(x: int) -> int:
        return x + 1

    for name in ("first", "second"):

        @dsl.pipeline(name=name)
        def pipeline():
            add(x=1)

        compiler.Compiler().compile(pipeline, str(tmp_path / f"{name}.yaml"))
        assert fastkf("run", f"{name}.yaml", "--cache", cwd=tmp_path).code == 0
    return tmp_path


def test_kept_steps_are_listed_chosen_and_forgotten(folder):
    def cache(*words):
        result = fastkf("cache", "--server", folder / "server", *words, cwd=folder)
        return result.code, result.output

    def kept():
        return [line.split()[0] for line in cache()[1].splitlines() if "  add  " in line]

    assert kept() == ["first", "second"]
    assert cache("--older-than", "1") == (0, "No step is kept that fits.\n")
    assert cache("first", "--clear")[0] != 0  # nobody is there to say yes
    assert kept() == ["first", "second"]
    code, output = cache("first", "--clear", "--yes")
    assert (code, kept()) == (0, ["second"])
    assert "forgot 1 step" in output
    assert cache("--clear", "--yes")[0] == 0
    assert cache() == (0, "No step is kept.\n")
