"""What importing the toolkit does to a process: nothing that a learner's code could meet."""

import logging
import os
import subprocess
import sys

import pytest

from fastkf.base.quiet import quiet_logging

pytestmark = pytest.mark.slow

# In the place of the package of that name, which may not be installed.
GRAMMAR = """
print("built")
def is_valid_syntax(term, value):
    return value.startswith("http")
"""


def python(code: str, *path) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.strip()


def test_the_toolkit_hides_no_module():
    code = "import sys, fastkf.cli; print([n for n, module in sys.modules.items() if not module])"
    assert python(code) == "[]"


def test_the_grammar_of_iris_is_there_when_it_is_asked_for(tmp_path):
    (tmp_path / "rfc3987_syntax.py").write_text(GRAMMAR)
    code = """
import sys
from fastkf.base.iri import import_jsonschema
import_jsonschema()
import nbformat
print("rfc3987_syntax" in sys.modules)
from jsonschema import FormatChecker
print(FormatChecker().conforms("http://example.org/ä", "iri"))
print(FormatChecker().conforms("no iri", "iri"))
import rfc3987_syntax
print(rfc3987_syntax.__file__ is not None)
"""
    assert python(code, tmp_path).split() == ["False", "built", "True", "False", "True"]


@pytest.mark.parametrize("module", ["fastkf.tune.start", "fastkf.tune.notebook_trial"])
def test_tuning_does_not_build_the_grammar_of_iris(module, tmp_path):
    code = f"import sys, {module}; print('rfc3987_syntax' in sys.modules)"
    assert python(code, tmp_path).split() == ["False"]


@pytest.mark.parametrize("before", [logging.NOTSET, logging.INFO])
def test_what_was_logged_before_is_logged_afterwards(before, monkeypatch):
    monkeypatch.setattr(logging.root.manager, "disable", before)
    inside = []

    def fail() -> None:
        with quiet_logging():
            inside.append(logging.root.manager.disable)
            raise MemoryError

    with pytest.raises(MemoryError):
        fail()
    assert inside == [logging.CRITICAL]
    assert logging.root.manager.disable == before
