"""The lab on drift: what it says of its pipeline, its registry and its schedule holds."""

import ast
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from lab_processes import run
from servers import Server
from waiting import wait_for

from fastkf.course import places
from fastkf.course.data import fetch
from fastkf.notebook.model import read

pytestmark = pytest.mark.slow

LAB = places.PROJECT / "labs" / "drift"
ROWS = 1500  # of each month: the conditions are what is tried here, not the models


def test_the_committed_packages_are_what_the_compiler_makes(tmp_path):
    made = tmp_path / "pipeline.yaml"
    code, told = run("pipeline", [str(made)], "", LAB, seconds=300)
    assert code == 0, told
    assert made.read_text() == (LAB / "pipeline.yaml").read_text(), (
        "compile it again: python labs/drift/pipeline.py labs/drift/pipeline.yaml"
    )
    [package] = yaml.safe_load_all(made.read_text())
    manifests = yaml.safe_load_all((LAB / "pipeline-version.yaml").read_text())
    assert [one for one in manifests][-1]["spec"]["pipelineSpec"] == package, (
        "write it again: labs/drift/README.md, As Kubernetes resources"
    )


def functions_of(source: str) -> dict[str, str]:
    """Each function without its imports, which a notebook has in a cell of their own."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            kept = (ast.Import, ast.ImportFrom)
            node.body = [one for one in node.body if not isinstance(one, kept)]
            found[node.name] = ast.unparse(node)
    return found


def test_the_notebook_has_the_functions_of_the_pipeline():
    notebook = read(places.NOTEBOOKS / "10_drift.ipynb")
    cells = [cell.source for cell in notebook.code_cells if "functions" in cell.tags]
    there = functions_of("\n".join(cells))
    here = functions_of((LAB / "flights.py").read_text())
    assert {name: there.get(name) for name in here} == here


WRONG_PARAMETER = """
import itertools, json, subprocess, sys
from pathlib import Path
from kfp import dsl
folder, numbers = Path(sys.argv[1]), itertools.count(1)

@dsl.component
def add(number: int) -> int:
    return number + 1

@dsl.pipeline
def small(number: int = 1):
    add(number=number)

"""


def test_the_notebook_says_why_a_run_has_not_begun(tmp_path):
    notebook = read(places.NOTEBOOKS / "10_drift.ipynb")
    [cell] = [cell.source for cell in notebook.code_cells if "def run(" in cell.source]
    (tmp_path / "wrong.py").write_text(f"{WRONG_PARAMETER}{cell}\n\nrun(small, amount=2)\n")
    code, said = run("wrong", [str(tmp_path)], "", tmp_path, seconds=300)
    assert code != 0
    assert "no parameter amount" in said.splitlines()[-1], said


@pytest.fixture(scope="module")
def months(tmp_path_factory) -> Path:
    """A folder with the weather and a part of each of three months."""
    import pandas as pd

    source = Path(fetch(["flights"], progress=lambda line: None)["flights"])
    folder = tmp_path_factory.mktemp("months")
    (folder / "weather.parquet").write_bytes((source / "weather.parquet").read_bytes())
    for name in ("2013-01.parquet", "2013-02.parquet", "2013-03.parquet"):
        pd.read_parquet(source / name).sample(ROWS, random_state=0).to_parquet(folder / name)
    return folder


def test_the_schedule_finds_the_newest_month_by_itself(months, tmp_path):
    """The first month makes the first champion; the next one does not drift."""
    arrived, registry = tmp_path / "arrived", tmp_path / "registry.json"
    arrived.mkdir()
    for name in ("weather", "2013-01", "2013-02"):
        (arrived / f"{name}.parquet").write_bytes((months / f"{name}.parquet").read_bytes())
    with Server(tmp_path / "server") as server:
        words = [LAB / "schedule.py", "--host", server.url, "--seconds", "1"]
        words += ["--token-file", server.seen_folder / "token", f"data_dir={arrived}"]
        words += [f"models_dir={tmp_path / 'models'}", f"registry={registry}"]
        words += ["drift_limit=1.5"]
        made = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)
        id = made.stdout.split()[-1]
        schedule = server.call("GET", f"/recurringruns/{id}")[1]
        assert schedule["trigger"] == {"periodic_schedule": {"interval_second": "1"}}
        assert (schedule["max_concurrency"], schedule["no_catchup"]) == ("1", True)
        wait_for(lambda: ended(server, 1), seconds=300)
        [first] = json.loads(registry.read_text())["versions"]
        assert first["name"] == "2013-02"
        assert first["custom_properties"] == {"stage": "champion", "months": "1"}
        served = (tmp_path / "models" / "late-flights" / "model.joblib").read_bytes()
        assert served == (tmp_path / "models" / "2013-02" / "model.joblib").read_bytes()
        (arrived / "2013-03.parquet").write_bytes((months / "2013-03.parquet").read_bytes())
        count = len(server.call("GET", "/runs")[1]["runs"])
        wait_for(lambda: ended(server, count + 1), seconds=300)
        assert server.call("POST", f"/recurringruns/{id}:disable")[0] == 200
        assert [one["name"] for one in json.loads(registry.read_text())["versions"]] == ["2013-02"]


def ended(server, count: int) -> bool:
    """Whether so many runs have succeeded; none may fail."""
    time.sleep(0.2)
    states = [run.get("state") for run in server.call("GET", "/runs")[1].get("runs", [])]
    assert "FAILED" not in states
    return states.count("SUCCEEDED") >= count


TRY_REGISTRY = """
import json, sys
from registry import find_champion_of, read_versions, write_version
place = sys.argv[1]
assert read_versions(place) == []
for name, months in (("2013-02", "1"), ("2013-04", "1 2 3")):
    properties = {"stage": "challenger", "months": months, "gain_low": 0.0112}
    artifact = {"uri": f"s3://models/{name}", "model_format_name": "sklearn"}
    artifact["model_format_version"] = "1.9.1"
    version = {"name": name, "state": "LIVE", "custom_properties": properties}
    write_version(place, {**version, "artifact": artifact})
assert find_champion_of(read_versions(place)) is None
old, new = read_versions(place)
old["custom_properties"]["stage"], old["state"] = "replaced", "ARCHIVED"
new["custom_properties"]["stage"] = "champion"
for version in (old, new):
    write_version(place, version)
assert find_champion_of(read_versions(place)) == new
print(json.dumps(read_versions(place)))
"""


TWICE = """
import sys
from types import SimpleNamespace
sys.path.insert(0, sys.argv[2])
from components import promote, register
from registry import read_versions
folder = sys.argv[1]
place = {"registry": f"{folder}/kept/registry.json", "models_dir": f"{folder}/models"}
model = SimpleNamespace(path=f"{folder}/model", metadata={})
open(model.path, "w").write("a model")
service = SimpleNamespace(path=f"{folder}/service")
for month, gain in ((2, 1.0), (4, 0.01), (4, 0.0)):
    months = list(range(1, month))
    name = register.python_func(
        **place, newest=month, months=months, gain_low=gain, challenger=model
    )
    if gain > 0:
        promote.python_func(**place, version=name, service=service)
properties = [one["custom_properties"] for one in read_versions(place["registry"])]
print([(one["stage"], one.get("gain_low")) for one in properties])
print(open(service.path).read())
"""


def test_a_month_that_comes_twice_does_not_take_the_champion_away(tmp_path):
    (tmp_path / "twice.py").write_text(TWICE)
    code, said = run("twice", [str(tmp_path), str(LAB)], "", tmp_path, seconds=300)
    assert code == 0, said
    decided, manifest = said.split("\n", 1)
    assert decided == "[('replaced', None), ('champion', 0.01)]", "the first had nothing to beat"
    spec = json.loads(manifest)["spec"]["predictor"]
    [written] = yaml.safe_load_all((LAB / "canary.yaml").read_text())
    assert spec["canaryTrafficPercent"] == written["spec"]["predictor"]["canaryTrafficPercent"]
    assert spec["model"]["storageUri"].endswith("/models/2013-04")
    assert set(spec) == set(written["spec"]["predictor"])


def try_registry(place) -> list[dict]:
    command = [sys.executable, "-W", "ignore", "-c", TRY_REGISTRY, str(place)]
    said = subprocess.run(command, cwd=LAB, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def test_the_file_and_kubeflow_hub_keep_the_same(tmp_path):
    """In processes of their own, since Hub's client changes how asyncio works in its process."""
    from hub import Hub

    with Hub() as hub:
        versions = try_registry(hub.url)
        kept = hub.kept
    assert versions == try_registry(tmp_path / "registry.json")
    assert [one["name"] for one in kept["registered_model"].values()] == ["late-flights"]
    artifacts = [one["uri"] for one in kept["model_artifact"].values()]
    assert artifacts == ["s3://models/2013-02", "s3://models/2013-04"]
    assert [one["state"] for one in kept["model_version"].values()] == ["ARCHIVED", "LIVE"]


def test_what_cannot_be_is_found(months):
    sys.path.insert(0, str(LAB))
    try:
        from flights import find_faults, measure_psi, read_months, resample_days
    finally:
        sys.path.remove(str(LAB))
    flights = read_months(months, [1])
    assert find_faults(flights) == []
    for column, value in (("wind_speed", 1048.0), ("distance", None), ("visib", "clear")):
        wrong = flights.astype({column: object})
        wrong.loc[5, column] = value
        assert any(column in fault for fault in find_faults(wrong)), column
    assert any("temp" in fault for fault in find_faults(flights.drop(columns="temp")))
    assert measure_psi(flights["temp"], flights["temp"]) == pytest.approx(0)
    assert measure_psi(flights["carrier"], flights["carrier"].replace("UA", "B6")) > 0.1
    low, high = resample_days(flights["late"].fillna(0), flights["day"])
    assert low < flights["late"].fillna(0).mean() < high


WRITE = """
import sys
from registry import write_version
for number in range(20):
    write_version(sys.argv[1], {"name": f"{sys.argv[2]}-{number:02}", "custom_properties": {}})
"""


def test_two_runs_that_write_at_once_lose_no_version(tmp_path):
    place = tmp_path / "registry.json"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(place), name], cwd=LAB)
        for name in ("one", "two", "three")
    ]
    assert [one.wait() for one in writers] == [0, 0, 0]
    assert len(json.loads(place.read_text())["versions"]) == 60


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "\u20ac"])
def test_a_damaged_registry_is_named_and_kept(content, tmp_path):
    place = tmp_path / "registry.json"
    place.write_text(content)
    said = subprocess.run(
        [sys.executable, "-c", WRITE, str(place), "one"], cwd=LAB, capture_output=True, text=True
    )
    assert f"ValueError: {place} is damaged" in said.stderr
    assert place.read_text() == content
