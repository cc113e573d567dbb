"""What is found in a TFJob's manifest, and what is not right is named by its field."""

import copy
import os
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from fastkf.base import processes
from fastkf.base.errors import UsageError
from fastkf.course import places
from fastkf.train.manifest import check_tfjob, read_documents, read_tfjob
from fastkf.train.pods import Pod, find_volumes, plan_pods
from fastkf.train.replica import Replica

LAB = places.PROJECT / "labs" / "distributed_training" / "tfjob.yaml"
WORKER = "spec.tfReplicaSpecs.Worker"
POD = f"{WORKER}.template.spec"


@pytest.fixture
def manifest():
    return yaml.safe_load(LAB.read_text())


def put(manifest, path, value):
    """Sets the field at a path such as spec.runPolicy.backoffLimit; None removes it."""
    *parents, name = [int(one) if one.isdigit() else one for one in path.split(".")]
    for one in parents:
        manifest = manifest[one]
    if value is None:
        del manifest[name]
    else:
        manifest[name] = value


CONTAINER = f"{POD}.containers.0"
MISTAKES = {
    "misspelled-policy": (f"{WORKER}.restartPolcy", "Never", "did you mean restartPolicy?"),
    "misspelled-field": ("spec.tfReplicaSpec", {}, "did you mean tfReplicaSpecs?"),
    "misspelled-in-container": (f"{CONTAINER}.comand", ["python"], "did you mean command?"),
    "field-of-batch-job": ("spec.backoffLimit", 3, "spec.backoffLimit: there is no such field"),
    "no-tensorflow": (f"{CONTAINER}.name", "trainer", "one must be named tensorflow"),
    "containers-as-flag": (f"{POD}.containers", True, "containers: takes a list, not True"),
    "volumes-as-flag": (f"{POD}.volumes", True, "volumes: takes a list, not True"),
    "mounts-as-flag": (f"{CONTAINER}.volumeMounts", True, "volumeMounts: takes a list"),
    "volume-named-by-list": (f"{POD}.volumes.0.name", ["a"], "name: takes a text"),
    "no-image": (f"{CONTAINER}.image", None, "image: is missing"),
    "no-containers": (f"{POD}.containers", [], "one must be named tensorflow"),
    "no-pod": (f"{WORKER}.template", None, f"{POD}: is missing"),
    "no-replicas": ("spec.tfReplicaSpecs", {}, "name at least one of Chief, Master, PS"),
    "no-spec": ("spec", None, "spec: is missing"),
    "unknown-type": ("spec.tfReplicaSpecs.Helper", {"replicas": 1}, "no such type of replica"),
    "zero-replicas": (f"{WORKER}.replicas", 0, "takes 1 or more, not 0"),
    "replicas-as-text": (f"{WORKER}.replicas", "2", "takes a whole number, not '2'"),
    "restart-policy": (
        f"{WORKER}.restartPolicy",
        "Sometimes",
        "Always, OnFailure, Never, ExitCode",
    ),
    "managed-by": ("spec.runPolicy.managedBy", "foo", "'foo' is none of kubeflow.org/training-op"),
    "clean-pod-policy": ("spec.runPolicy.cleanPodPolicy", "Most", "'Most' is none of All, Running"),
    "success-policy": ("spec.successPolicy", "Any", "'Any' is none of"),
    "backoff-limit": ("spec.runPolicy.backoffLimit", -1, "takes 0 or more, not -1"),
    "deadline": ("spec.runPolicy.activeDeadlineSeconds", 0, "takes 1 or more, not 0"),
    "name": ("metadata.name", "My_Job", "'My_Job' names no TFJob"),
    "no-name": ("metadata.name", None, "None names no TFJob"),
    "long-name": ("metadata.name", "m" * 60, "6 letters too long for the names of its pods"),
    "value-not-text": (f"{CONTAINER}.env.0.value", 2, 'takes a text, in quotes: "2", not 2'),
    "annotation-not-text": (
        f"{WORKER}.template.metadata.annotations",
        {"sidecar.istio.io/inject": False},
        'takes a text, in quotes: "false", not False',
    ),
    "no-mount-path": (f"{CONTAINER}.volumeMounts.0.mountPath", None, "mountPath is missing"),
    "dangling-volume": (f"{CONTAINER}.volumeMounts.0.name", "date", "date is not among"),
    "list-not-text": (f"{CONTAINER}.args", "--epochs=1", "args: takes a list"),
}


def test_the_labs_manifest_is_right(manifest):
    assert check_tfjob(manifest) == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(manifest, mistake):
    path, value, expected = MISTAKES[mistake]
    put(manifest, path, value)
    problems = check_tfjob(manifest)
    assert len([problem for problem in problems if expected in problem]) == 1, problems


def test_there_is_one_chief(manifest):
    specs = manifest["spec"]["tfReplicaSpecs"]
    specs["Chief"] = {**copy.deepcopy(specs["Worker"]), "replicas": 2}
    assert "there can be one Chief only, not 2" in str(check_tfjob(manifest))
    specs["Chief"]["replicas"] = 1
    assert check_tfjob(manifest) == []
    specs["Master"] = specs["Chief"]
    assert "Chief and Master are the same" in str(check_tfjob(manifest))


def test_defaults_are_the_operators(tmp_path, manifest):
    put(manifest, "spec.runPolicy", None)
    spec = manifest["spec"]["tfReplicaSpecs"].pop("Worker")
    manifest["spec"]["tfReplicaSpecs"]["worker"] = {"template": spec["template"]}
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(manifest))
    job = read_tfjob(path, read_documents(path))
    worker = job.specs[0]
    assert (worker.type, worker.count, worker.restart_policy) == ("Worker", 1, "Never")
    assert (job.clean_pod_policy, job.backoff_limit, job.success_policy) == ("None", None, "")
    assert not job.is_distributed


def test_a_field_that_is_null_is_one_that_is_left_out(tmp_path, manifest):
    put(manifest, "spec.runPolicy", {"cleanPodPolicy": None, "backoffLimit": None})
    worker = manifest["spec"]["tfReplicaSpecs"]["Worker"]
    worker |= {"replicas": None, "restartPolicy": None}
    pod = worker["template"]["spec"]
    pod["volumes"] = [{"name": "scratch", "emptyDir": None}]
    mount = {"name": "scratch", "mountPath": "/scratch", "subPath": None, "readOnly": None}
    pod["containers"][0]["volumeMounts"] = [mount]
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(manifest))
    job = read_tfjob(path, read_documents(path))
    assert (job.specs[0].count, job.specs[0].restart_policy) == (1, "Never")
    assert (job.clean_pod_policy, job.backoff_limit) == ("None", None)
    volumes = find_volumes(job, {}, tmp_path)
    [made] = plan_pods(job, volumes, {"MODEL": "x"}, [1], tmp_path)
    assert made.mounts[0].folder == tmp_path / "scratch" / "worker-0"


def test_the_end_of_a_replica_that_the_jobs_end_has_killed_is_a_shells(tmp_path):
    process = processes.start(["sleep", "60"], subprocess.DEVNULL)
    pod = Pod("Worker", 0, "Never", [], {}, [], Path())
    replica = Replica(pod, tmp_path / "log", state="running", process=process)
    os.killpg(process.pid, signal.SIGKILL)
    processes.end([process])
    replica.note_end()
    assert (replica.state, replica.exit_code) == ("ended", 137)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "no such file"),
        ("a: [", "not a YAML file"),
        ("- 1", "there is: no manifest"),
        (
            "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainJob",
            "there is: TrainJob (trainer.kubeflow.org/v1alpha1)",
        ),
    ],
)
def test_a_file_without_a_tfjob(tmp_path, text, expected):
    path = tmp_path / "job.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=".") as failure:
        read_tfjob(path, read_documents(path))
    assert str(path) in str(failure.value)
    assert expected in str(failure.value)


def test_a_folder_is_no_manifest(tmp_path):
    with pytest.raises(UsageError, match="this is a folder; name one manifest"):
        read_documents(tmp_path)
