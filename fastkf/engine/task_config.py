"""What a `dsl.TaskConfig` holds: what its task asks of Kubernetes, for the work it starts there.

As Kubeflow Pipelines' driver puts it together (backend/src/v2/driver/k8s.go). The names are those
of a pod's manifest.
"""

from collections.abc import Callable, Iterator
from typing import Any

from fastkf.engine.pipeline import Component
from fastkf.engine.placeholders import WORKSPACE
from fastkf.engine.references import Resolve, Table, find_name, list_references
from fastkf.package.given import CONFIG_MAP, SECRET

TASK_CONFIG = "TASK_CONFIG"
VARIABLES, VOLUMES = "ENV", "KUBERNETES_VOLUMES"
WORKSPACE_VOLUME = "kfp-workspace"
# Field of a container's resources in the IR, and in its older form: a number, in this unit.
RESOURCES = {
    ("limits", "cpu"): ("resourceCpuLimit", "cpuLimit", ""),
    ("limits", "memory"): ("resourceMemoryLimit", "memoryLimit", "G"),
    ("requests", "cpu"): ("resourceCpuRequest", "cpuRequest", ""),
    ("requests", "memory"): ("resourceMemoryRequest", "memoryRequest", "G"),
}


def reaches_task(component: Component, field: str) -> bool:
    """Whether a kind of setting is for the task's own pod, and not only for what it starts."""
    asked = [one for one in _passed_on(component) if one.get("field") == field]
    return not asked or any(one.get("applyToTask") for one in asked)


def describe_task_config(
    component: Component, resolve: Resolve, fill: Callable[[str], str], workspace: str | None
) -> dict[str, Any]:
    """The TaskConfig of a task, of those kinds that its component asks for.

    Args:
        fill: replaces the placeholders in a word.
        workspace: the claim that the workspace has, where the task uses it.
    """
    asked, container = component.kubernetes, component.container
    fields = {one.get("field") for one in _passed_on(component)}
    volumes = list(list_volumes(asked, resolve, workspace))
    made: dict[str, dict[str, Any]] = {
        "RESOURCES": {"resources": describe_resources(container.get("resources") or {}, fill)},
        VARIABLES: {"env": list(_list_variables(container, asked, resolve, fill))},
        VOLUMES: {
            "volumes": [volume for volume, _ in volumes],
            "volumeMounts": [mount for _, mount in volumes],
        },
        "KUBERNETES_NODE_SELECTOR": {
            "nodeSelector": _describe_selector(asked.get("nodeSelector") or {}, resolve)
        },
        "KUBERNETES_TOLERATIONS": {"tolerations": list(_list_tolerations(asked, resolve))},
        "KUBERNETES_AFFINITY": {"affinity": _describe_affinity(asked, resolve)},
    }
    found = [part for field, part in made.items() if field in fields]
    return {name: value for part in found for name, value in part.items() if value}


def _passed_on(component: Component) -> list[Table]:
    return list(component.spec.get("taskConfigPassthroughs") or ())


def describe_resources(asked: Table, fill: Callable[[str], str]) -> dict[str, dict[str, str]]:
    """The limits and requests of a container, as a pod's manifest has them."""
    found: dict[str, dict[str, str]] = {}
    for (group, name), (key, old, unit) in RESOURCES.items():
        value = fill(str(asked.get(key) or "")) or (f"{asked[old]}{unit}" if asked.get(old) else "")
        if value:
            found.setdefault(group, {})[name] = value
    accelerator = asked.get("accelerator") or {}
    kind = fill(str(accelerator.get("resourceType") or accelerator.get("type") or ""))
    count = fill(str(accelerator.get("resourceCount") or accelerator.get("count") or ""))
    if kind and count:
        found.setdefault("limits", {})[kind] = count
    return found


def _list_variables(
    container: Table, asked: Table, resolve: Resolve, fill: Callable[[str], str]
) -> Iterator[dict[str, Any]]:
    for variable in container.get("env") or ():
        yield {"name": variable["name"], "value": fill(str(variable.get("value", "")))}
    yield from list_references(asked, resolve)
    for one in asked.get("fieldPathAsEnv") or ():
        place = {"fieldRef": {"fieldPath": one.get("fieldPath", "")}}
        yield {"name": one.get("name", ""), "valueFrom": place}


def list_volumes(
    asked: Table, resolve: Resolve, workspace: str | None
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Volumes, each with its mount."""
    if workspace:
        yield (
            {"name": WORKSPACE_VOLUME, "persistentVolumeClaim": {"claimName": workspace}},
            {"name": WORKSPACE_VOLUME, "mountPath": WORKSPACE},
        )
    for one in asked.get("pvcMount") or ():
        name = resolve(one.get("pvcNameParameter") or one) or one.get("constant") or ""
        mount = {"name": name, "mountPath": one.get("mountPath", "")}
        mount |= {"subPath": one["subPath"]} if one.get("subPath") else {}
        yield {"name": name, "persistentVolumeClaim": {"claimName": name}}, mount
    for kind, key in ((SECRET, "secretName"), (CONFIG_MAP, "name")):
        for one in asked.get(kind.as_volume) or ():
            if name := find_name(one, kind, resolve):
                source = {key: name, "optional": bool(one.get("optional"))}
                mount = {"name": name, "mountPath": one.get("mountPath", "")}
                yield {"name": name, kind.field: source}, mount


def _describe_selector(asked: Table, resolve: Resolve) -> dict[str, Any]:
    given = asked.get("nodeSelectorJson")
    return dict((resolve(given) if given else asked.get("labels")) or {})


def _list_tolerations(asked: Table, resolve: Resolve) -> Iterator[dict[str, Any]]:
    for one in asked.get("tolerations") or ():
        if "tolerationJson" in one:
            given = resolve(one["tolerationJson"]) or []
            yield from given if isinstance(given, list) else [given]
            continue
        toleration = {key: one[key] for key in ("key", "operator", "value", "effect") if key in one}
        seconds = one.get("tolerationSeconds")
        yield toleration | ({} if seconds is None else {"tolerationSeconds": int(seconds)})


def _describe_affinity(asked: Table, resolve: Resolve) -> dict[str, Any]:
    required: list[Any] = []
    preferred: list[Any] = []
    for one in asked.get("nodeAffinity") or ():
        given = resolve(one["nodeAffinityJson"]) if "nodeAffinityJson" in one else None
        if isinstance(given, dict):
            hard = given.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
            required += hard.get("nodeSelectorTerms") or ()
            preferred += given.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        elif term := {key: one[key] for key in ("matchExpressions", "matchFields") if one.get(key)}:
            if "weight" in one:
                preferred.append({"weight": int(one["weight"]), "preference": term})
            else:
                required.append(term)
    node: dict[str, Any] = {}
    if required:
        node["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": required}
    if preferred:
        node["preferredDuringSchedulingIgnoredDuringExecution"] = preferred
    return {"nodeAffinity": node} if node else {}
