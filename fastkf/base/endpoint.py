"""Where Kubeflow Pipelines answers, as kfp and Kale look for it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ENDPOINT_VARIABLE = "KF_PIPELINES_ENDPOINT"
KALE_CONFIG_VARIABLE = "KALE_CONFIG_PATH"
KALE_CONFIG = "~/.config/kale/kfp_server_config.json"
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
POD_ENDPOINT = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
POD_PAGES = "http://ml-pipeline-ui.kubeflow.svc.cluster.local"
HEALTH = "/apis/v2beta1/healthz"


def find_endpoint(environ: Mapping[str, str]) -> tuple[str | None, str]:
    """The address of Kubeflow Pipelines and what names it; None and "" when nothing does."""
    if endpoint := environ.get(ENDPOINT_VARIABLE):
        return complete_address(endpoint), ENDPOINT_VARIABLE
    settings = read_kale_config(environ)
    if isinstance(settings.get("host"), str):
        return complete_address(settings["host"]), str(kale_config(environ))
    if POD_NAMESPACE.exists():
        return POD_ENDPOINT, "this pod's cluster"
    return None, ""


def kale_config(environ: Mapping[str, str]) -> Path:
    """The file in which Kale keeps how it reaches Kubeflow Pipelines."""
    return Path(environ.get(KALE_CONFIG_VARIABLE) or KALE_CONFIG).expanduser()


def read_kale_config(environ: Mapping[str, str]) -> dict[str, Any]:
    """What is in it: host, auth_type, auth_config, namespace, ssl_ca_cert; {} when unreadable."""
    try:
        settings = json.loads(kale_config(environ).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}


def complete_address(address: str) -> str:
    """The address with its protocol, which for kfp is https unless it says otherwise."""
    address = address.strip().rstrip("/")
    return address if address.startswith("http") else f"https://{address}"
