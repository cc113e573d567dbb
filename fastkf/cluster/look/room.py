"""Has the cluster room: processors that nobody has asked for, and a class of volumes?"""

import re
from collections import defaultdict
from typing import Any

from fastkf.cluster.look.kubectl import Kubectl, NotSeenError

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
QUANTITY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(m?)")


def find_free_processors(cluster: Kubectl) -> float | None:
    """The processors of the node that has most left; None where that is not told."""
    try:
        nodes = cluster.list_items("get", "nodes")
        pods = cluster.list_items("get", "pods", "--all-namespaces")
        left = {one["metadata"]["name"]: read_processors(one["status"]["allocatable"]["cpu"])
                for one in nodes}  # fmt: skip
        asked: dict[str, float] = defaultdict(float)
        for pod in pods:
            if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
                asked[pod["spec"].get("nodeName", "")] += add_requests(pod["spec"])
        return max((free - asked[node] for node, free in left.items()), default=None)
    except (NotSeenError, LookupError, TypeError, AttributeError, ValueError):
        return None


def add_requests(spec: dict[str, Any]) -> float:
    """The processors that a pod asks for, without what its start alone takes."""
    requests = [
        ((one.get("resources") or {}).get("requests") or {}).get("cpu", "0")
        for one in spec.get("containers") or []
    ]
    return sum(map(read_processors, requests))


def read_processors(text: str) -> float:
    """A quantity of Kubernetes, such as 250m or 2, in processors.

    Raises:
        ValueError: it is none.
    """
    found = QUANTITY.fullmatch(str(text))
    if not found:
        raise ValueError(f"{text}: no number of processors")
    return float(found[1]) / (1000 if found[2] else 1)


def has_volumes(cluster: Kubectl) -> bool | None:
    """Whether a claim that names no class gets a volume; None where that is not told."""
    try:
        classes = cluster.list_items("get", "storageclasses")
        marks = [(one["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) for one in classes]
    except (NotSeenError, LookupError, TypeError, AttributeError):
        return None
    return "true" in marks


def list_entries(cluster: Kubectl, namespace: str, secret: str) -> list[str] | None:
    """The names of a Secret's entries, [] when there is no such Secret, None when it is not told.

    The values are never asked for.
    """
    template = "go-template={{range $name, $value := .data}}{{$name}} {{end}}"
    try:
        return cluster.ask("-n", namespace, "get", "secret", secret, "-o", template).split()
    except NotSeenError as error:
        return [] if error.is_missing else None
