"""What a step's kernel keeps of an exception: the author's own, with its line, whatever it is."""

import json

import pytest

from fastkf.engine.warm import kale_runtime, kernel
from fastkf.runs.model import Failure
from fastkf.runs.problems import explain

pytestmark = pytest.mark.slow

FAILING_TEXT = """
class Odd(Exception):
    def __str__(self):
        raise ValueError("no text")
raise Odd()
"""
CHAINED = """
try:
    {}["a"]
except KeyError as error:
    raise RuntimeError("could not read") from error
"""
OWN_CAUSE = "error = ValueError('round')\nraise error from error"
NOTED = "error = ValueError('base')\nerror.add_note('look here')\nraise error"
GROUP = "raise ExceptionGroup('two', [ValueError('a'), TypeError('b')])"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a cell in a shell as a step's kernel does; what is kept of its error."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    monkeypatch.setenv("FASTKF_STEP_FOLDER", str(tmp_path))

    def run_cell(source: str) -> Failure:
        options = Config({"HistoryManager": {"enabled": False}})
        shell = InteractiveShell.instance(config=options)  # Kale asks whether there is one
        kernel.load_ipython_extension(shell)
        shell.run_cell(source, store_history=True)  # as a kernel does
        return Failure(**json.loads((tmp_path / "error.json").read_text()))

    yield run_cell
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(
    ("source", "said", "text"),
    [
        (FAILING_TEXT, "Odd: (it cannot say why: its __str__ fails)", "raise Odd()"),
        (
            CHAINED,
            "RuntimeError: could not read; raised from KeyError: 'a'",
            'raise RuntimeError("could not read") from error',
        ),
        (OWN_CAUSE, "ValueError: round; raised from ValueError: round", "raise error from error"),
        (NOTED, "ValueError: base; look here", "raise error"),
        (GROUP, "ExceptionGroup: two (2 sub-exceptions); ValueError: a; TypeError: b", GROUP),
        ("x = 1\neval('1 +')", "SyntaxError: invalid syntax (<string>, line 1)", "eval('1 +')"),
        ("x = 1\ny = = 2", None, "y = = 2"),
        ("assert 1 == 2", "AssertionError", "assert 1 == 2"),
        ("raise SystemExit(3)", "SystemExit: 3", "raise SystemExit(3)"),
        ("import sys\nsys.exit('no data')", "SystemExit: no data", "sys.exit('no data')"),
    ],
)
@pytest.mark.filterwarnings("ignore:To exit")
def test_an_exception_is_kept_in_its_own_words_and_line(run, source, said, text):
    failure = run(source)
    assert failure.text == text
    if said:
        told = explain(failure, {source.strip(): "cell 1"})
        assert told == f"{said} (cell 1, line {failure.line}: {text})"


def test_what_cannot_be_passed_on_is_named(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the draft of what cannot be written stays
    failure = run("import kale.marshal\nkale.marshal.save((n for n in [1]), 'numbers_artifact')")
    assert failure.name == "TypeError"
    assert failure.message.startswith("cannot pickle 'generator' object; `numbers`, a ")
    assert "make it in each step that needs it" in failure.message


def test_a_variable_that_the_step_has_made_in_no_case_is_named(run):
    failure = run(
        "from kale import marshal as _kale_marshal\n_kale_marshal.save(extra, 'extra_artifact')"
    )
    assert failure.message.startswith("name 'extra' is not defined; a later step takes `extra`")


def test_a_long_message_is_told_in_part():
    told = explain(Failure("ValueError", "x" * 300_000), {})
    assert len(told) < 1100


def test_a_metric_that_kale_cannot_write_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTKF_STEP_FOLDER", str(tmp_path))
    with pytest.raises(TypeError, match=r"the metric bad is a builtins\.set, .* float\(\)"):
        kale_runtime.generate_mlpipeline_metrics({"good": 1, "bad": {1}})
