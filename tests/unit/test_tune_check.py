"""The rules of an Experiment's manifest: each finds what is wrong, and says so once."""

import copy
import re

import pytest
import yaml
from conftest import fastkf
from experiments import COLOUR, UNITS, X, make_experiment

from fastkf.course import places
from fastkf.tune.experiment import Experiment
from fastkf.tune.metrics import read_records
from fastkf.tune.rules import check_experiment, find_differences
from fastkf.tune.start import Options, set_counts

LAB = places.PROJECT / "labs" / "katib" / "experiment.yaml"
MISSING = object()


def change(manifest: dict, place: str, value) -> dict:
    """A copy with another value at a place like `spec.parameters.0.name`; MISSING removes it."""
    manifest = copy.deepcopy(manifest)
    *path, last = [int(word) if word.isdigit() else word for word in place.split(".")]
    spot = manifest
    for word in path:
        spot = spot[word]
    if value is MISSING:
        del spot[last]
    else:
        spot[last] = value
    return manifest


JOB = "spec.trialTemplate.trialSpec"
POD = f"{JOB}.spec.template.spec"
SETTING = "spec.algorithm.algorithmSettings"
SPACE = "spec.parameters.0.feasibleSpace"
UNKNOWN = [{"name": "random_sate", "value": "1"}]

WRONG = [
    # fields
    ("spec.maxTrialCont", 3, r"^spec\.maxTrialCont: .*did you mean maxTrialCount\?"),
    ("metadata.nam", "x", r"^metadata\.nam: .*did you mean name\?"),
    (
        f"{SPACE}.minimum",
        "0",
        r"^spec\.parameters\[0\]\.feasibleSpace\.minimum: .*did you mean min",
    ),
    (
        f"{SPACE}.min",
        0.1,
        r'^spec\.parameters\[0\]\.feasibleSpace\.min: .*text, in quotes: "0\.1"',
    ),
    ("spec.maxTrialCount", "4", r"^spec\.maxTrialCount: takes a whole number, not '4'"),
    ("spec.parameters", {"x": 1}, r"^spec\.parameters: takes a list"),
    ("spec.objective", "maximize", r"^spec\.objective: takes fields, not 'maximize'"),
    (f"{JOB}.spec.backofLimit", 0, r"backofLimit: .*did you mean backoffLimit\?"),
    (f"{POD}.containers.0.comand", ["x"], r"containers\[0\]\.comand: .*did you mean command\?"),
    (f"{POD}.containers.0.name", MISSING, r"containers\[0\]: the field name is missing"),
    ("spec", MISSING, r"^spec: missing"),
    ("spec.objective.goal", "high", r"^spec\.objective\.goal: takes a number, not 'high'"),
    # name and kind
    ("apiVersion", "kubeflow.org/v1alpha3", r"^apiVersion, kind: must be kubeflow\.org/v1beta1"),
    ("metadata.name", "My_Experiment", r"^metadata\.name: 'My_Experiment'"),
    ("metadata.name", "ends-with-", r"^metadata\.name: 'ends-with-'"),
    ("metadata.name", "a" * 41, r"^metadata\.name: .*at most 40"),
    ("metadata.name", MISSING, r"^metadata\.name: "),
    # objective
    ("spec.objective.type", "maximise", r"^spec\.objective\.type: 'maximise'; must be maximize or"),
    ("spec.objective.objectiveMetricName", MISSING, r"^spec\.objective\.objectiveMetricName: miss"),
    ("spec.objective.objectiveMetricName", "the score", r"^spec\.objective: .*'the score'"),
    ("spec.objective.additionalMetricNames", ["score"], r"additionalMetricNames: score is the obj"),
    ("spec.objective.additionalMetricNames", ["a", "a"], r"additionalMetricNames: a stands .* 2"),
    ("spec.objective.metricStrategies", [{"name": "scor", "value": "max"}], r"\.name: 'scor'"),
    ("spec.objective.metricStrategies", [{"name": "score", "value": "best"}], r"\.value: 'best'"),
    # counts
    ("spec.maxTrialCount", 0, r"^spec\.maxTrialCount: 0; must be 1 or more"),
    ("spec.maxFailedTrialCount", -1, r"^spec\.maxFailedTrialCount: -1; must be 0 or more"),
    ("spec.maxFailedTrialCount", 9, r"^spec\.maxFailedTrialCount: 9 is more than maxTrialCount, 4"),
    ("spec.parallelTrialCount", 0, r"^spec\.parallelTrialCount: 0; must be 1 or more"),
    ("spec.parallelTrialCount", 5, r"^spec\.parallelTrialCount: 5 is more than maxTrialCount, 4"),
    ("spec.maxTrialCount", MISSING, r"^spec\.maxTrialCount: missing, and there is no goal"),
    # algorithm
    ("spec.algorithm.algorithmName", "tpee", r"^spec\.algorithm\.algorithmName: .*mean tpe\?"),
    ("spec.algorithm.algorithmName", "hyperband", r"hyperband does not run here; use random, grid"),
    ("spec.algorithm.algorithmName", "cmaes", r"^spec\.algorithm: cmaes needs two or more"),
    ("spec.algorithm.algorithmName", "grid", r"^spec\.parameters: grid needs a step for x"),
    ("spec.algorithm.algorithmName", "sobol", r"sobol has no setting 'random_state'; it has none"),
    (SETTING, UNKNOWN, r"random has no setting 'random_sate'; did you mean random_state\?"),
    (f"{SETTING}.0.value", "one", r"algorithmSettings\[0\]: random_state is 'one'; .*whole number"),
    (f"{SETTING}.0.value", "-1", r"algorithmSettings\[0\]: random_state is '-1'; .*0 or more"),
    ("spec.earlyStopping", {"algorithmName": "median"}, r"earlyStopping\.algorithmName: 'median'"),
    (
        "spec.earlyStopping",
        {
            "algorithmName": "medianstop",
            "algorithmSettings": [{"name": "start_step", "value": "0"}],
        },
        r"earlyStopping\.algorithmSettings\[0\]: start_step is '0'; .*1 or more",
    ),
    # parameters
    ("spec.parameters.0.parameterType", "float", r"^spec\.parameters\[0\]\.parameterType: 'float'"),
    (f"{SPACE}.min", "2", r"^spec\.parameters\[0\]\.feasibleSpace \(x\): min 2 is more than max 1"),
    (f"{SPACE}.max", MISSING, r"feasibleSpace \(x\)\.max: missing"),
    (f"{SPACE}.max", "one", r"feasibleSpace \(x\)\.max: 'one' is no double"),
    (f"{SPACE}.step", "-0.1", r"feasibleSpace \(x\)\.step: -0\.1; must be more than 0"),
    (f"{SPACE}.list", ["1"], r"feasibleSpace \(x\)\.list: double takes min and max"),
    (f"{SPACE}.distribution", "log", r"feasibleSpace \(x\)\.distribution: 'log'"),
    (f"{SPACE}.distribution", "normal", r"\(x\)\.distribution: normal does not run here"),
    (f"{SPACE}.distribution", "logUniform", r"\(x\)\.min: 0; logUniform needs a min above 0"),
    # the trial
    ("spec.trialTemplate", MISSING, r"spec\.trialTemplate\.trialParameters: missing"),
    ("spec.trialTemplate.primaryContainerName", "mian", r"'mian' is none of the containers: main"),
    ("spec.trialTemplate.trialParameters.0.reference", "y", r"reference: no parameter 'y'"),
    ("spec.trialTemplate.trialParameters.0.name", "y", r"name: y is not in trialSpec"),
    ("spec.trialTemplate.configMap", {"configMapName": "a"}, r"configMap: is read on a cluster"),
    (f"{JOB}.kind", "TFJob", r"trialSpec: batch/v1 TFJob does not run here"),
    (f"{JOB}.metadata", {"name": "mine"}, r"trialSpec\.metadata: leave name and namespace out"),
    (f"{POD}.restartPolicy", "Always", r"restartPolicy: 'Always'; a Job takes Never or OnFailure"),
    (f"{JOB}.spec.backoffLimit", "0", r"spec\.backoffLimit: takes a whole number, not '0'"),
    (f"{JOB}.spec.suspend", "no", r"spec\.suspend: takes true or false, not 'no'"),
    (f"{JOB}.spec.suspend", True, r"spec\.suspend: is true, so no trial would start"),
    (f"{JOB}.spec.activeDeadlineSeconds", -1, r"activeDeadlineSeconds: -1; must be 0 or more"),
    (f"{POD}.containers.0.command", MISSING, r"containers \(main\)\.command: missing"),
    (f"{POD}.containers.0.image", MISSING, r"containers \(main\)\.image: missing"),
    (
        f"{POD}.containers.0.env",
        [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}],
        r"containers \(main\)\.env: KEY comes from the cluster",
    ),
    (
        f"{POD}.containers.0.envFrom",
        [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b", "optional": True}}],
        r"containers \(main\)\.envFrom: configMapRef a comes from the cluster; give its variables",
    ),
    # the rest
    (
        "spec.metricsCollectorSpec",
        {"collector": {"kind": "File"}},
        r"collector\.kind: File does not",
    ),
    (
        "spec.metricsCollectorSpec",
        {"source": {"filter": {"metricsFormat": ["score=(.*)"]}}},
        r"metricsFormat\[0\]: needs two groups",
    ),
    ("spec.resumePolicy", "Always", r"^spec\.resumePolicy: 'Always'"),
]


def test_the_labs_manifest_has_no_problems_and_is_the_same_on_a_cluster():
    manifest = yaml.safe_load(LAB.read_text())
    assert check_experiment(manifest) == []
    assert find_differences(manifest) == []


@pytest.mark.parametrize("manifest", [make_experiment([X, UNITS, COLOUR])])
def test_katibs_own_model_reads_what_the_check_passes(manifest):
    from kubeflow_katib_api.models import V1beta1Experiment

    assert check_experiment(manifest) == []
    assert V1beta1Experiment.from_dict(copy.deepcopy(manifest)).to_dict() == manifest


@pytest.mark.parametrize(
    ("place", "value", "message"), WRONG, ids=[f"{p}={str(v)[:20]}" for p, v, _ in WRONG]
)
def test_each_problem_has_one_message_with_its_field(place, value, message):
    problems = check_experiment(change(make_experiment(), place, value))
    named = [problem for problem in problems if re.search(message, problem)]
    assert len(named) == 1, problems
    # A wrong name of a trialParameter is a wrong placeholder too.
    assert len(problems) == 1 or "trialParameters.0" in place or place == "spec.trialTemplate"


def _problems_of_format(pattern: str) -> list[str]:
    source = {"source": {"filter": {"metricsFormat": [pattern]}}}
    return check_experiment(make_experiment(spec={"metricsCollectorSpec": source}))


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        (r"(?<!my_)(\w+)=(\d+)", "(?<!"),
        (r"(\w+)=(\d+)(?=,)", "(?="),
        (r"(\w+)=(\d+) \1", r"\1"),
        (r"(\w++)=(\d+)", "++"),
        (r"(\w+)=(\d+)\Z", r"\Z"),
        (r"(?ix)(\w+)=(\d+)", "(?ix"),
        (r"(\C+)=(\d+)", r"\C"),
        (r"(\w{1001})=(\d+)", "{1001}"),
        (r"(\w+)=(\d+", r"(\w+)=(\d+"),
    ],
)
def test_a_format_that_go_does_not_read_is_found(pattern, part):
    [problem] = _problems_of_format(pattern)
    assert "metricsFormat[0]: " in problem
    assert f": {part}; it is a regular expression of Go (RE2), as Katib reads it" in problem


@pytest.mark.parametrize(
    "pattern",
    [
        r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)",
        r"(?i)(?P<name>\w+?)=(?P<value>[\d.]+)(?:,|$)",
        r"\((\w+)\?=[(?=*+]+(\d+)\)\\",
        r"([]\w]+)=(\d{1,3})",
        r"(\pL+)=([[:digit:]]+)\z",
        r"\Q(?=\E(\w+)=(\d+)",
        r"(?U)(\w+)=(\d\\C)",
    ],
)
def test_a_format_that_go_reads_is_taken(pattern):
    assert _problems_of_format(pattern) == []


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (POD, f"{JOB}.spec.template: the field spec is missing"),
        (f"{POD}.containers", f"{POD}: the field containers is missing"),
        (f"{JOB}.spec.template", f"{JOB}.spec: the field template is missing"),
        (f"{JOB}.spec", f"{JOB}: the field spec is missing"),
    ],
)
def test_a_trial_without_a_pod_is_found(place, message):
    assert message in check_experiment(change(make_experiment(), place, MISSING))


def test_repeated_names_are_found():
    twice = make_experiment([X, X])
    assert "spec.parameters: x stands there 2 times" in check_experiment(twice)
    assert "spec.trialTemplate.trialParameters: x stands there 2 times" in check_experiment(twice)


def test_lists_are_checked():
    discrete = {"name": "x", "parameterType": "discrete", "feasibleSpace": {"list": ["1", "two"]}}
    assert "'two' is no number" in "".join(check_experiment(make_experiment([discrete])))
    empty = {"name": "x", "parameterType": "categorical", "feasibleSpace": {"list": []}}
    assert "feasibleSpace (x).list: missing" in "".join(check_experiment(make_experiment([empty])))


def test_an_unknown_placeholder_is_found():
    manifest = make_experiment()
    args = manifest["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    args["containers"][0]["args"].append("--y=${trialParameters.y}")
    assert "${trialParameters.y} is none of the trialParameters" in check_experiment(manifest)[0]


def test_a_grid_with_fewer_points_than_trials_is_found():
    manifest = make_experiment([UNITS], {"maxTrialCount": 5})
    manifest["spec"]["algorithm"]["algorithmName"] = "grid"
    assert check_experiment(manifest) == ["spec.maxTrialCount: 5 is more than the grid's 4 points"]


@pytest.mark.parametrize(
    ("most", "found"),
    [
        (
            2,
            "spec.parallelTrialCount: missing, so Katib takes 3, which is more than "
            "maxTrialCount, 2; write 2",
        ),
        (3, None),
    ],
)
@pytest.mark.parametrize("parallel", [MISSING, None])
def test_the_count_that_katib_fills_in_is_checked_too(most, found, parallel):
    manifest = make_experiment([X], {"maxTrialCount": most, "maxFailedTrialCount": 1})
    manifest = change(manifest, "spec.parallelTrialCount", parallel)
    assert check_experiment(manifest) == ([found] if found else [])
    assert Experiment(manifest, LAB.parent).parallel == 3


def test_fewer_trials_are_asked_for_at_a_time_where_there_are_fewer():
    manifest = change(make_experiment(), "spec.parallelTrialCount", MISSING)
    assert set_counts(manifest, Options(trials=2))["spec"]["parallelTrialCount"] == 2


def test_a_trial_may_refer_to_itself():
    manifest = make_experiment()
    template = manifest["spec"]["trialTemplate"]
    template["trialParameters"].append({"name": "me", "reference": "${trialSpec.Name}"})
    pod = template["trialSpec"]["spec"]["template"]["spec"]
    pod["containers"][0]["args"].append("--me=${trialParameters.me}")
    assert check_experiment(manifest) == []


@pytest.mark.parametrize("trial", [None, {"kind": "TrainJob", "spec": {"runtimeRef": {}}}])
def test_a_trial_that_is_no_job_is_said_to_be_for_a_cluster(trial):
    manifest = make_experiment()
    manifest["spec"]["trialTemplate"]["trialSpec"] = trial
    assert ["on a cluster only" in one for one in find_differences(manifest)] == [True]


def test_a_variable_that_only_the_shell_of_a_cluster_fills_in_is_said():
    manifest = make_experiment()
    pod = manifest["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    pod["containers"][0]["env"] = [{"name": "RATE", "value": "1"}]
    pod["containers"][0]["args"] += ["--rate=$(RATE)", "--home=$HOME"]
    [note] = find_differences(manifest)
    assert "will not leave '--home=$HOME' as it is" in note


def test_what_a_cluster_would_do_otherwise_is_said():
    manifest = make_experiment([X, UNITS])
    assert find_differences(manifest) == []
    algorithm, pod = manifest["spec"]["algorithm"], manifest["spec"]["trialTemplate"]["trialSpec"]
    algorithm |= {"algorithmName": "tpe"}
    algorithm["algorithmSettings"] = [{"name": "n_startup_trials", "value": "5"}]
    containers = pod["spec"]["template"]["spec"]["containers"]
    containers[0]["args"].append("--title=two words")
    containers.append({"name": "sidecar", "image": "busybox"})
    notes = find_differences(manifest)
    assert ["hyperopt" in notes[0], "sidecar" in notes[1], "'--title=two words'" in notes[2]] == [
        True
    ] * 3
    manifest["spec"]["algorithm"] = {"algorithmName": "cmaes"}
    manifest["spec"]["parameters"][0]["feasibleSpace"]["distribution"] = "logUniform"
    assert "cmaes draws x uniformly" in find_differences(manifest)[0]


MEDIAN_STOP = {"earlyStopping": {"algorithmName": "medianstop"}}
ROOT, STEP, OTHER = {"runAsUser": 0}, {"runAsUser": 65534}, {"runAsUser": 1000}


@pytest.mark.parametrize(
    ("pod", "container", "early", "stalls"),
    [
        (None, None, MEDIAN_STOP, True),  # the image's user: nobody knows
        ({"runAsNonRoot": True}, None, MEDIAN_STOP, True),
        (None, STEP, MEDIAN_STOP, True),  # the collector stays root
        (STEP, OTHER, MEDIAN_STOP, True),
        (STEP, None, MEDIAN_STOP, False),
        (STEP, STEP, MEDIAN_STOP, False),
        (None, ROOT, MEDIAN_STOP, False),
        (STEP, ROOT, MEDIAN_STOP, False),
        (None, None, {}, False),
    ],
)
def test_early_stopping_that_would_stand_still_is_said(pod, container, early, stalls):
    manifest = make_experiment(spec=early)
    spec = manifest["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    spec |= {"securityContext": pod} if pod else {}
    spec["containers"][0] |= {"securityContext": container} if container else {}
    assert check_experiment(manifest) == []
    notes = find_differences(manifest)
    assert ["runAsUser: 65534" in one for one in notes] == [True] * stalls


def test_the_command_says_where_and_what_and_exits_with_2(tmp_path):
    manifest = change(make_experiment(), "spec.objective.type", "best")
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(change(manifest, "spec.maxTrialCount", 0)))
    result = fastkf("tune", path, cwd=tmp_path)
    assert result.code == 2
    assert f"{path}: spec.objective.type: 'best'; must be maximize or minimize" in result.output
    assert f"{path}: spec.maxTrialCount: 0; must be 1 or more" in result.output
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: [", "not a readable YAML file"),
        ("kind: Pod", "no resources of kind Experiment"),
        ("kind: Experiment\n---\nkind: Experiment", "2 resources of kind Experiment"),
        (None, "no such file"),
    ],
)
def test_a_file_that_is_no_manifest_is_wrong_use(tmp_path, text, message):
    path = tmp_path / "wrong.yaml"
    if text:
        path.write_text(text)
    result = fastkf("tune", path)
    assert (result.code, message in result.output) == (2, True), result.output
    assert "Traceback" not in result.output


def test_metrics_are_read_as_go_reads_a_format():
    lines = ["Größe=0.5 f1=1e-3", "Größe=x f1=2", "= f1=3 y"]
    formats = [r"(\pL[\pL\d]*)=([[:digit:].e-]+)\z|(y)"]
    records = read_records(lines, ["f1"], formats)
    assert [(one.name, one.value) for one in records] == [("f1", "1e-3"), ("f1", "2")]
