"""Each setting of a task or of a pipeline, used once: so fastkf is asked what becomes of it."""

import warnings

from google.protobuf import json_format
from kfp import dsl, kubernetes

from fastkf.package.errors import PackageError
from fastkf.package.given import DONE, KINDS
from fastkf.package.model import Package
from fastkf.package.refusals import check_runs_here
from fastkf.package.settings import WHOLE_CPU_LIMIT, for_executors, list_settings

TERM = {"key": "disk", "operator": "In", "values": ["ssd"]}
USES = {
    "add_ephemeral_volume": lambda task: kubernetes.add_ephemeral_volume(
        task, "scratch", "/scratch", ["ReadWriteOnce"], "1Gi"
    ),
    "add_node_affinity": lambda task: kubernetes.add_node_affinity(task, match_expressions=[TERM]),
    "add_node_affinity_json": lambda task: kubernetes.add_node_affinity_json(task, {}),
    "add_node_selector": lambda task: kubernetes.add_node_selector(task, "disk", "ssd"),
    "add_node_selector_json": lambda task: kubernetes.add_node_selector_json(task, {"a": "b"}),
    "add_node_selector_constraint": lambda task: task.add_node_selector_constraint("gpu"),
    "add_pod_annotation": lambda task: kubernetes.add_pod_annotation(task, "a", "b"),
    "add_pod_label": lambda task: kubernetes.add_pod_label(task, "a", "b"),
    "add_toleration": lambda task: kubernetes.add_toleration(task, key="a", operator="Exists"),
    "add_toleration_json": lambda task: kubernetes.add_toleration_json(task, []),
    "CreatePVC": lambda _: kubernetes.CreatePVC(
        pvc_name="data", access_modes=["ReadWriteOnce"], size="1Gi"
    ),
    "DeletePVC": lambda _: kubernetes.DeletePVC(pvc_name="data"),
    "empty_dir_mount": lambda task: kubernetes.empty_dir_mount(task, "scratch", "/scratch"),
    "mount_pvc": lambda task: kubernetes.mount_pvc(task, "data", "/data"),
    "set_image_pull_policy": lambda task: kubernetes.set_image_pull_policy(task, "Always"),
    "set_image_pull_secrets": lambda task: kubernetes.set_image_pull_secrets(task, ["registry"]),
    "set_security_context": lambda task: kubernetes.set_security_context(task, run_as_user=0),
    "set_timeout": lambda task: kubernetes.set_timeout(task, 60),
    "use_config_map_as_env": lambda task: kubernetes.use_config_map_as_env(task, "a", {"b": "C"}),
    "use_config_map_as_volume": lambda task: kubernetes.use_config_map_as_volume(task, "a", "/a"),
    "use_field_path_as_env": lambda task: kubernetes.use_field_path_as_env(
        task, "NODE", "spec.nodeName"
    ),
    "use_secret_as_env": lambda task: kubernetes.use_secret_as_env(task, "a", {"b": "C"}),
    "use_secret_as_volume": lambda task: kubernetes.use_secret_as_volume(task, "a", "/a"),
    "set_accelerator_limit": lambda task: task.set_accelerator_limit(1),
    "set_accelerator_type": lambda task: task.set_accelerator_type("nvidia.com/gpu"),
    "set_cpu_limit": lambda task: task.set_cpu_limit("1"),
    "set_cpu_request": lambda task: task.set_cpu_request("1"),
    "set_debug_pause": lambda task: task.set_debug_pause(),
    "set_gpu_limit": lambda task: task.set_gpu_limit(1),
    "set_memory_limit": lambda task: task.set_memory_limit("1G"),
    "set_memory_request": lambda task: task.set_memory_request("1G"),
    "set_env_variable": lambda task: task.set_env_variable("A", "b"),
    "set_retry": lambda task: task.set_retry(2),
}
CONFIGS = {
    "ttl_seconds_after_finished": dsl.PipelineConfig(ttl_seconds_after_finished=1),
    "ttl_seconds_after_success": dsl.PipelineConfig(ttl_seconds_after_success=1),
    "ttl_seconds_after_failure": dsl.PipelineConfig(ttl_seconds_after_failure=1),
    "active_deadline_seconds": dsl.PipelineConfig(active_deadline_seconds=60),
    "workspace": dsl.PipelineConfig(workspace=dsl.WorkspaceConfig("1Gi")),
}


@dsl.component(base_image="python:3.11")
def step() -> int:
    return 1


def judge(word: str) -> str:
    """What becomes of a pipeline that has this setting: yes, given, listed or refused."""
    if word not in USES and word not in CONFIGS:
        return "yes"
    package = make_package(word)
    try:
        check_runs_here(package)
    except PackageError:
        return "refused"
    if list_settings(package, DONE | {WHOLE_CPU_LIMIT}):
        return "listed"
    asked = {setting for executor in for_executors(package).values() for setting in executor}
    return (
        "given"
        if asked & {name for kind in KINDS for name in (kind.as_env, kind.as_volume)}
        else "yes"
    )


def make_package(word: str) -> Package:
    def one() -> None:
        task = step()
        if word in USES:
            USES[word](task)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made = dsl.pipeline(one, name="one", pipeline_config=CONFIGS.get(word))
    spec, platform = map(json_format.MessageToDict, (made.pipeline_spec, made.platform_spec))
    return Package.from_spec({"pipeline_spec": spec, "platform_spec": platform})
