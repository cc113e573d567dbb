"""Which servers can start a package: older ones know less of what its steps ask of Kubernetes."""

import re
from typing import Any

from fastkf.cluster.errors import ClusterError
from fastkf.cluster.target import Client
from fastkf.package.model import Package

# Kubeflow Pipelines 2.14 and 2.15 refuse a platform document with a field that they do not know;
# 2.5, the release before them, leaves it out.
STRICT, KNOWING = (2, 14), (2, 16)
FIELD = "securityContext"


def read_version(text: str) -> tuple[int, int] | None:
    """Major and minor number of a server's version; None of one that does not say."""
    found = re.match(r"v?(\d{1,4})\.(\d{1,4})(?!\d)", text)
    return (int(found[1]), int(found[2])) if found else None


def check_version(client: Client, package: Package) -> None:
    """Refuses a package that this server takes and then cannot start.

    Raises:
        ClusterError: it is of a version that does not know `securityContext`.
    """
    version = None if client.health.is_local else read_version(client.health.version)
    if version is None or not STRICT <= version < KNOWING or not sets_user(package):
        return
    least = ".".join(map(str, KNOWING))
    raise ClusterError(
        f"Kubeflow Pipelines {client.health.version} cannot start this package: it says as which "
        f"user its steps run ({FIELD}, which Kale adds), and servers know that from {least} on",
        f"have Kubeflow Pipelines {least} or newer installed there, or use another server; "
        "nothing was uploaded",
        host=client.connection.host,
    )


def sets_user(package: Package) -> bool:
    """Whether the platform document of a package says as which user its steps run."""
    settings: Any = package.platform or {}
    for key in ("platforms", "kubernetes", "deploymentSpec", "executors"):
        settings = settings.get(key) if isinstance(settings, dict) else None
    if not isinstance(settings, dict):
        return False
    return any(isinstance(one, dict) and FIELD in one for one in settings.values())
