"""Checks KServe's manifests against the models of kserve's own SDK, and by what they cannot say."""

import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from unittest import mock

import kserve
import kubernetes.client
from kserve.api_client import ApiClient

FORMATS = {
    "huggingface",
    "sklearn",
    "tensorflow",
    "xgboost",
    "lightgbm",
    "onnx",
    "pytorch",
    "triton",
    "pmml",
}
STORAGE = re.compile(r"(s3|gs|pvc|hf|oci|https|abfs|hdfs)://.+")
DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
# The SDK's own models refer to those of Kubernetes by name, and do not bring them.
MODELS = SimpleNamespace(**vars(kubernetes.client) | vars(kserve.models))


def check_inference_service(manifest: dict) -> list[str]:
    """What is wrong with an InferenceService."""
    client = ApiClient()
    with mock.patch.object(kserve, "models", MODELS):
        try:
            text = SimpleNamespace(data=json.dumps(manifest))
            read = client.deserialize(text, "V1beta1InferenceService")
        except (AttributeError, TypeError, ValueError) as error:
            return [str(error)]
        problems = compare(manifest, client.sanitize_for_serialization(read), "")
    if not DNS_LABEL.fullmatch(manifest["metadata"]["name"]):
        problems.append("metadata.name: not a DNS label")
    for part in ("predictor", "transformer"):
        problems += check_component(part, manifest["spec"].get(part))
    return problems


# Of what an LLMInferenceService (v1alpha2) specifies, the SDK has no model. Its fields in KServe.
OF_LLM = {
    "annotations": {},
    "baseRefs": [],
    "labels": {},
    "kvCacheOffloading": {},
    "model": {"lora": {}, "name": "", "uri": ""},
    "parallelism": {
        "data": 0,
        "dataLocal": 0,
        "dataRPCPort": 0,
        "expert": False,
        "pipeline": 0,
        "tensor": 0,
    },
    "prefill": {},
    "replicas": 0,
    "router": {"gateway": {}, "ingress": {}, "route": {}, "scheduler": {}},
    "scaling": {},
    "storageInitializer": {"enabled": False},
    "template": {},
    "worker": {},
}


def check_llm_service(manifest: dict, check_pod: Callable[[dict], list[str]]) -> list[str]:
    """What is wrong with an LLMInferenceService, and with the pods that it makes."""
    spec = manifest["spec"]
    problems = find_unlike(spec, OF_LLM, "spec")
    if not STORAGE.fullmatch(spec.get("model", {}).get("uri", "")):
        problems.append("spec.model.uri: missing, or no address")
    if not DNS_LABEL.fullmatch(manifest["metadata"]["name"]):
        problems.append("metadata.name: not a DNS label")
    if template := spec.get("template"):
        # KServe fills in the image and the command of the container `main`.
        containers = [{"image": "main", **one} for one in template.get("containers", [])]
        if [one["name"] for one in containers[:1]] != ["main"]:
            problems.append("spec.template.containers.0.name: KServe wants main")
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}}
        problems += check_pod({**pod, "spec": {**template, "containers": containers}})
    return problems


def find_unlike(given: dict, fields: dict, path: str) -> list[str]:
    """What is no field, or of another type; an empty object may hold anything."""
    problems = []
    for name, value in given.items():
        if name not in fields:
            problems.append(f"{path}.{name}: no such field")
        elif type(value) is not type(fields[name]):
            problems.append(f"{path}.{name}: {value!r}")
        elif fields[name] and isinstance(value, dict):
            problems += find_unlike(value, fields[name], f"{path}.{name}")
    return problems


def compare(given, read, path: str) -> list[str]:
    """What is in the manifest and not in what the SDK read from it."""
    if isinstance(given, dict) and isinstance(read, dict):
        lost = [f"{path}{key}: no such field" for key in given if key not in read]
        kept = [key for key in given if key in read]
        return lost + [p for key in kept for p in compare(given[key], read[key], f"{path}{key}.")]
    if isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        pairs = enumerate(zip(given, read, strict=True))
        return [p for i, (one, other) in pairs for p in compare(one, other, f"{path}{i}.")]
    same = type(given) is type(read) and given == read
    return [] if same else [f"{path[:-1]}: {given!r} is read as {read!r}"]


def check_component(part: str, spec: dict | None) -> list[str]:
    if spec is None:
        return [f"spec.{part}: missing"] if part == "predictor" else []
    problems = []
    if ("model" in spec) == ("containers" in spec):
        problems.append(f"spec.{part}: either model or containers")
    if not 0 <= spec.get("canaryTrafficPercent", 0) <= 100:
        problems.append(f"spec.{part}.canaryTrafficPercent: a percentage")
    if spec.get("minReplicas", 1) > spec.get("maxReplicas", spec.get("minReplicas", 1)):
        problems.append(f"spec.{part}: minReplicas > maxReplicas")
    if [c["name"] for c in spec.get("containers", [])[:1]] not in ([], ["kserve-container"]):
        problems.append(f"spec.{part}.containers.0.name: KServe wants kserve-container")
    if model := spec.get("model"):
        problems += [f"spec.{part}.{text}" for text in check_model(model, spec)]
    return problems


def check_model(model: dict, spec: dict) -> list[str]:
    problems, name = [], model["modelFormat"].get("name")
    storage = model.get("storageUri", "")
    if name not in FORMATS:
        problems.append(f"model.modelFormat.name: no runtime for {name}")
    if not STORAGE.fullmatch(storage):
        problems.append(f"model.storageUri: {storage!r}")
    if storage.startswith("s3://") and "serviceAccountName" not in spec:
        problems.append("serviceAccountName: missing, and s3:// needs credentials")
    if name == "tensorflow" and "runtimeVersion" not in model:
        problems.append("model.runtimeVersion: missing, and the default is from 2021")
    return problems
