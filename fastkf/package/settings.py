"""What a package asks of Kubernetes that a run without one does not do."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from fastkf.package.model import Package
from fastkf.package.quantities import read_quantity

Table = Mapping[str, Any]
FROM_INPUT = re.compile(r"\{\{\$\.inputs\.parameters\['(?:pipelinechannel--)?(.*)'\]\}\}")
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
    "resourceClaims": "claims of devices",
}
OF_PIPELINES = {
    "pipelineTtl": "time to keep the run",
    "resourceTtlOnCompletion": "time to keep the pods of a run that has ended",
    "resourceTtlOnSuccess": "time to keep the pods of a run that has succeeded",
    "resourceTtlOnFailure": "time to keep the pods of a run that has failed",
    "activeDeadlineSeconds": "time limit",
    "pipelineRunParallelism": "limit of steps at a time",
    "maxActiveRuns": "limit of runs at a time",
    "pipelineVersionConcurrencyLimit": "limit of runs of a version at a time",
    "semaphoreKey": "semaphore",
    "mutexName": "mutex",
}
TIME_LIMIT = "activeDeadlineSeconds"
# In `done`, beside fields of the platform's part: limits of the container itself.
MEMORY_LIMIT, CPU_LIMIT, WHOLE_CPU_LIMIT = "memoryLimit", "cpuLimit", "wholeCpuLimit"
OF_RESOURCES = {"Cpu": "CPU", "Memory": "memory"}
NAMES = ("secretName", "configMapName", "constant", "volumeName", "mountPath", "name", "key")
MOST_NAMES = 4  # of steps that ask for the same
HONOURED = {"workspace"}
DEBUG_PAUSE = "ARGO_DEBUG_PAUSE_"  # how names of variables begin by which a pod pauses


def list_settings(package: Package, done: Collection[str] = ()) -> dict[str, tuple[str, ...]]:
    """Executor to what it asks for; "" to what the pipeline itself does.

    Args:
        done: fields of the platform's part of an executor that this run honours, and limits.
    """
    asked = {
        name: {key: value for key, value in one.items() if key not in done}
        for name, one in for_executors(package).items()
    }
    found = {
        name: (
            *sorted(_describe(asked.get(name) or {}, OF_EXECUTORS)),
            *_describe_sizes(for_executors(package).get(name) or {}, done),
            *_describe_container(executor.get("container") or {}, done),
        )
        for name, executor in sorted(package.executors.items())  # as read, in no order
    }
    of_pipeline = _kubernetes(package).get("pipelineConfig") or {}
    found[""] = tuple(sorted(_describe(of_pipeline, OF_PIPELINES)))
    return {name: settings for name, settings in found.items() if settings}


def list_not_root(package: Package) -> frozenset[str]:
    """The executors whose containers run as a user that is not root, whatever their images say."""
    return frozenset(
        name
        for name, asked in for_executors(package).items()
        if (context := asked.get("securityContext"))
        and (context.get("runAsNonRoot") or str(context.get("runAsUser") or 0) != "0")
    )


def words_of(container: Table) -> list[str]:
    """A container's command and arguments, as the package has them."""
    return [str(one) for one in (*(container.get("command") or ()), *(container.get("args") or ()))]


def for_executors(package: Package) -> Mapping[str, Table]:
    """Executor to its settings for Kubernetes, as the PlatformSpec has them."""
    return (_kubernetes(package).get("deploymentSpec") or {}).get("executors") or {}


def _kubernetes(package: Package) -> Table:
    return ((package.platform.get("platforms") or {}).get("kubernetes")) or {}


def describe_settings(package: Package, done: Collection[str] = ()) -> tuple[str, ...]:
    """The same as sentences' parts: `train: secrets as variables (db), GPU`.

    Those that ask for the same are told together; all Kale steps have a security context.
    """
    asking: dict[tuple[str, ...], list[str]] = {}
    for name, settings in list_settings(package, done).items():
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


def _describe_sizes(asked: Table, done: Collection[str]) -> Iterator[str]:
    """What of folders that are made here is not kept to."""
    limited = [one for one in asked.get("emptyDirMounts") or () if one.get("sizeLimit")]
    if limited and "emptyDirMounts" in done:
        yield f"size of empty folders ({', '.join(map(_name, limited))})"


def _name(setting: Any) -> str:
    """What a secret, a volume or the like is called, where that is known before the run."""
    if not isinstance(setting, dict):
        return ""
    return next((str(setting[key]) for key in NAMES if isinstance(setting.get(key), str)), "")


def _describe_container(container: Table, done: Collection[str]) -> Iterator[str]:
    yield from _describe_resources(container.get("resources") or {}, done)
    if any(str(one.get("name")).startswith(DEBUG_PAUSE) for one in container.get("env") or ()):
        yield "pause for debugging"


def _describe_resources(resources: Table, done: Collection[str]) -> Iterator[str]:
    accelerator = resources.get("accelerator") or {}
    for kind, word in OF_RESOURCES.items():
        for end, what in (("Limit", "limit"), ("Request", "request")):
            value = resources.get(f"resource{kind}{end}") or resources.get(f"{kind.lower()}{end}")
            if value and not _is_held(f"{kind.lower()}{end}", value, done):
                yield f"{word} {what} {_show(value)}"
    if accelerator:
        count = accelerator.get("resourceCount") or accelerator.get("count") or ""
        kind = accelerator.get("resourceType") or accelerator.get("type") or "accelerator"
        yield f"GPU or other accelerator ({_show(count)} {_show(kind)})".replace("( ", "(")


def _is_held(name: str, value: Any, done: Collection[str]) -> bool:
    if name != CPU_LIMIT or name in done or WHOLE_CPU_LIMIT not in done:
        return name in done
    # Of what only an input says, the step's log tells, should it not be whole.
    return FROM_INPUT.fullmatch(str(value)) is not None or _is_whole(value)


def _is_whole(value: Any) -> bool:
    try:
        return read_quantity(str(value)).is_integer()
    except ValueError:  # the step itself says so
        return True


def _show(value: Any) -> str:
    """A value, or the input or the task's output that it is to come from while it runs."""
    found = FROM_INPUT.fullmatch(str(value))
    return f"from {found[1]}" if found else str(value)
