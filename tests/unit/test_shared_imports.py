"""What several steps of a package import first is imported once, ahead of them."""

import sys

import pytest

from fastkf.engine.warm.shared import import_installed
from fastkf.package.imports import list_shared
from fastkf.package.model import Package

PANDAS = [("pandas", "import pandas as pd")]


def write_function(name: str, *lines: str) -> str:
    return "\n    ".join([f"def {name}():", '"""What it does."""', *lines, "return 1"])


def make_package(sources, tasks, settings=None, **container) -> Package:
    """A package with a component for each source.

    Args:
        tasks: the names of the components that the tasks of the pipeline use; one that begins with
            `*` is in a loop.
    """
    executors = {
        name: {
            "container": {
                "command": ["sh", "python3 -m kfp.dsl.executor_main", source],
                "args": ["--executor_input", "{{$}}", "--function_to_execute", name],
                **container,
            }
        }
        for name, source in sources.items()
    }
    components = {name: {"executorLabel": name} for name in sources}
    inside = {}
    for number, name in enumerate(tasks):
        task = {"componentRef": {"name": name.lstrip("*")}}
        if name.startswith("*"):
            components[f"loop-{number}"] = {"dag": {"tasks": {"one": task}}}
            task = {"componentRef": {"name": f"loop-{number}"}, "parameterIterator": {}}
        inside[f"task-{number}"] = task
    spec = {"deploymentSpec": {"executors": executors}, "components": components}
    spec["root"] = {"dag": {"tasks": inside}}
    kubernetes = {"deploymentSpec": {"executors": settings or {}}}
    return Package(spec, {"platforms": {"kubernetes": kubernetes}})


READS = write_function("read", "import pandas as pd")
TRAINS = write_function("train", "import pandas as pd, torch")


def test_what_two_steps_begin_with_is_shared():
    assert list_shared(make_package({"read": READS, "train": TRAINS}, ["read", "train"])) == PANDAS


@pytest.mark.parametrize("tasks", [["read", "read"], ["*read"]])
def test_a_component_that_runs_twice_shares_with_itself(tasks):
    assert list_shared(make_package({"read": READS}, tasks)) == PANDAS


def test_what_one_step_imports_is_its_own():
    assert list_shared(make_package({"read": READS, "train": TRAINS}, ["train"])) == []


LATER = write_function("train", "import json", "x = 1", "import pandas as pd")


def test_an_import_after_other_code_is_not_made_ahead():
    assert list_shared(make_package({"train": LATER}, ["train", "train"])) == [
        ("json", "import json")
    ]


@pytest.mark.parametrize(
    "line",
    [
        "os.environ['A'] = '1'",
        "os.putenv('A', '1')",
        "sys.path.insert(0, '/mnt')",
        "from os import environ as variables",
    ],
)
def test_what_is_imported_by_a_step_that_sets_variables_is_left_to_each(line):
    sets = write_function("sets", "import os, sys", line, "import pandas as pd")
    package = make_package({"read": READS, "sets": sets}, ["read", "read", "sets"])
    assert list_shared(package) == []


@pytest.mark.parametrize(
    "more",
    [{"env": [{"name": "A", "value": "1"}]}, {"settings": {"read": {"secretAsEnv": [{}]}}}],
)
def test_a_step_with_variables_of_its_own_shares_nothing(more):
    assert list_shared(make_package({"read": READS}, ["read", "read"], **more)) == []


@pytest.mark.parametrize("source", ["def read(:", "\0", write_function("other", "import pandas")])
def test_code_that_cannot_be_read_shares_nothing(source):
    assert list_shared(make_package({"read": source}, ["read", "read"])) == []


def test_a_module_of_this_folder_or_that_fails_is_not_imported_ahead(tmp_path, monkeypatch):
    (tmp_path / "shared_with_no_step.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    statements = [
        ("shared_with_no_step", "import shared_with_no_step"),
        ("yaml", "from yaml import no_such_name"),
        ("mdurl", "import mdurl"),
    ]
    monkeypatch.delitem(sys.modules, "mdurl", raising=False)
    import_installed(statements)
    assert "mdurl" in sys.modules
    assert "shared_with_no_step" not in sys.modules
