"""`fastkf tune` on a Kale notebook: its trials, its manifest, and what it refuses."""

import json

import pytest
import yaml
from build import write_notebook
from conftest import fastkf
from manifests import check_manifest
from typer.testing import CliRunner

from fastkf.base.errors import UsageError
from fastkf.cli import app
from fastkf.notebook.model import read
from fastkf.tune.notebook import Search, make_manifest, make_parameter
from fastkf.tune.rules import check_experiment, find_differences

pytestmark = pytest.mark.slow

CELLS = [
    ("imports", "import math"),
    (
        ["pipeline-parameters", "parameters"],
        'rate = 0.5\nunits = 8\ncolour = "red"\nflag = False\nmissing = 0',
    ),
    ("step:train", "if missing:\n    raise ValueError('no data')\nscore = 1 - abs(rate - 0.3)"),
    (
        ["step:measure", "prev:train"],
        "size = score + units\nshade = len(colour) + int(flag) + size",
    ),
    ("skip", "raise KeyError('only for looking')"),
    ("pipeline-metrics", "print(score)\nprint(size)"),
]
SPACE = ["--param", "rate=0.1..0.9", "--param", "units=4,8"]


@pytest.fixture
def notebook(tmp_path):
    return write_notebook(tmp_path / "train.ipynb", CELLS, "my-training")


def test_tunes_a_notebook_and_writes_the_manifest_that_does_it_again(notebook, tmp_path):
    import nbformat

    folder = tmp_path / "run"
    result = fastkf(
        *("tune", notebook, "--metric", "score", *SPACE, "-p", "colour=blue"),
        *("--trials", "3", "--algorithm", "random", "--seed", "1"),
        folder=folder,
    )
    assert result.code == 0, result.output
    status = yaml.safe_load((folder / "experiment.yaml").read_text())["status"]
    assert status["trialsSucceeded"] == 3
    optimal = status["currentOptimalTrial"]
    values = {one["name"]: one["value"] for one in optimal["parameterAssignments"]}
    measured = {one["name"]: float(one["latest"]) for one in optimal["observation"]["metrics"]}
    assert measured["score"] == pytest.approx(1 - abs(float(values["rate"]) - 0.3))
    assert measured["size"] == pytest.approx(measured["score"] + int(values["units"]))

    trial = folder / "trials" / optimal["bestTrialName"]
    executed = nbformat.read(trial / "notebook.ipynb", as_version=4)
    injected = next(
        c for c in executed.cells if "injected-parameters" in c.metadata.get("tags", [])
    )
    assert 'colour = "blue"' in injected.source
    assert f"units = {values['units']}" in injected.source

    again = fastkf("tune", folder / "manifest.yaml", folder=tmp_path / "again")
    assert again.code == 0, again.output
    repeated = yaml.safe_load((tmp_path / "again" / "experiment.yaml").read_text())["status"]
    assert repeated["currentOptimalTrial"] == optimal


@pytest.mark.parametrize(("letters", "told"), [(100, False), (270_000, True)])
def test_a_manifest_that_kubectl_cannot_keep_is_applied_by_the_server(
    notebook, tmp_path, letters, told
):
    import nbformat

    node = nbformat.read(notebook, as_version=4)
    node.cells.append(nbformat.v4.new_markdown_cell("x" * letters))
    nbformat.write(node, notebook)
    result = fastkf(
        *("tune", notebook, "--metric", "size", "--param", "units=2..8", "--dry-run"),
        folder=tmp_path / "run",
    )
    assert result.code == 0, result.output
    assert ("kubectl apply --server-side" in result.output) is told


def test_the_manifest_is_right_for_a_cluster(notebook, tmp_path):
    import nbformat

    result = fastkf(
        *("tune", notebook, "--metric", "size", "--minimize", "--param", "rate=0.01..1:log"),
        *("--param", "units=2..8:step=2", "--param", "colour=red,blue", "--goal", "0"),
        *("--image", "registry.example/course:2", "--parallel", "3", "--seed", "0", "--dry-run"),
        folder=tmp_path / "run",
    )
    assert result.code == 0, result.output
    assert not (tmp_path / "run" / "trials").exists()
    config_map, experiment = yaml.safe_load_all((tmp_path / "run" / "manifest.yaml").read_text())
    assert check_manifest(config_map) == []
    assert check_experiment(experiment) == []
    assert find_differences(experiment) == []
    pod = experiment["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    user = {"runAsUser": 65534, "runAsGroup": 65534, "runAsNonRoot": True}
    assert pod["securityContext"] == user
    spec = experiment["spec"]
    assert spec["objective"] == {
        "type": "minimize",
        "goal": 0.0,
        "objectiveMetricName": "size",
        "additionalMetricNames": ["score"],
    }
    assert spec["algorithm"] == {
        "algorithmName": "tpe",
        "algorithmSettings": [{"name": "random_state", "value": "0"}],
    }
    assert [spec[key] for key in ("maxTrialCount", "parallelTrialCount")] == [12, 3]
    assert spec["parameters"] == [
        {
            "name": "rate",
            "parameterType": "double",
            "feasibleSpace": {"min": "0.01", "max": "1", "distribution": "logUniform"},
        },
        {
            "name": "units",
            "parameterType": "int",
            "feasibleSpace": {"min": "2", "max": "8", "step": "2"},
        },
        {
            "name": "colour",
            "parameterType": "categorical",
            "feasibleSpace": {"list": ["red", "blue"]},
        },
    ]
    pod = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert container["image"] == "registry.example/course:2"
    assert "--parameter=rate=${trialParameters.rate}" in container["command"]
    # The ConfigMap brings the notebook to where the command looks for it.
    mount = container["volumeMounts"][0]
    assert mount["mountPath"] == f"{container['workingDir']}/{mount['subPath']}"
    assert mount["subPath"] in container["command"]
    assert pod["volumes"][0]["configMap"]["name"] == config_map["metadata"]["name"]
    carried = nbformat.reads(config_map["data"][mount["subPath"]], as_version=4)
    assert [cell.source for cell in carried.cells] == [source for _, source in CELLS]


def test_a_failing_notebook_fails_the_trial_with_its_exception(notebook, tmp_path):
    result = fastkf(
        *("tune", notebook, "--metric", "score", "--param", "missing=1,2", "--trials", "2"),
        folder=tmp_path / "run",
    )
    assert result.code == 1
    assert "ValueError: no data (cell 3, line 2: raise ValueError('no data'))" in result.output
    assert (tmp_path / "run/trials/tune-my-training-001/notebook.ipynb").exists()


def test_a_name_that_a_cluster_does_not_take_is_made_fit(tmp_path):
    path = write_notebook(tmp_path / "h&m x.ipynb", CELLS)
    config_map, experiment = make_manifest(read(path), Search("score", ["units=2,4"], {}))
    assert check_manifest(config_map) == []
    assert find_differences(experiment) == []
    pod = experiment["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert list(config_map["data"]) == ["h-m-x.ipynb"] == container["command"][3:4]


def test_outputs_do_not_travel(tmp_path):
    import nbformat

    path = write_notebook(tmp_path / "train.ipynb", CELLS)
    node = nbformat.read(path, as_version=4)
    node.cells[2].outputs = [nbformat.v4.new_output("stream", text="x" * 2_000_000)]
    nbformat.write(node, path)
    config_map, _ = make_manifest(read(path), Search("score", ["units=2,4"], {}))
    assert len(config_map["data"]["train.ipynb"]) < 5_000


def test_pictures_do_not_travel(tmp_path):
    picture = f"![](data:image/png;base64,{'A' * 1_200_000})"
    path = write_notebook(tmp_path / "train.ipynb", [*CELLS, ("markdown", picture)])
    config_map, _ = make_manifest(read(path), Search("score", ["units=2,4"], {}))
    carried = json.loads(config_map["data"]["train.ipynb"])
    code = [cell["source"] for cell in carried["cells"] if cell["cell_type"] == "code"]
    assert ["".join(source) for source in code] == [
        source for kind, source in CELLS if kind != "markdown"
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--metric: say which to tune; the metrics of train.ipynb: score, size"),
        (["--metric", "accuracy"], "train.ipynb: no metric accuracy; its metrics: score, size"),
        (["--metric", "score"], "--param: say what to try; the parameters of train.ipynb: rate"),
        (["--metric", "score", "--param", "speed=1,2"], "no parameter speed; its parameters: rate"),
        (["--metric", "score", "--param", "units=4"], "--param units=4: give a range"),
        (["--metric", "score", "--param", "units=4,"], "--param units=4,: give a range"),
        (["--metric", "score", "--param", "units"], "--param units: give a range"),
        (["--metric", "score", "--param", "units=0.1..4"], "parameter units takes int, not '0.1'"),
        (["--metric", "score", "--param", "units=2,x"], "parameter units takes int, not 'x'"),
        (["--metric", "score", "--param", "colour=1..2"], "colour is no number"),
        (["--metric", "score", "--param", "flag=0..1"], "flag is no number"),
        (["--metric", "score", "--param", "rate=1..9:exp"], "no option 'exp'; there are log and"),
        (["--metric", "score", "--param", "rate=9..1"], "min 9 is more than max 1"),
        (["--metric", "score", "--param", "rate=0..1:log"], "logUniform needs a min above 0"),
        (["--metric", "score", *SPACE, "-p", "units=4"], "units: given with --param and with -p"),
        (["--metric", "score", *SPACE, "-p", "speed=4"], "no parameter speed"),
        (
            ["--metric", "score", *SPACE, "--algorithm", "tpo"],
            "no algorithm 'tpo'; did you mean tpe",
        ),
        (["--metric", "score", *SPACE, *SPACE], "--param rate: given 2 times"),
        (["--metric", "score", *SPACE, "--algorithm", "sobol", "--seed", "1"], "it has none"),
    ],
)
def test_wrong_use_has_one_clear_message(notebook, words, message, monkeypatch):
    monkeypatch.chdir(notebook.parent)
    result = CliRunner().invoke(app, ["tune", notebook.name, *words])
    assert result.exit_code == UsageError.exit_code
    [line] = result.output.splitlines()
    assert line.startswith("fastkf: ")
    assert message in line
    assert [path.name for path in notebook.parent.iterdir()] == ["train.ipynb"]


def test_wrong_use_exits_with_2(notebook):
    result = fastkf("tune", notebook, "--metric", "accuracy", *SPACE)
    assert (result.code, result.output) == (
        2,
        f"fastkf: {notebook}: no metric accuracy; its metrics: score, size\n",
    )


def test_parameters_that_papermill_does_not_find_are_refused(tmp_path):
    cells = [("pipeline-parameters", "rate = 0.5"), *CELLS[2:]]
    path = write_notebook(tmp_path / "train.ipynb", cells)
    with pytest.raises(UsageError, match="papermill"):
        make_manifest(read(path), Search("score", ["rate=0.1..0.9"], {}))


def test_true_and_false_are_a_list(notebook):
    assert make_parameter(read(notebook), "flag=true,false") == {
        "name": "flag",
        "parameterType": "categorical",
        "feasibleSpace": {"list": ["true", "false"]},
    }
