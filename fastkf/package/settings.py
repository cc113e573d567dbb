"""What a package asks of Kubernetes that a run without one does not do."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastkf.package.model import Package

Table = Mapping[str, Any]
# Field of the platform's part of an executor to what it is, in words.
OF_EXECUTORS = {
    "secretAsEnv": "secrets as variables",
    "secretAsVolume": "secrets as files",
    "configMapAsEnv": "ConfigMaps as variables",
    "configMapAsVolume": "ConfigMaps as files",
    "pvcMount": "volumes",
    "genericEphemeralVolume": "volumes for the time of a step",
    "emptyDirMounts": "empty folders",
    "enabledSharedMemory": "shared memory",
    "nodeSelector": "node selectors",
    "nodeAffinity": "node affinity",
    "podAffinity": "pod affinity",
    "tolerations": "tolerations",
    "podMetadata": "labels and annotations of the pod",
    "imagePullSecret": "secrets of the registry",
    "imagePullPolicy": "image pull policy",
    "activeDeadlineSeconds": "time limit",
    "fieldPathAsEnv": "fields of the pod as variables",
    "securityContext": "security context",
}
OF_PIPELINES = {
    "pipelineTtl": "time to keep the run",
    "semaphoreKey": "semaphore",
    "mutexName": "mutex",
}
OF_RESOURCES = {"Cpu": "CPU", "Memory": "memory"}
NAMES = ("secretName", "configMapName", "constant", "volumeName", "mountPath", "name", "key")
MOST_NAMES = 4  # of steps that ask for the same
HONOURED = {"workspace"}


def list_settings(package: Package) -> dict[str, tuple[str, ...]]:
    """Executor to what it asks for; "" to what the pipeline itself does."""
    asked = _of_executors(package)
    found = {
        name: (
            *_describe(asked.get(name) or {}, OF_EXECUTORS),
            *_describe_resources((executor.get("container") or {}).get("resources") or {}),
        )
        for name, executor in package.executors.items()
    }
    found[""] = tuple(_describe(_kubernetes(package).get("pipelineConfig") or {}, OF_PIPELINES))
    return {name: settings for name, settings in found.items() if settings}


def list_not_root(package: Package) -> frozenset[str]:
    """The executors whose containers run as a user that is not root, whatever their images say."""
    return frozenset(
        name
        for name, asked in _of_executors(package).items()
        if (context := asked.get("securityContext"))
        and (context.get("runAsNonRoot") or str(context.get("runAsUser") or 0) != "0")
    )


def _kubernetes(package: Package) -> Table:
    return ((package.platform.get("platforms") or {}).get("kubernetes")) or {}


def _of_executors(package: Package) -> Table:
    return (_kubernetes(package).get("deploymentSpec") or {}).get("executors") or {}


def describe_settings(package: Package) -> tuple[str, ...]:
    """The same as sentences' parts: `train: secrets as variables (db), GPU`.

    Those that ask for the same are told together; all Kale steps have a security context.
    """
    asking: dict[tuple[str, ...], list[str]] = {}
    for name, settings in list_settings(package).items():
        asking.setdefault(settings, []).append(name.removeprefix("exec-") or "the pipeline")
    steps = len(package.executors)
    return tuple(
        f"{_name_steps(names, steps)}: {', '.join(settings)}" for settings, names in asking.items()
    )


def _name_steps(names: list[str], steps: int) -> str:
    if len(names) == steps > 1:
        return "every step"
    shown = names if len(names) <= MOST_NAMES else [*names[:MOST_NAMES], "others"]
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _describe(asked: Table, words: Table) -> Iterator[str]:
    for name, value in asked.items():
        if name in HONOURED:
            continue
        listed = value if isinstance(value, list) else []
        names = [text for one in listed if (text := _name(one))]
        yield words.get(name, name) + (f" ({', '.join(names)})" if names else "")


def _name(setting: Any) -> str:
    """What a secret, a volume or the like is called, where that is known before the run."""
    if not isinstance(setting, dict):
        return ""
    return next((str(setting[key]) for key in NAMES if isinstance(setting.get(key), str)), "")


def _describe_resources(resources: Table) -> Iterator[str]:
    accelerator = resources.get("accelerator") or {}
    for kind, word in OF_RESOURCES.items():
        for end, what in (("Limit", "limit"), ("Request", "request")):
            value = resources.get(f"resource{kind}{end}") or resources.get(f"{kind.lower()}{end}")
            if value:
                yield f"{word} {what} {value}"
    if accelerator:
        count = accelerator.get("resourceCount") or accelerator.get("count") or ""
        kind = accelerator.get("resourceType") or accelerator.get("type") or "accelerator"
        yield f"GPU or other accelerator ({count} {kind})".replace("( ", "(")
