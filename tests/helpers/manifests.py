"""Checks Kubernetes manifests without a cluster."""

from collections.abc import Callable
from pathlib import Path

import yaml
from kueue_manifests import API as KUEUE
from kueue_manifests import KINDS, check_kueue
from notebook_manifests import check_notebook, check_pod_default

from fastkf.base.manifests import find_misfits

KUBERNETES = "1.32"  # the oldest that today's Kubeflow runs on
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
CORE_GROUPS = ("apps", "batch", "autoscaling", "policy")


def check_tfjob_and_pods(manifest: dict) -> list[str]:
    """What is wrong with a TFJob, and with the pods that the operator would make of it."""
    from fastkf.train.manifest import check_tfjob  # and Katib's models

    problems = check_tfjob(manifest)
    for spec in manifest["spec"]["tfReplicaSpecs"].values():
        pod = {"apiVersion": "v1", "kind": "Pod", **spec["template"]}
        problems += check_manifest({**pod, "metadata": {**pod.get("metadata", {}), "name": "pod"}})
    return problems


def check_katib(manifest: dict) -> list[str]:
    from fastkf.tune.rules import check_experiment, find_differences

    return check_experiment(manifest) or find_differences(manifest)


def check_trainer(manifest: dict) -> list[str]:
    """What is wrong with a TrainJob or a TrainingRuntime, by the models of Trainer's package."""
    import kubeflow_trainer_api.models as models

    misfits = find_misfits(manifest, getattr(models, f"TrainerV1alpha1{manifest['kind']}"))
    if misfits or manifest["kind"] == "TrainJob":
        return misfits
    jobs = manifest["spec"]["template"]["spec"]["replicatedJobs"]
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"}}
    return [
        one for each in jobs for one in check_manifest({**job, "spec": each["template"]["spec"]})
    ]


def check_service(manifest: dict) -> list[str]:
    from kserve_manifests import check_inference_service

    return check_inference_service(manifest)


# What a spec may have, by the CRDs of Kubeflow Pipelines 2.17.0.
PIPELINE_FIELDS = {
    "Pipeline": {"description", "displayName", "tags"},
    "PipelineVersion": {"description", "displayName", "tags", "pipelineName", "versionName"}
    | {"codeSourceURL", "pipelineSpec", "pipelineSpecURI", "platformSpec"},
}


def check_pipeline(manifest: dict) -> list[str]:
    """What is wrong with a pipeline, or a version of one, that is kept as a Kubernetes resource."""
    spec, kind = manifest["spec"], manifest["kind"]
    problems = [f"spec.{name}: no such field" for name in set(spec) - PIPELINE_FIELDS[kind]]
    if kind == "PipelineVersion" and "schemaVersion" not in spec.get("pipelineSpec", {}):
        problems.append("spec.pipelineSpec: no package of a pipeline")
    return problems


def check_llm(manifest: dict) -> list[str]:
    from kserve_manifests import check_llm_service

    return check_llm_service(manifest, check_manifest)


# What checks a custom resource: from the manifest to the texts of what is wrong with it.
CUSTOM: dict[tuple[str, str], Callable[[dict], list[str]]] = {
    ("serving.kserve.io/v1beta1", "InferenceService"): check_service,
    ("serving.kserve.io/v1alpha2", "LLMInferenceService"): check_llm,
    ("kubeflow.org/v1beta1", "Experiment"): check_katib,
    ("kubeflow.org/v1", "TFJob"): check_tfjob_and_pods,
    ("trainer.kubeflow.org/v1alpha1", "TrainJob"): check_trainer,
    ("trainer.kubeflow.org/v1alpha1", "TrainingRuntime"): check_trainer,
    ("pipelines.kubeflow.org/v2beta1", "Pipeline"): check_pipeline,
    ("pipelines.kubeflow.org/v2beta1", "PipelineVersion"): check_pipeline,
    ("trainer.kubeflow.org/v1alpha1", "ClusterTrainingRuntime"): check_trainer,
    ("kubeflow.org/v1", "Notebook"): lambda m: check_notebook(m, check_manifest),
    ("kubeflow.org/v1alpha1", "PodDefault"): lambda m: check_pod_default(m, check_manifest),
    **{(KUEUE, kind): check_kueue for kind in KINDS},
}


def read_manifests(path: Path) -> list[dict]:
    """The Kubernetes manifests of a YAML file; none when it holds something else."""
    text = path.read_text(encoding="utf-8")
    documents = yaml.load_all(text, LOADER) if "apiVersion" in text else ()
    return [one for one in documents if isinstance(one, dict) and "apiVersion" in one]


def check_manifest(manifest: dict) -> list[str]:
    """What is wrong with a manifest.

    Raises:
        KeyError: nothing checks this kind; add its checker to CUSTOM.
    """
    import kubernetes_validate

    group = manifest["apiVersion"].rpartition("/")[0]
    is_custom = group and group not in CORE_GROUPS and not group.endswith(".k8s.io")
    if is_custom or manifest["apiVersion"] == KUEUE:
        return CUSTOM[manifest["apiVersion"], manifest["kind"]](manifest)
    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    return []
