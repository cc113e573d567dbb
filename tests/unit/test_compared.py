"""What a run that went both ways says of what it compared."""

import json

import pytest

from fastkf.run.compared import say_what_is_compared
from fastkf.runs.model import NotebookResult, PipelineResult, Run, State

EXECUTOR = "[KFP Executor 2026-11-28 19:59:17,675 INFO]: Loading KFP component"


def cell(source: str, tag: str, printed: str = "") -> dict:
    outputs = [{"output_type": "stream", "name": "stdout", "text": printed}] if printed else []
    return {
        "cell_type": "code",
        "metadata": {"tags": [tag]},
        "source": source,
        "outputs": outputs,
        "execution_count": 1,
        "id": tag.replace(":", "-"),
    }


@pytest.fixture
def say(tmp_path):
    def call(printed: str, log: str, **changes) -> str | None:
        cells = [cell("import math", "imports", "loading\n"), cell("show()", "step:show", printed)]
        content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        executed = tmp_path / "notebook.ipynb"
        executed.write_text(json.dumps(content))
        (tmp_path / "logs").mkdir(exist_ok=True)
        (tmp_path / "logs" / "show.log").write_text(log)
        run = Run(
            tmp_path,
            "lab",
            "Lab",
            notebook=NotebookResult(State.SUCCEEDED, metrics=changes.get("notebook", {})),
            pipeline=PipelineResult(
                changes.get("state", State.SUCCEEDED), metrics=changes.get("pipeline", {})
            ),
        )
        return say_what_is_compared(run)

    return call


def test_metrics_where_there_are_any(say):
    assert say("1\n", "2\n", notebook={"a": 1}, pipeline={"a": 1}) == "Compared: 1 metric."
    assert say("", "", notebook={"a": 1}, pipeline={"b": 1}) == "Compared: 2 metrics."


@pytest.mark.parametrize(
    "log",
    [
        f"{EXECUTOR}\nloading\n2 models\n\n  done\n{EXECUTOR}\n",  # the imports print there too
        "2 models\n\x1b[2m  done\x1b[0m",
    ],
)
def test_printed_lines_that_are_the_same(say, log):
    said = say("2 models\n\n  done\n", log)
    assert "What 1 step printed in the notebook, they printed in the pipeline too." in said


@pytest.mark.parametrize("log", ["1 models\ndone\n", "done\n2 models\n", "", f"{EXECUTOR}\ndone"])
def test_printed_lines_that_differ(say, log):
    said = say("2 models\ndone\n", log)
    assert "1 step did not print in the pipeline what" in said
    assert said.endswith(("show lacks: 2 models", "show lacks: done"))


def test_nothing_was_compared(say):
    said = say("", "something else\n")
    assert said.startswith("Nothing was compared")
    assert "pipeline-metrics" in said


def test_a_run_that_failed_says_nothing_of_it(say):
    assert say("1\n", "1\n", state=State.FAILED) is None
