"""Checks the manifests of Kubeflow Notebooks by the pods that Kubeflow makes of them.

The fields are those of the custom resource definitions of Kubeflow Notebooks 1.11.
"""

import re

NOTEBOOK_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?")  # of its StatefulSet, with room
POD_FIELDS = {
    *("automountServiceAccountToken", "imagePullSecrets", "initContainers", "serviceAccountName"),
    *("tolerations", "volumes"),
}
CONTAINER_FIELDS = {"args", "command", "env", "envFrom", "volumeMounts"}
POD_DEFAULT_FIELDS = {
    *("annotations", "desc", "labels", "selector", "sidecars"),
    *POD_FIELDS,
    *CONTAINER_FIELDS,
}


def check_notebook(manifest: dict, check_pod) -> list[str]:
    """What is wrong with a Notebook; `check_pod` says what is wrong with a pod."""
    name, spec = manifest["metadata"]["name"], manifest.get("spec", {})
    problems = unknown("", manifest, {"apiVersion", "kind", "metadata", "spec"})
    problems += unknown("spec.", spec, {"template"})
    problems += unknown("spec.template.", spec.get("template", {}), {"spec"})
    if not NOTEBOOK_NAME.fullmatch(name):
        problems.append(f"metadata.name: {name}: 1 to 52 small letters, digits and hyphens")
    pod = spec.get("template", {}).get("spec", {})
    server = next(iter(pod.get("containers", [])), {})
    if server.get("name") != name:
        problems.append(f"spec.template.spec.containers.0.name: not {name}, as the Notebook")
    names = [one["name"] for one in server.get("env", [])]
    if "NB_PREFIX" in names:
        problems.append("spec.template.spec.containers.0.env: NB_PREFIX is the controller's")
    return problems + check_pod(make_pod(manifest["metadata"], pod))


def check_pod_default(manifest: dict, check_pod) -> list[str]:
    """What is wrong with a PodDefault; `check_pod` says what is wrong with a pod."""
    spec = manifest.get("spec", {})
    problems = unknown("", manifest, {"apiVersion", "kind", "metadata", "spec"})
    problems += unknown("spec.", spec, POD_DEFAULT_FIELDS)
    labels = spec.get("selector", {}).get("matchLabels")
    if not labels:
        problems.append("spec.selector.matchLabels: without it, the pods of everyone are changed")
    container = {"name": "any", "image": "any", **pick(spec, CONTAINER_FIELDS)}
    containers = [container, *spec.get("sidecars", [])]
    metadata = {"labels": {**(labels or {}), **spec.get("labels", {})}}
    metadata["annotations"] = spec.get("annotations", {})
    problems += check_pod(make_pod(metadata, {"containers": containers, **pick(spec, POD_FIELDS)}))
    volumes = {one["name"] for one in spec.get("volumes", [])}
    for mount in spec.get("volumeMounts", []):
        if mount.get("name") not in volumes:
            problems.append(f"spec.volumeMounts: no volume {mount.get('name')}")
    return problems


def make_pod(metadata: dict, spec: dict) -> dict:
    kept = {"name": "pod", **pick(metadata, {"annotations", "labels"})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": kept, "spec": spec}


def pick(found: dict, names: set[str]) -> dict:
    return {name: value for name, value in found.items() if name in names}


def unknown(path: str, found: dict, names: set[str]) -> list[str]:
    return [f"{path}{name}: no such field" for name in found if name not in names]
