"""`fastkf tune` on an Experiment: its trials, their metrics, how it ends, and how it goes on."""

import csv
import io
import os
import signal
import sqlite3
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import filelock
import pytest
import yaml
from conftest import fastkf, start
from experiments import COLOUR, UNITS, X, make_experiment, write_experiment
from rich.console import Console
from waiting import is_alive, wait_for

from fastkf.base.errors import UsageError
from fastkf.base.manifests import find_misfits
from fastkf.cli.display import Display
from fastkf.tune import algorithms, report
from fastkf.tune.experiment import Experiment
from fastkf.tune.metrics import observe, read_records
from fastkf.tune.start import Options, take_up, tune_manifest
from fastkf.tune.tuning import Tuning

pytestmark = pytest.mark.slow

Y = {"name": "y", "parameterType": "double", "feasibleSpace": {"min": "1", "max": "100"}}
LOG = {"min": "0.001", "max": "10", "distribution": "logUniform"}
SLOW = "time.sleep(0.2)\nprint(f'score={x}')"


@dataclass
class Result:
    """A tuning that has been run."""

    succeeded: bool
    folder: Path
    output: str = ""

    @property
    def status(self) -> dict:
        return yaml.safe_load((self.folder / "experiment.yaml").read_text())["status"]

    @property
    def trials(self) -> list[dict]:
        """The Trial resources, in the order of their names."""
        return [
            yaml.safe_load(path.read_text())
            for path in sorted((self.folder / "trials").glob("*/trial.yaml"))
        ]

    @property
    def assignments(self) -> list[dict[str, str]]:
        given = [trial["spec"]["parameterAssignments"] for trial in self.trials]
        return [{one["name"]: one["value"] for one in values} for values in given]


@pytest.fixture
def tune(tmp_path):
    """`tune(code, parameters, spec)`: runs an Experiment in a folder of the test's own."""

    def call(code, parameters=None, spec=None, name="run", **options) -> Result:
        path = write_experiment(tmp_path, code, parameters, spec)
        text = io.StringIO()
        options = Options(output=tmp_path / name, **options)
        succeeded = tune_manifest(path, options, Display(Console(file=text, width=200)))
        return Result(succeeded, tmp_path / name, text.getvalue())

    return call


@pytest.fixture
def without_plots(monkeypatch):
    """For tests of what is tuned again, and not of the page: its plots take longer than trials."""
    monkeypatch.setattr(report, "draw_plots", lambda study, metric: {})


# Metrics


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("score=0.5", ["0.5"]),
        ("epoch 3 score = 0.91, loss=0.2", ["0.91"]),
        ("score=.98 score=-7.53e-05", [".98", "-7.53e-05"]),
        ("2026-01-01T00:00:00Z score=1E3", ["1E3"]),
        ("score: 0.9", []),
        ("my_score=0.9", []),
        ("score=high", [""]),
    ],
)
def test_reads_metrics_as_katibs_collector_does(line, values):
    assert [record.value for record in read_records([line], ["score"], [])] == values


def test_reads_metrics_by_the_manifests_own_filter():
    records = read_records(["{score: 0.9}"], ["score"], [r"(\w+): ([.\d]+)"])
    assert [(record.name, record.value) for record in records] == [("score", "0.9")]


def test_the_latest_value_is_that_of_the_latest_time():
    lines = [
        "2026-01-01T00:00:02Z score=0.7",
        "2026-01-01T00:00:01Z score=0.9",
        "2026-01-01T00:00:01Z score=0.1",
    ]
    observation = observe(read_records(lines, ["score", "loss"], []), ["score", "loss"])
    assert observation == [
        {"name": "score", "min": "0.1", "max": "0.9", "latest": "0.7"},
        {"name": "loss", "min": "unavailable", "max": "unavailable", "latest": "unavailable"},
    ]


# Trials and endings


def test_the_result_has_katibs_shape(tune):
    from kubeflow_katib_api.models import V1beta1Experiment, V1beta1Trial

    objective = {
        "type": "minimize",
        "objectiveMetricName": "score",
        "additionalMetricNames": ["size"],
    }
    code = "print(f'score={x}'); print(f'size={units} colour={colour}')"
    result = tune(code, [X, UNITS, COLOUR], {"objective": objective})
    assert result.succeeded
    experiment = yaml.safe_load((result.folder / "experiment.yaml").read_text())
    assert list(find_misfits(experiment, V1beta1Experiment, "")) == []
    for trial in result.trials:
        assert list(find_misfits(trial, V1beta1Trial, "")) == []
    status = result.status
    names = [f"example-00{number}" for number in range(1, 5)]
    assert (status["trials"], status["trialsSucceeded"]) == (4, 4)
    assert status["succeededTrialList"] == names
    assert [one["type"] for one in status["conditions"] if one["status"] == "True"] == [
        "Created",
        "Succeeded",
    ]
    assert status["conditions"][-1]["reason"] == "ExperimentMaxTrialsReached"
    best = min(result.assignments, key=lambda values: float(values["x"]))
    optimal = status["currentOptimalTrial"]
    assert {one["name"]: one["value"] for one in optimal["parameterAssignments"]} == best
    assert optimal["observation"]["metrics"][1]["latest"] == best["units"]
    with (result.folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == names
    assert [row["x"] for row in rows] == [values["x"] for values in result.assignments]
    assert "data:image/png" in (result.folder / "report.html").read_text()
    assert "python:3.12 is not used" in result.output


@pytest.mark.parametrize("place", ["Job", "pod"])
def test_a_trial_fails_at_the_deadline_of_its_job_or_pod(tune, place):
    spec = make_experiment()["spec"] | {"maxTrialCount": 1} | ONE
    job = spec["trialTemplate"]["trialSpec"]["spec"]
    (job if place == "Job" else job["template"]["spec"])["activeDeadlineSeconds"] = 1
    result = tune("print(f'score={x}', flush=True); time.sleep(600)", spec=spec)
    assert not result.succeeded
    [trial] = result.trials
    assert trial["status"]["conditions"][-1]["type"] == "Failed"
    assert "longer than specified deadline" in trial["status"]["conditions"][-1]["message"]


def test_references_to_variables_are_expanded_as_the_kubelet_does(tune, tmp_path):
    path = write_experiment(tmp_path, "print(f'score={x}', colour, os.environ['BOTH'])")
    manifest = yaml.safe_load(path.read_text())
    pod = manifest["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    container["env"] = [{"name": "A", "value": "red"}, {"name": "BOTH", "value": "$(A)-$(B)"}]
    container["args"].append("--colour=$(A)$$(A)")
    path.write_text(yaml.safe_dump(manifest))
    options = Options(trials=1, output=tmp_path / "run")
    assert tune_manifest(path, options, Display(Console(file=io.StringIO())))
    [log] = (tmp_path / "run" / "trials").glob("*/output.log")
    assert log.read_text().strip().endswith("red$(A) red-$(B)")


def test_a_trial_gets_its_command_environment_and_folder(tune, tmp_path):
    spec = make_experiment()["spec"]
    container = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
    container["command"] = ["sh", "-c", 'test -f program.py && echo "score=$LEVEL"; which python3']
    container["args"] = ["${trialParameters.x}"]
    container["env"] = [{"name": "LEVEL", "value": "7"}]
    result = tune("", spec={"trialTemplate": spec["trialTemplate"], "maxTrialCount": 1} | ONE)
    assert result.trials[0]["status"]["observation"]["metrics"][0]["latest"] == "7"
    log = (result.folder / "trials" / "example-001" / "output.log").read_text()
    assert Path(log.splitlines()[-1]).parent == Path(sys.executable).parent


ONE = {"maxTrialCount": 1, "parallelTrialCount": 1, "maxFailedTrialCount": 1}


def test_ends_when_the_goal_is_reached_and_kills_what_still_runs(tune):
    objective = {"type": "maximize", "objectiveMetricName": "score", "goal": 0.0}
    first = "os.environ['FASTKF_TRIAL_FOLDER'].endswith('001')"
    code = f"time.sleep(0.5 if {first} else 60)\nprint(f'score={{x}}')"
    result = tune(code, spec={"objective": objective})
    assert result.succeeded
    assert result.status["conditions"][-1]["reason"] == "ExperimentGoalReached"
    assert (result.status["trialsSucceeded"], result.status["trialsKilled"]) == (1, 1)


@pytest.mark.security
def test_a_trial_that_was_killed_says_so(tune):
    result = tune("os.kill(os.getpid(), 9)", spec=ONE)
    assert not result.succeeded
    said = "was killed by SIGKILL (exit code 137): it printed nothing"
    assert said in (result.folder / "report.html").read_text(encoding="utf-8")


def test_ends_with_1_when_too_many_trials_fail(tmp_path):
    path = write_experiment(tmp_path, "raise ValueError('no such colour')")
    result = fastkf("tune", path, folder=tmp_path / "run")
    status = Result(False, tmp_path / "run").status
    assert result.code == 1
    assert "exit code 1: ValueError: no such colour" in result.output
    assert "no trial has succeeded" in result.output
    assert status["conditions"][-1]["type"] == "Failed"
    assert status["trialsFailed"] in (3, 4)  # two may end at the same moment
    assert "currentOptimalTrial" not in status


def test_a_few_failures_are_borne(tune):
    result = tune("if x < 0.5: sys.exit(3)\nprint(f'score={x}')", spec={"maxTrialCount": 6})
    failed = [values for values in result.assignments if float(values["x"]) < 0.5]
    assert result.succeeded
    assert result.status["trialsFailed"] == len(failed) == 2
    assert result.status["trialsSucceeded"] == 4


def test_a_trial_without_its_metric_is_unavailable_and_counts_as_failed(tune):
    result = tune("print('scores: 0.9'); print('score=nan')")
    assert not result.succeeded
    assert result.status["trialMetricsUnavailable"] >= 3
    assert "it printed no score=<a number>" in result.output


def test_a_command_that_is_not_there_fails_the_trial(tune):
    template = make_experiment()["spec"]["trialTemplate"]
    pod = template["trialSpec"]["spec"]["template"]["spec"]
    pod["containers"][0]["command"] = ["no-such-program"]
    result = tune("", spec={"trialTemplate": template} | ONE)
    assert "no-such-program: No such file or directory" in result.output


@pytest.mark.parametrize(
    ("strategy", "value"), [(None, 0.9), ("latest", 0.5), ("min", 0.1), ("max", 0.9)]
)
def test_the_strategy_picks_the_value(tune, strategy, value):
    strategies = [{"name": "score", "value": strategy}] if strategy else []
    objective = {
        "type": "maximize",
        "objectiveMetricName": "score",
        "metricStrategies": strategies,
    }
    result = tune(
        "for one in (0.1, 0.9, 0.5): print(f'score={one}')", spec={"objective": objective} | ONE
    )
    assert f"score {value:.4f}" in result.output


@pytest.mark.usefixtures("without_plots")
def test_runs_as_many_trials_at_a_time_as_it_may(tune):
    result = tune(SLOW, spec={"maxTrialCount": 6, "parallelTrialCount": 3})
    times = [
        [datetime.fromisoformat(trial["status"][key]) for key in ("startTime", "completionTime")]
        for trial in result.trials
    ]
    at_a_time = [sum(begin <= moment < end for begin, end in times) for moment, _ in times]
    assert max(at_a_time) == 3


def test_what_a_trial_leaves_running_ends_with_it(tune):
    code = """
        import subprocess
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print(f"score=1 child={child.pid}")
    """
    result = tune(code, spec=ONE)
    log = (result.folder / "trials" / "example-001" / "output.log").read_text()
    assert not is_alive(int(log.split("child=")[1]))


# Early stopping

EPOCHS = """
for epoch in range(4):
    print(f"epoch {epoch} score={x + 0.01 * epoch}", flush=True)
    time.sleep(0.3)
print("done")
"""
MEDIAN_STOP = {
    "algorithmName": "medianstop",
    "algorithmSettings": [
        {"name": "min_trials_required", "value": "2"},
        {"name": "start_step", "value": "2"},
    ],
}


def test_a_trial_behind_the_others_is_stopped_early(tune):
    spec = {"earlyStopping": MEDIAN_STOP, "parallelTrialCount": 1, "maxTrialCount": 5}
    result = tune(EPOCHS, spec=spec)
    assert result.succeeded
    bars, stopped, averages = [], [], []
    for trial, values in zip(result.trials, result.assignments, strict=True):
        x = float(values["x"])
        bar = sum(averages) / len(averages) if len(averages) >= 2 else None
        behind = bar is not None and x + 0.01 < bar
        if behind:
            stopped.append(trial["metadata"]["name"])
        else:
            averages.append(x + 0.005)
        rules = trial["spec"].get("earlyStoppingRules")
        bars.append((bar, float(rules[0]["value"]) if rules else None))
    assert 0 < len(stopped) < 3
    assert result.status["earlyStoppedTrialList"] == stopped
    for expected, given in bars:
        assert given == (None if expected is None else pytest.approx(expected))
    for name in stopped:
        assert "done" not in (result.folder / "trials" / name / "output.log").read_text()


def test_no_trial_is_stopped_without_early_stopping(tune):
    result = tune(EPOCHS, spec={"parallelTrialCount": 2, "maxTrialCount": 4})
    assert result.status["trialsSucceeded"] == 4


# Algorithms

SETTINGS = {
    "random": {"random_state": "3"},
    "grid": {"random_state": "3"},
    "tpe": {"random_state": "3", "n_EI_candidates": "10", "gamma": "0.25", "prior_weight": "1.1"},
    "multivariate-tpe": {"random_state": "3", "n_startup_trials": "4", "n_ei_candidates": "10"},
    "cmaes": {"random_state": "3", "sigma": "0.3", "restart_strategy": "none"},
    "sobol": {},
}


def search(algorithm: str, parameters: list[dict], trials: int, objective, settings=None) -> list:
    """The points that an algorithm tries, one after the other, and what each gave."""
    import optuna

    settings = SETTINGS[algorithm] if settings is None else settings
    given = [{"name": name, "value": value} for name, value in settings.items()]
    spec = {"algorithm": {"algorithmName": algorithm, "algorithmSettings": given}}
    experiment = Experiment(make_experiment(parameters, spec), Path())
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study, tried = optuna.create_study(direction="maximize"), []
    for _ in range(trials):
        trial = algorithms.propose(study, experiment)
        if trial is None:
            break
        value = objective(**trial.params)
        study.tell(trial, value)
        tried.append((trial.params, value))
    return tried


def hill(x, y, **_) -> float:
    return -((x - 0.3) ** 2) - (y / 100 - 0.7) ** 2


@pytest.mark.parametrize("algorithm", SETTINGS)
def test_each_algorithm_stays_in_the_space_and_repeats(algorithm):
    first = {**X, "feasibleSpace": {**X["feasibleSpace"], "step": "0.25"}}
    second = {**Y, "feasibleSpace": {**Y["feasibleSpace"], "step": "33"}}
    space = [first, second, UNITS, COLOUR] if algorithm == "grid" else [X, Y, UNITS, COLOUR]
    tried = search(algorithm, space, 12, hill)
    assert len(tried) == 12
    for point, _ in tried:
        assert 0 <= point["x"] <= 1
        assert 1 <= point["y"] <= 100
        assert point["units"] in (2, 4, 6, 8)
        assert point["colour"] in ("red", "blue")
    assert search(algorithm, space, 12, hill) == tried


@pytest.mark.parametrize("algorithm", ["tpe", "multivariate-tpe", "cmaes"])
def test_an_algorithm_that_learns_gets_nearer(algorithm):
    values = [value for _, value in search(algorithm, [X, Y], 60, hill, {"random_state": "3"})]
    assert sum(values[-20:]) > 0.5 * sum(values[:20])


@pytest.mark.parametrize("algorithm", ["tpe", "multivariate-tpe"])
def test_the_two_kinds_of_tpe_differ(algorithm):
    other = {"tpe": "multivariate-tpe", "multivariate-tpe": "tpe"}[algorithm]
    settings = {"random_state": "3", "n_startup_trials": "4"}
    one, two = (search(name, [X, Y], 12, hill, settings) for name in (algorithm, other))
    assert one[:4] == two[:4]
    assert one[5:] != two[5:]


def test_another_random_state_gives_other_trials():
    one, two = (search("random", [X, Y], 4, hill, {"random_state": state}) for state in ("1", "2"))
    assert {str(point) for point, _ in one}.isdisjoint(str(point) for point, _ in two)


def test_grid_tries_every_point_once():
    step = {**X, "feasibleSpace": {"min": "0", "max": "0.3", "step": "0.1"}}
    tried = [point for point, _ in search("grid", [step, UNITS, COLOUR], 99, lambda **_: 0.0, {})]
    assert len(tried) == 4 * 4 * 2
    assert sorted({point["x"] for point in tried}) == [0.0, 0.1, 0.2, 0.3]
    assert [tried[0]["units"], tried[-1]["units"]] == [2, 8]


def test_grid_without_a_number_of_trials_ends_with_its_points(tune):
    spec = {"algorithm": {"algorithmName": "grid"}, "maxTrialCount": None}
    result = tune("print(f'score={units}')", [UNITS], spec)
    assert result.succeeded
    assert result.status["conditions"][-1]["reason"] == "ExperimentSuggestionEndReached"
    assert sorted(values["units"] for values in result.assignments) == ["2", "4", "6", "8"]


def test_sobol_covers_the_square_evenly():
    tried = search("sobol", [X, {**X, "name": "y"}], 16, lambda **_: 0.0)
    cells = {(int(point["x"] * 4), int(point["y"] * 4)) for point, _ in tried}
    assert len(cells) == 16


def test_a_logarithmic_range_is_drawn_by_its_logarithm():
    tried = search("random", [{**X, "feasibleSpace": LOG}], 200, lambda **_: 0.0)
    below = sum(point["x"] < 0.1 for point, _ in tried)
    assert 70 < below < 130


@pytest.mark.parametrize("algorithm", [name for name in SETTINGS if name != "grid"])
def test_the_command_runs_each_algorithm(tune, algorithm):
    settings = [{"name": key, "value": value} for key, value in SETTINGS[algorithm].items()]
    spec = {"algorithm": {"algorithmName": algorithm, "algorithmSettings": settings}}
    result = tune("print(f'score={x * units}')", [X, UNITS, COLOUR], spec)
    assert result.status["trialsSucceeded"] == 4


# Going on with a tuning


def ended(folder: Path) -> dict[str, str]:
    """The trials of a folder that have ended, each with its file."""
    files = sorted(folder.glob("trials/*/trial.yaml"))
    texts = {path.parent.name: path.read_text() for path in files}
    return {name: text for name, text in texts.items() if "completionTime" in text}


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_tuning_goes_on_and_loses_no_finished_trial(tmp_path, number):
    go_on = tmp_path / "go_on"
    held = f"int(os.environ['FASTKF_TRIAL_FOLDER'][-3:]) > 2 and not os.path.exists({str(go_on)!r})"
    code = f"""
        print(os.getpid(), flush=True)
        while {held}:
            time.sleep(0.05)
        print(f'score={{x}}')
    """
    spec = {"maxTrialCount": 6}
    path = write_experiment(tmp_path, code, spec=spec)
    folder = tmp_path / "run"
    process = start("tune", path, "--output", folder)
    wait_for(lambda: len(ended(folder)) >= 2)
    kept = ended(folder)
    running = {
        int(log.read_text())
        for log in folder.glob("trials/*/output.log")
        if len(log.read_text().splitlines()) == 1
    }
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    if number != signal.SIGKILL:
        assert process.returncode == 1
        assert f"finished trials are kept. To go on: fastkf tune {folder}" in output
    wait_for(lambda: not any(map(is_alive, running)))

    go_on.touch()
    result = fastkf("tune", folder)
    assert result.code == 0, result.output
    assert "finished trials are kept" in result.output
    for name, text in kept.items():
        assert (folder / "trials" / name / "trial.yaml").read_text() == text
    again = Result(True, folder)
    assert again.status["trialsSucceeded"] == 6
    whole = Options(output=tmp_path / "whole")
    assert tune_manifest(path, whole, Display(Console(file=io.StringIO())))
    assert again.assignments == Result(True, whole.output).assignments


@pytest.mark.usefixtures("without_plots")
def test_a_finished_trial_that_optuna_does_not_know_of_is_not_run_again(tune, tmp_path):
    import optuna

    result = tune(SLOW)
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{result.folder}/study.db")
    values = [trial.value for trial in study.get_trials()]
    # As if it had been killed between writing the trial's file and telling Optuna.
    with sqlite3.connect(result.folder / "study.db") as base:
        base.execute("update trials set state='RUNNING', datetime_complete=NULL where number=3")
        base.execute("delete from trial_values where trial_id=4")
    files = ended(result.folder)
    assert take_up(result.folder, Options(), Display(Console(file=io.StringIO())))
    assert ended(result.folder) == files
    assert [trial.value for trial in study.get_trials()] == values


def test_the_trials_that_run_are_ended_when_it_is_interrupted(tmp_path):
    first = "os.environ['FASTKF_TRIAL_FOLDER'].endswith('001')"
    code = f"print(os.getpid(), flush=True)\nif {first}: time.sleep(1)\nelse: time.sleep(60)"
    path = write_experiment(tmp_path, code)
    (tmp_path / "run").mkdir()
    tuning = Tuning(Experiment(yaml.safe_load(path.read_text()), tmp_path), tmp_path / "run")

    def interrupt(trial):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuning.run(interrupt)
    log = (tmp_path / "run" / "trials" / "example-002" / "output.log").read_text()
    assert not is_alive(int(log))


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize("algorithm", ["random", "grid", "multivariate-tpe"])
def test_a_trial_that_was_cut_off_while_it_was_proposed_is_proposed_again(tune, algorithm):
    import optuna

    settings = [{"name": "random_state", "value": "5"}]
    spec = {"algorithm": {"algorithmName": algorithm, "algorithmSettings": settings}} | ONE
    spec |= {"maxTrialCount": 6}
    code = "print(f'score={units}')"
    whole = tune(code, [UNITS, COLOUR], spec, name="whole")
    parts = tune(code, [UNITS, COLOUR], spec, name="parts", trials=3)
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{parts.folder}/study.db")
    number = study._storage.create_new_trial(study._study_id)
    units = optuna.distributions.IntDistribution(2, 8, step=2)
    study._storage.set_trial_param(number, "units", 4, units)
    assert take_up(parts.folder, Options(trials=6), Display(Console(file=io.StringIO())))
    assert parts.assignments == whole.assignments
    assert parts.status["succeededTrialList"] == whole.status["succeededTrialList"]


@pytest.mark.usefixtures("without_plots")
def test_a_tuning_that_has_ended_takes_more_trials(tune):
    result = tune(SLOW)
    files = ended(result.folder)
    quiet = Display(Console(file=io.StringIO()))
    assert take_up(result.folder, Options(trials=6), quiet)
    assert len(ended(result.folder)) == 6
    assert ended(result.folder).items() >= files.items()
    assert take_up(result.folder, Options(), quiet)
    assert result.status["trials"] == 6


@pytest.mark.usefixtures("without_plots")
def test_one_trial_at_a_time_goes_on_as_it_would_have(tune):
    algorithm = {
        "algorithmName": "multivariate-tpe",
        "algorithmSettings": [
            {"name": "random_state", "value": "5"},
            {"name": "n_startup_trials", "value": "2"},
        ],
    }
    spec = {"algorithm": algorithm, "parallelTrialCount": 1, "maxTrialCount": 6}
    code = "print(f'score={x * units}')"
    whole = tune(code, [X, UNITS], spec, name="whole")
    parts = tune(code, [X, UNITS], spec, name="parts", trials=3)
    assert take_up(parts.folder, Options(trials=6), Display(Console(file=io.StringIO())))
    assert parts.assignments == whole.assignments


@pytest.mark.usefixtures("without_plots")
def test_two_cannot_tune_in_one_folder(tune, tmp_path):
    result = tune(SLOW)
    with filelock.FileLock(result.folder / ".lock"), pytest.raises(UsageError, match="another"):
        take_up(result.folder, Options(), Display(Console(file=io.StringIO())))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--algorithm", "tpe"], "--algorithm: only for a notebook"),
        (["--metric", "score"], "--metric: only for a notebook"),
        (["-p", "x=1"], "--parameter: only for a notebook"),
    ],
)
def test_options_of_notebooks_are_refused_with_a_manifest(tmp_path, words, message):
    result = fastkf("tune", write_experiment(tmp_path, ""), *words)
    assert (result.code, message in result.output) == (2, True), result.output


def test_a_folder_without_a_tuning_is_wrong_use(tmp_path):
    result = fastkf("tune", tmp_path)
    assert result.code == 2
    assert "not the folder of a tuning" in result.output


def test_a_full_folder_is_not_written_into(tmp_path):
    path = write_experiment(tmp_path, "")
    result = fastkf("tune", path, folder=tmp_path)
    assert (result.code, "not empty" in result.output) == (2, True)
    assert sorted(os.listdir(tmp_path)) == ["experiment.yaml", "program.py"]


def test_a_dry_run_checks_and_starts_nothing(tmp_path):
    path = write_experiment(tmp_path, "")
    result = fastkf("tune", path, "--dry-run", cwd=tmp_path)
    assert (result.code, "no problems" in result.output) == (0, True), result.output
    assert sorted(os.listdir(tmp_path)) == ["experiment.yaml", "program.py"]
