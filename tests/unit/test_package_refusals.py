"""What of a package cannot be run, and what of it is not applied."""

import pytest
from kfp import compiler, dsl, kubernetes
from kfp.dsl import Artifact, Dataset, Input

from fastkf.package.errors import PackageError
from fastkf.package.model import Package
from fastkf.package.refusals import check_runs_here
from fastkf.package.settings import describe_settings, list_settings


@dsl.component(base_image="python:3.11")
def use(data: Input[Artifact] = None, text: str = ""): ...


@dsl.component(base_image="python:3.11")
def make() -> Dataset: ...


def compiled(pipeline, folder) -> Package:
    path = folder / "package.yaml"
    compiler.Compiler().compile(pipeline, str(path))
    return Package.read(path)


@dsl.pipeline
def made() -> list[Dataset]:
    with dsl.ParallelFor([1, 2]):
        one = make()
    return dsl.Collected(one.output)


@dsl.pipeline
def over_artifacts():
    with dsl.ParallelFor(made().output) as one:
        use(data=one)


@dsl.pipeline
def of_artifact(data: Input[Artifact]):
    use(data=data)


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        (over_artifacts, "is a loop over artifacts, which Kubeflow Pipelines cannot run"),
        (of_artifact, "the pipeline takes artifacts (data)"),
    ],
)
def test_what_cannot_run_is_refused_by_name(tmp_path, pipeline, said):
    with pytest.raises(PackageError) as caught:
        check_runs_here(compiled(pipeline, tmp_path))
    assert said in str(caught.value)


@dsl.pipeline
def one_after_another():
    use(data=make().output)


@pytest.mark.parametrize("producer", ["of-artifact", "for-loop-1"])
def test_a_task_that_waits_for_none_of_its_group_is_refused(tmp_path, producer):
    package = compiled(one_after_another, tmp_path)
    task = package.spec["root"]["dag"]["tasks"]["use"]
    for given in ({"dependentTasks": [producer]}, {"dependentTasks": []}):
        task |= given
        with pytest.raises(PackageError, match=f"^task use waits for {producer}, and there is no"):
            check_runs_here(package)
        task["inputs"]["artifacts"]["data"]["taskOutputArtifact"]["producerTask"] = producer


def test_an_optional_artifact_is_no_hindrance(tmp_path):
    check_runs_here(compiled(use, tmp_path))


# No pipeline yet: each of these settings has KFP look at the whole stack of calls.
def settled(secret: str = "s"):
    task = use()
    kubernetes.use_secret_as_env(task, "db", {"password": "PASSWORD"})
    kubernetes.use_secret_as_volume(task, secret, "/s")
    kubernetes.use_config_map_as_env(task, "options", {"a": "A"})
    kubernetes.mount_pvc(task, pvc_name="data", mount_path="/data")
    kubernetes.add_node_selector(task, "disk", "ssd")
    kubernetes.set_timeout(task, 20)
    kubernetes.empty_dir_mount(task, "scratch", "/e")
    task.set_cpu_limit("1").set_memory_request("2G")
    task.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(1)
    make()


def test_what_is_not_applied_is_named(tmp_path):
    package = compiled(dsl.pipeline(settled), tmp_path)
    assert set(list_settings(package)["exec-use"]) == {
        "secrets as variables (db)",
        "secrets as files (/s)",
        "ConfigMaps as variables (options)",
        "volumes (data)",
        "node selectors",
        "time limit",
        "empty folders (scratch)",
        "CPU limit 1",
        "memory request 2G",
        "GPU or other accelerator (1 nvidia.com/gpu)",
    }
    (line,) = describe_settings(package)
    assert line.startswith("use: ")


def test_what_is_not_applied_is_told_in_one_order():
    """Read through protobuf, the fields of a package come in another order in each process."""
    limited = {"container": {"resources": {"resourceCpuLimit": "1"}}}
    asked = {"tolerations": [], "nodeSelector": {}, "podMetadata": {}}
    limits = {"pipelineRunParallelism": 7, "activeDeadlineSeconds": 60}

    def told(order) -> tuple[str, ...]:
        settings = {"exec-b": dict(order(asked.items())), "exec-a": {}}
        for_kubernetes = {
            "deploymentSpec": {"executors": settings},
            "pipelineConfig": dict(order(limits.items())),
        }
        executors = dict(order({"exec-a": limited, "exec-b": {}}.items()))
        return describe_settings(
            Package(
                {"deploymentSpec": {"executors": executors}},
                {"platforms": {"kubernetes": for_kubernetes}},
            )
        )

    expected = (
        "a: CPU limit 1",
        "b: labels and annotations of the pod, node selectors, tolerations",
        "the pipeline: limit of steps at a time, time limit",
    )
    assert told(list) == told(lambda items: reversed(list(items))) == expected


def test_steps_that_ask_for_the_same_are_told_together():
    names = [f"exec-s{number}" for number in range(9)]
    limited = {"container": {"resources": {"resourceCpuLimit": "1"}}}

    def told(asking: int) -> tuple[str, ...]:
        executors = {name: limited if n < asking else {} for n, name in enumerate(names)}
        return describe_settings(Package({"deploymentSpec": {"executors": executors}}))

    assert told(9) == ("every step: CPU limit 1",)
    assert told(1) == ("s0: CPU limit 1",)
    assert told(2) == ("s0 and s1: CPU limit 1",)
    assert told(7) == ("s0, s1, s2, s3 and others: CPU limit 1",)


def test_a_plain_package_asks_for_nothing(tmp_path):
    assert describe_settings(compiled(use, tmp_path)) == ()


def test_what_a_pipeline_and_a_pause_ask_for_is_said_in_words():
    word = "{{$.inputs.parameters['pipelinechannel--choose-Output']}}"
    container = {
        "env": [{"name": "ARGO_DEBUG_PAUSE_AFTER", "value": "true"}],
        "resources": {"resourceCpuLimit": word},
    }
    limits = {"pipelineRunParallelism": 7, "activeDeadlineSeconds": 60}
    package = Package(
        {"deploymentSpec": {"executors": {"exec-a": {"container": container}, "exec-b": {}}}},
        {"platforms": {"kubernetes": {"pipelineConfig": {**limits, "workspace": {"size": "1Gi"}}}}},
    )
    assert describe_settings(package) == (
        "a: CPU limit from choose-Output, pause for debugging",
        "the pipeline: limit of steps at a time, time limit",
    )
