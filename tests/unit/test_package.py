"""What a compiled package says of itself."""

import pytest

from fastkf.base.errors import FastkfError, UsageError
from fastkf.package.arguments import complete_arguments, read_arguments
from fastkf.package.errors import PackageError
from fastkf.package.graph import sort_tasks
from fastkf.package.model import Package
from fastkf.package.pins import Pins


def task(component: str, *after: str, **inputs) -> dict:
    return {"componentRef": {"name": component}, "dependentTasks": list(after), "inputs": inputs}


def make_package(tasks: dict, **components) -> Package:
    return Package({"root": {"dag": {"tasks": tasks}}, "components": components})


def group(**tasks) -> dict:
    return {"dag": {"tasks": tasks}}


def test_a_group_after_a_group_waits_for_the_tasks_inside_it():
    package = make_package(
        {"first": task("one"), "second": task("two", "first"), "last": task("leaf", "second")},
        one=group(a=task("leaf")),
        two=group(b=task("leaf"), c=task("leaf", "b")),
    )
    assert package.tasks == {"a": (), "b": ("a",), "c": ("b",), "last": ("b", "c")}


def test_an_empty_group_hands_on_what_it_waits_for():
    package = make_package({"a": task("leaf"), "none": task("one", "a"), "b": task("leaf", "none")})
    package.spec["components"] = {"one": group()}
    assert package.tasks == {"a": (), "b": ("a",)}


def test_who_takes_an_output_waits_for_it_though_it_is_not_named():
    parameter = {"x": {"taskOutputParameter": {"producerTask": "a"}}}
    artifact = {"x": {"taskOutputArtifact": {"producerTask": "b"}}}
    package = make_package(
        {
            "c": task("leaf", artifacts=artifact),
            "b": task("leaf", parameters=parameter),
            "a": task("leaf"),
        }
    )
    assert list(package.tasks.items()) == [("a", ()), ("b", ("a",)), ("c", ("b",))]


def test_tasks_that_wait_for_each_other_are_named():
    with pytest.raises(PackageError, match="wait for each other: .*a -> b|b -> a"):
        sort_tasks({"a": ["b"], "b": ["a"]})


def test_where_the_graph_leaves_the_choice_names_decide():
    assert sort_tasks({"z": [], "b": ["z"], "a": ["z"], "c": []}) == ["c", "z", "a", "b"]


def test_kales_tasks_have_the_names_of_cells_and_only_kales():
    python = {"command": ["python3", "-m", "kfp.dsl.executor_main", "_kale_block1 = '''x = 1'''"]}
    package = make_package({"load-data-step": task("leaf"), "plain": task("leaf")})
    assert package.steps == {"load-data-step": (), "plain": ()}
    spec = {**package.spec, "deploymentSpec": {"executors": {"e": {"container": python}}}}
    kale = Package(spec)
    assert kale.steps == {"load_data": (), "plain": ()}
    assert (kale.is_kale, kale.cells, kale.imports) == (True, ["x = 1"], "x = 1")


def with_parameters(**declared) -> Package:
    spec = {"root": {"inputDefinitions": {"parameters": declared}, "dag": {"tasks": {}}}}
    return Package({**spec, "pipelineInfo": {"name": "p"}})


ROWS = {"parameterType": "NUMBER_INTEGER", "defaultValue": 5.0, "isOptional": True}
NAME = {"parameterType": "STRING"}
NOTE = {"parameterType": "STRING", "isOptional": True}


def test_whole_numbers_are_whole_again():
    package = with_parameters(rows=ROWS, name=NAME, note=NOTE)
    values = complete_arguments(package, {"name": "x"})
    assert values == {"rows": 5, "name": "x"}
    assert isinstance(values["rows"], int)
    assert isinstance(complete_arguments(package, {"rows": 7.0})["rows"], int)


def test_what_a_run_must_give():
    package = with_parameters(rows=ROWS, name=NAME, note=NOTE)
    assert read_arguments(package, {"name": "x", "rows": "3"}) == {"name": "x", "rows": 3}
    with pytest.raises(UsageError) as caught:
        read_arguments(package, {})
    assert caught.value.problem.endswith("parameter name has no default")
    assert caught.value.remedy == "give -p name=..."


def test_a_file_that_is_not_there_or_a_folder_is_wrong_use(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UsageError, match=str(path)):
            Package.read(path)


def test_pins_come_from_the_lock_then_from_what_is_installed(tmp_path):
    lock = tmp_path / "lock.txt"
    lock.write_text(
        "# made\nkfp==1.2.3 \\\n    --hash=sha256:0\nold==1 ; python_version < '3'\nPy_YAML==7\n"
    )
    pins = Pins.from_lock(lock)
    assert pins.versions == {"kfp": "1.2.3", "py-yaml": "7"}
    assert pins.pin("kfp>=1") == "kfp==1.2.3"
    assert pins.pin("py.yaml") == "py.yaml==7"
    assert pins.pin("pytest") == f"pytest=={pytest.__version__}"
    assert Pins().pin("no-such-package-anywhere") == "no-such-package-anywhere"


@pytest.mark.parametrize("content", ["kfp\n", "kfp==\n", "kfp>=1,<2\n"])
def test_a_lock_without_pins_is_one_message(tmp_path, content):
    lock = tmp_path / "lock.txt"
    lock.write_text(content)
    with pytest.raises(FastkfError, match="not a readable lock"):
        Pins.from_lock(lock)
