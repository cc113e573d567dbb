"""The TrainJob of lab 05: its workers find each other, and a small cluster has room for them."""

import json
import os
import re
import subprocess

import pytest
from manifests import check_manifest, read_manifests

from fastkf.course import places

LAB = places.PROJECT / "labs" / "distributed_training"
[RUNTIME] = read_manifests(LAB / "training-runtime.yaml")
[JOB] = read_manifests(LAB / "trainjob.yaml")
[TFJOB] = read_manifests(LAB / "tfjob.yaml")
LEFT = 2 - 0.67  # processors of a node of two, beside what Kubeflow Pipelines asks for


def test_each_worker_has_its_place_in_tf_config(tmp_path):
    (tmp_path / "python").write_text('#!/bin/sh\nprintf %s "$TF_CONFIG"\n')
    (tmp_path / "python").chmod(0o755)
    trainer, name = JOB["spec"]["trainer"], JOB["metadata"]["name"]
    for index in range(trainer["numNodes"]):
        variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "JOB_COMPLETION_INDEX": str(index)}
        command = [*trainer["command"], *trainer["args"]]
        said = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
        config = json.loads(said.stdout)
        assert config["task"] == {"type": "worker", "index": index}
        [job] = RUNTIME["spec"]["template"]["spec"]["replicatedJobs"]
        # As JobSet calls the pods of a job: JOBSET-REPLICATED_JOB-0-INDEX, in the JobSet's domain.
        pods = [f"{name}-{job['name']}-0-{one}.{name}" for one in range(trainer["numNodes"])]
        assert config["cluster"] == {"worker": [f"{pod}:2222" for pod in pods]}


def test_both_jobs_run_the_same_program():
    worker = TFJOB["spec"]["tfReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]
    words = " ".join([*worker["command"], *worker["args"]])
    assert f"exec {words}" in JOB["spec"]["trainer"]["args"][0]
    assert JOB["spec"]["trainer"]["image"] == worker["image"]


def processors(text: str) -> float:
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


@pytest.mark.parametrize("kind", ["TrainJob", "TFJob"])
def test_the_requests_fit_a_node_of_two_processors(kind):
    if kind == "TrainJob":
        workers, resources = JOB["spec"]["trainer"]["numNodes"], JOB["spec"]["trainer"]
        requests = resources["resourcesPerNode"]["requests"]
    else:
        worker = TFJOB["spec"]["tfReplicaSpecs"]["Worker"]
        workers = worker["replicas"]
        requests = worker["template"]["spec"]["containers"][0]["resources"]["requests"]
    assert workers * processors(requests["cpu"]) <= LEFT


def test_the_volumes_bind_on_kind():
    """Its provisioner has volumes for one node only."""
    volumes = [one for one in read_manifests(LAB / "volumes.yaml") if "Claim" in one["kind"]]
    assert [one["spec"]["accessModes"] for one in volumes] == [["ReadWriteOnce"]] * 2
    [template] = RUNTIME["spec"]["template"]["spec"]["replicatedJobs"]
    pod = template["template"]["spec"]["template"]["spec"]
    claims = {one["persistentVolumeClaim"]["claimName"] for one in pod["volumes"]}
    assert claims == {one["metadata"]["name"] for one in volumes}


def test_no_two_labs_have_a_service_of_the_same_name():
    files = (places.PROJECT / "labs").rglob("*.yaml")
    services = {
        (path.parent.name, one["metadata"]["name"])
        for path in files
        for one in read_manifests(path)
        if one["kind"] == "InferenceService"
    }
    names = [re.sub(r"-lists$", "", name) for _, name in services]
    assert len({(folder, name) for folder, name in services}) == len(services)
    assert not {"digits"} & {name for folder, name in services if folder != LAB.name}
    assert "mnist" in names


@pytest.mark.parametrize("place", ["spec.runtimRef", "spec.trainer.numNode", "spec.trainer.imag"])
def test_a_misspelled_field_is_found(place):
    *path, last = place.split(".")
    wrong = json.loads(json.dumps(JOB))
    spot = wrong
    for word in path:
        spot = spot[word]
    spot[last] = 1
    assert check_manifest(JOB) == []
    assert last in str(check_manifest(wrong))
