"""TrainJobs of Trainer v2, as `fastkf train` reads them, and the pods that it makes of them."""

import io
import os

import pytest
import yaml
from rich.console import Console

from fastkf.base.errors import UsageError
from fastkf.cli.display import Display
from fastkf.train.job import Options, run_job
from fastkf.train.manifest import read_documents
from fastkf.train.pods import find_volumes, plan_pods
from fastkf.train.status import JobStatus
from fastkf.train.trainjob import STEP, read_trainjob

REF = {"name": "jax-distributed"}


def write(folder, trainer=None, metadata=None, ref=REF, more=(), **spec):
    """A file with a TrainJob and whatever else."""
    job = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": "flights", **(metadata or {})},
        "spec": {"runtimeRef": ref, "trainer": trainer or {"command": ["true"]}, **spec},
    }
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump_all([job, *more]))
    return path


def runtime(policy=None, kind="TrainingRuntime", name="mine", pod=None, container=None, **job):
    container = {"name": "node", "image": "ours:1", **(container or {})}
    pod = {"containers": [container], **(pod or {})}
    labels = {"labels": {STEP: "trainer"}}
    template = {"metadata": labels, "spec": {"template": {"spec": pod}, **job}}
    jobs = {"spec": {"replicatedJobs": [{"name": "node", "template": template}]}}
    policy = {"numNodes": 2, "jax": {}} if policy is None else policy
    spec = {"mlPolicy": policy, "template": jobs}
    return {"kind": kind, "metadata": {"name": name}, "spec": spec}


def read(path):
    documents = read_documents(path)
    return read_trainjob(path, documents[0], documents)


def plan(path, folder, given=None):
    job = read(path)
    volumes = find_volumes(job, {}, folder / "volumes")
    count = job.specs[0].count
    return plan_pods(job, volumes, given or {}, list(range(7001, 7001 + count)), folder / "pods")


def test_each_node_gets_what_trainers_policy_sets(tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_PROCESS_ID", "9")  # whoever runs this may be a node itself
    trainer = {
        "numNodes": 3,
        "command": ["run", "$(MODE)"],
        "env": [{"name": "MODE", "value": "x"}],
    }
    pods = plan(write(tmp_path, trainer), tmp_path)
    places = [
        [pod.environment[f"JAX_{name}"] for name in ("NUM_PROCESSES", "PROCESS_ID")] for pod in pods
    ]
    assert places == [["3", "0"], ["3", "1"], ["3", "2"]]
    addresses = {pod.environment["JAX_COORDINATOR_ADDRESS"] for pod in pods}
    assert len(addresses) == 1
    assert addresses.pop().endswith(":" + pods[0].environment["JAX_COORDINATOR_PORT"])
    assert [pod.command for pod in pods] == [["run", "x"]] * 3
    assert [pod.name for pod in pods] == ["node-0", "node-1", "node-2"]
    assert len({pod.folder for pod in pods}) == 3
    assert all("TF_CONFIG" not in pod.environment for pod in pods)


def test_a_runtime_gives_what_the_job_leaves_out(tmp_path):
    box = {"command": ["sh"], "args": ["a"], "env": [{"name": "A", "value": "1"}]}
    path = write(
        tmp_path,
        {"args": ["b"], "env": [{"name": "B", "value": "2"}]},
        ref={"kind": "TrainingRuntime", "name": "mine"},
        more=[runtime(container=box, backoffLimit=3)],
    )
    pods = plan(path, tmp_path)
    assert [pod.command for pod in pods] == [["sh", "b"]] * 2
    assert (pods[0].environment["A"], pods[0].environment["B"]) == ("1", "2")
    assert pods[0].restart_policy == "OnFailure"
    assert read(path).backoff_limit == 3


def test_a_runtime_may_be_in_a_file_beside(tmp_path):
    (tmp_path / "runtime.yaml").write_text(yaml.safe_dump(runtime()))
    (tmp_path / "broken.yaml").write_text("a: [1")
    path = write(tmp_path, ref={"kind": "TrainingRuntime", "name": "mine"})
    assert read(path).specs[0].count == 2


def test_a_field_that_is_null_is_one_that_is_left_out(tmp_path):
    made = runtime(name="mine", container={"command": ["true"], "env": None}, backoffLimit=None)
    ref = {"name": "mine", "kind": "TrainingRuntime", "apiGroup": None}
    job = read(write(tmp_path, trainer={"numNodes": None, "env": None}, ref=ref, more=[made]))
    assert (job.specs[0].count, job.run_policy["backoffLimit"]) == (2, 6)
    built_in = {"name": "jax-distributed", "kind": None}
    assert read(write(tmp_path, ref=built_in)).specs[0].count == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"ref": {"name": "torch-distributed"}}, "no ClusterTrainingRuntime torch-distributed"),
        ({"ref": {"name": "mine"}, "more": [runtime()]}, "no ClusterTrainingRuntime mine"),
        ({"trainer": {"numNodes": 0}}, "numNodes: takes 1 or more"),
        ({"trainer": {"numNodes": "2"}}, "spec.trainer.numNodes"),
        ({"trainer": {"nodes": 2}}, "spec.trainer.nodes: there is no such field"),
        ({"metadata": {"name": "Flights"}}, "metadata.name"),
        ({"metadata": {"name": "f" * 60}}, "too long"),
        ({"ref": {}}, "spec.runtimeRef: the field name is missing"),
        ({"runtimePatches": [{"manager": "x"}]}, "spec.runtimePatches: is not known here"),
        ({"initializer": {"dataset": {}}}, "spec.initializer: is not known here"),
        ({"labels": {"a": "b"}}, "spec.labels: there is no such field"),
        ({"activeDeadlineSeconds": 0}, "spec.activeDeadlineSeconds: takes 1 or more, not 0"),
        ({"managedBy": "kueue.x-k8s.io/multikueue"}, "spec.managedBy: .* runs no job here"),
        ({"ref": {**REF, "apiGroup": "batch"}}, "apiGroup: 'batch'; runtimes are of trainer"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, change, expected):
    with pytest.raises(UsageError, match=expected):
        read(write(tmp_path, **change))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (runtime(policy={"torch": {}}), "its policy is torch"),
        (runtime(policy={"numNodes": 2}), "its policy is none"),
        ({**runtime(), "spec": {}}, "not right as a runtime"),
        ({**runtime(), "spec": None}, "not right as a runtime"),
        (runtime(container={"name": "other"}), "no container that trains"),
        (runtime(policy={"numNodes": "2", "jax": {}}), "numNodes: takes a whole number from 1 on"),
        (runtime(policy={1: 2}), "its policy is 1"),
        (runtime(backoffLimit="x"), "backoffLimit of its runtime: takes a whole number"),
        (runtime(pod={"containers": 7}), "its pod.containers"),
        (runtime(container={"env": [{"value": "a"}]}), r"env\[0\]: the field name is missing"),
        ({**runtime(), "metadata": "mine"}, "no TrainingRuntime mine"),
        (
            {
                **runtime(),
                "spec": {
                    "mlPolicy": {"jax": {}},
                    "template": {"spec": {"replicatedJobs": [{"template": 7}, 7]}},
                },
            },
            "no container that trains",
        ),
    ],
)
def test_a_runtime_that_is_not_for_here_is_refused(tmp_path, made, expected):
    with pytest.raises(UsageError, match=expected):
        read(write(tmp_path, ref={"kind": "TrainingRuntime", "name": "mine"}, more=[made]))


def test_variables_that_only_a_cluster_knows_are_asked_for(tmp_path):
    source = {"secretRef": {"name": "keys"}}
    container = {"command": ["true"], "envFrom": [source]}
    ref = {"kind": "TrainingRuntime", "name": "mine"}
    path = write(tmp_path, {"numNodes": 1}, ref=ref, more=[runtime(container=container)])
    with pytest.raises(UsageError, match=r"variables of keys \(secretRef of envFrom\); .*--env"):
        plan(path, tmp_path)
    assert plan(path, tmp_path, {"KEY": "x"})[0].environment["KEY"] == "x"
    source["secretRef"]["optional"] = True
    path = write(tmp_path, {"numNodes": 1}, ref=ref, more=[runtime(container=container)])
    assert len(plan(path, tmp_path)) == 1


def test_a_trainjob_is_of_trainers_api(tmp_path):
    path = write(tmp_path)
    path.write_text(path.read_text().replace("trainer.kubeflow.org/v1alpha1", "kubeflow.org/v1"))
    with pytest.raises(UsageError, match=r"apiVersion: 'kubeflow.org/v1'; a TrainJob is of tra"):
        read(path)


def test_a_job_without_a_command_says_so(tmp_path):
    with pytest.raises(UsageError, match="no command"):
        plan(write(tmp_path, {"numNodes": 2}), tmp_path)


def test_the_job_succeeds_when_all_nodes_have(tmp_path):
    script = "echo $JAX_PROCESS_ID of $JAX_NUM_PROCESSES > place; exit $JAX_PROCESS_ID"
    path = write(
        tmp_path,
        {"numNodes": 2, "command": ["sh", "-c", script]},
        ref={"kind": "TrainingRuntime", "name": "mine"},
        more=[runtime(pod={"restartPolicy": "Never"})],
    )
    display = Display(Console(file=io.StringIO()))
    run = run_job(path, Options(private=False, output=tmp_path / "run"), display)
    assert not run.has_succeeded  # the second one has failed
    assert (tmp_path / "run/pods/node-1/place").read_text() == "1 of 2\n"
    [condition] = yaml.safe_load((tmp_path / "run/trainjob.yaml").read_text())["status"][
        "conditions"
    ]
    assert (condition["type"], condition["reason"]) == ("Failed", "FailedJobs")


def test_a_status_that_is_not_final_has_no_condition():
    status = JobStatus("TrainJob")
    status.set("Created", "it is created")
    assert status.to_trainer_dict({"node": {"active": 2}}) == {
        "conditions": [],
        "jobsStatus": [{"name": "node", "active": 2}],
    }


def test_what_only_a_cluster_does_is_told_on_one_line(tmp_path):
    """Other containers may prepare what the node finds on a cluster."""
    box = {"name": "fetch", "image": "a:1"}
    pod = {
        "initContainers": [box, {**box, "name": "clean"}],
        "containers": [
            {"name": "proxy", "image": "a:1"},
            {
                "name": "node",
                "image": "ours:1",
                "workingDir": "/app",
                "resources": {"limits": {"cpu": "1"}},
                "securityContext": {},
            },
        ],
        "nodeSelector": {"gpu": "yes"},
    }
    made = runtime(pod=pod)
    jobs = made["spec"]["template"]["spec"]["replicatedJobs"]
    jobs.append({"name": "dataset-initializer", "template": {"spec": {}}})
    path = write(
        tmp_path,
        {"command": ["true"], "numNodes": 1, "resourcesPerNode": {"limits": {"cpu": 1}}},
        ref={"kind": "TrainingRuntime", "name": "mine"},
        more=[made],
    )
    said = io.StringIO()
    run_job(path, Options(private=False, output=tmp_path / "run"), Display(Console(file=said)))
    assert (
        "not applied here: replicatedJobs (dataset-initializer), resourcesPerNode, "
        "initContainers (fetch, clean), nodeSelector, containers (proxy), resources, "
        "workingDir (/app)"
    ) in " ".join(said.getvalue().split())


@pytest.mark.parametrize(("place", "expected"), [("/code", "code"), ("/code/src/", "code/src")])
def test_a_working_folder_in_a_volume_is_where_the_node_starts(tmp_path, place, expected):
    box = {"workingDir": place, "volumeMounts": [{"name": "code", "mountPath": "/code"}]}
    volumes = {"volumes": [{"name": "code", "persistentVolumeClaim": {"claimName": "c"}}]}
    path = write(
        tmp_path,
        {"command": ["sh", "-c", "pwd > place"], "numNodes": 1},
        ref={"kind": "TrainingRuntime", "name": "mine"},
        more=[runtime(container=box, pod=volumes)],
    )
    said = io.StringIO()
    run_job(path, Options(private=False, output=tmp_path / "run"), Display(Console(file=said)))
    folder = tmp_path / "run" / "volumes" / expected
    assert (folder / "place").read_text() == f"{folder}\n"
    assert "not applied here" not in said.getvalue()


def test_a_mount_without_a_volume_is_named(tmp_path):
    made = runtime(container={"volumeMounts": [{"name": "lost", "mountPath": "/data"}]})
    path = write(tmp_path, ref={"kind": "TrainingRuntime", "name": "mine"}, more=[made])
    with pytest.raises(UsageError, match="lost is not among the pod's volumes"):
        plan(path, tmp_path)


def test_more_nodes_than_run_here_are_refused(tmp_path):
    path = write(tmp_path, {"command": ["true"], "numNodes": 10**20})
    with pytest.raises(UsageError, match="at most 100 run here"):
        run_job(path, Options(home=tmp_path), Display(Console(file=io.StringIO())))


@pytest.mark.security
def test_no_pipe_beside_the_job_is_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="no ClusterTrainingRuntime lost"):
        read(write(tmp_path, ref={"name": "lost"}))
