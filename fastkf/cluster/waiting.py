"""Why a pod does not start, from what Kubernetes says of it and of what has happened to it."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastkf.base.errors import one_line, shorten

LONGEST = 400  # letters of Kubernetes' own words
NOT_PULLED = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError")
OUT_OF_MEMORY = "OOMKilled"
NOT_STARTED = ("StartError", "ContainerCannotRun", "ContainerStatusUnknown")
ON_THE_WAY = ("ContainerCreating", "PodInitializing")
BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*"(: )?(ErrImagePull: )?')
FAILED_TO_PULL = re.compile(r'^Failed to pull image "[^"]*": ')
PULLING = re.compile(r'^Pulling image "([^"]*)"')
HOW_TO_LOAD = (
    "push the image to where the cluster can pull it from, or load it into the cluster's nodes, "
    "or name another with --image"
)
NAME = r'"?(?P<name>[\w.-]+)"?'  # of an object of Kubernetes


@dataclass(frozen=True)
class Kind:
    """What a message of Kubernetes is about; {name} and the like are the groups of its pattern."""

    pattern: str
    said: str
    remedy: str


KINDS = (
    Kind(
        rf"secrets? {NAME} (is )?not found",
        "the Secret {name} is not there",
        "make it: kubectl -n {namespace} create secret generic {name} --from-literal=KEY=VALUE",
    ),
    Kind(
        rf"find key (?P<key>[\w.-]+) in Secret ([\w.-]+/)?{NAME}",
        "the Secret {name} has no key {key}",
        "add it: kubectl -n {namespace} edit secret {name}",
    ),
    Kind(
        rf"configmaps? {NAME} (is )?not found",
        "the ConfigMap {name} is not there",
        "make it: kubectl -n {namespace} create configmap {name} --from-literal=KEY=VALUE",
    ),
    Kind(
        rf"find key (?P<key>[\w.-]+) in ConfigMap ([\w.-]+/)?{NAME}",
        "the ConfigMap {name} has no key {key}",
        "add it: kubectl -n {namespace} edit configmap {name}",
    ),
    Kind(
        rf"persistentvolumeclaims? {NAME} (is )?not found",
        "the volume {name} is not there",
        "make its PersistentVolumeClaim in the namespace {namespace}",
    ),
    Kind(
        r"unbound (immediate )?PersistentVolumeClaims",
        "its volume cannot be had yet",
        "look which class and size it asks for: kubectl -n {namespace} get pvc",
    ),
    Kind(
        r"runAsNonRoot|non-numeric user|run as root",
        "its image wants a user that it may not have",
        "build the image with a user that is not root, by number (USER 1000 in its Dockerfile)",
    ),
    Kind(
        r"breaks non-root policy",
        "it asks to be root, which its pod may not be",
        "give the step a user other than 0 (runAsUser in its securityContext)",
    ),
    Kind(
        r"Insufficient |Too many pods",
        "no node has room for it",
        "lower what the step asks for (its limits and requests), or give the cluster more",
    ),
    Kind(
        r"nodes are available",
        "no node takes it",
        "look at what it asks of a node: kubectl -n {namespace} describe pod {pod}",
    ),
)


@dataclass(frozen=True)
class Wait:
    """Why something has not started.

    Attributes:
        is_trouble: whether somebody has to do something; else it takes its time.
    """

    text: str
    is_trouble: bool = True


def explain_pod(pod: Any, events: Any, namespace: str, name: str) -> Wait | None:
    """Why a pod has not started; None of one that has, or of which nothing is known.

    Args:
        pod: a Pod of Kubernetes.
        events: an EventList about it, or None.
    """
    names = {"namespace": shlex.quote(namespace), "pod": shlex.quote(name)}
    try:
        return _explain(pod.get("status") or {}, _sort((events or {}).get("items") or []), names)
    except (AttributeError, LookupError, TypeError, ValueError):
        return None  # in another form than Kubernetes'


def _explain(
    status: dict[str, Any], events: list[dict[str, Any]], names: dict[str, str]
) -> Wait | None:
    if status.get("phase") in ("Succeeded", "Running", "Failed"):
        return _explain_failure(status)
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return _explain_message("it is not put on a node", _said(condition), names)
    for container in _list_containers(status):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") and waiting["reason"] not in ON_THE_WAY:
            image = one_line(str(container.get("image") or ""))
            return _explain_container(image, waiting, events, names)
    return _explain_event(events[-1], names) if events else None


def explain_end(pod: Any) -> str | None:
    """Why a pod has ended that the step's own program has not ended; None where it has.

    Args:
        pod: a Pod of Kubernetes.
    """
    try:
        status = pod.get("status") or {}
        if wait := _explain_failure(status):
            return wait.text
        for container in _list_containers(status):
            ended = (container.get("state") or {}).get("terminated") or {}
            if ended.get("reason") == OUT_OF_MEMORY:
                return f"its memory ran out ({OUT_OF_MEMORY}); give the step a higher limit"
            if ended.get("reason") in NOT_STARTED:
                return f"its container did not run: {_quote(_said(ended))}"
    except (AttributeError, LookupError, TypeError, ValueError):
        pass  # in another form than Kubernetes'
    return None


def _explain_failure(status: dict[str, Any]) -> Wait | None:
    """Of a pod that Argo has ended itself, the message is Argo's and tells nothing new."""
    if status.get("phase") == "Failed" and status.get("reason") and status.get("message"):
        return Wait(f"its pod has failed: {_quote(_said(status))}")
    return None


def _list_containers(status: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind in ("initContainerStatuses", "containerStatuses"):
        yield from status.get(kind) or []


def _explain_container(
    image: str, waiting: dict[str, Any], events: list[dict[str, Any]], names: dict[str, str]
) -> Wait:
    reason, message = str(waiting["reason"]), str(waiting.get("message") or "")
    if reason in NOT_PULLED:
        cause = BACK_OFF.sub("", message) or _find_pull_error(events)
        because = f" ({_quote(cause)})" if cause else ""
        return Wait(f"its image {image} cannot be pulled{because}; {HOW_TO_LOAD}")
    if reason == "ErrImageNeverPull":
        return Wait(f"its image {image} is not on the node, and is never pulled; {HOW_TO_LOAD}")
    if reason == "InvalidImageName":
        return Wait(f"{image} is not the name of an image; name another with --image")
    return _explain_message("its container does not start", _said(waiting), names)


def _find_pull_error(events: list[dict[str, Any]]) -> str:
    told = [str(one.get("message") or "") for one in reversed(events)]
    return next((FAILED_TO_PULL.sub("", one) for one in told if FAILED_TO_PULL.match(one)), "")


def _explain_event(event: dict[str, Any], names: dict[str, str]) -> Wait | None:
    """The wait that the last event stands for: what was in the way before it is no more."""
    message = str(event.get("message") or "")
    if event.get("type") == "Warning":
        return _explain_message("its pod does not start", _said(event), names)
    if pulling := PULLING.match(message):
        return Wait(f"its image {pulling[1]} is being pulled", is_trouble=False)
    return None


def _explain_message(otherwise: str, message: str, names: dict[str, str]) -> Wait:
    for kind in KINDS:
        if found := re.search(kind.pattern, message, re.I):
            known = {**names, **found.groupdict()}
            said, remedy = kind.said.format(**known), kind.remedy.format(**known)
            return Wait(f"{said} ({_quote(message)}); {remedy}")
    return Wait(f"{otherwise}: {_quote(message)}")


def _said(told: dict[str, Any]) -> str:
    return ": ".join(str(told[key]) for key in ("reason", "message") if told.get(key))


def _quote(message: str) -> str:
    return shorten(one_line(message), LONGEST)


def _sort(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events, the last one last; those of one second stay as they are listed."""

    def moment(event: dict[str, Any]) -> str:
        series = event.get("series") or {}
        made = (event.get("metadata") or {}).get("creationTimestamp")
        times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
        return next((str(one) for one in (*times, made) if one), "")[:19]

    return sorted(events, key=moment)
