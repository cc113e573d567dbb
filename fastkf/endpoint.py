"""Where Kubeflow Pipelines answers, as kfp and Kale look for it."""

import json
from collections.abc import Mapping
from pathlib import Path

ENDPOINT_VARIABLE = "KF_PIPELINES_ENDPOINT"
KALE_CONFIG_VARIABLE = "KALE_CONFIG_PATH"
KALE_CONFIG = "~/.config/kale/kfp_server_config.json"
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
POD_ENDPOINT = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
HEALTH = "/apis/v2beta1/healthz"


def find_endpoint(environ: Mapping[str, str]) -> tuple[str | None, str]:
    """The address of Kubeflow Pipelines and what names it; None and "" when nothing does."""
    if endpoint := environ.get(ENDPOINT_VARIABLE):
        return complete_address(endpoint), ENDPOINT_VARIABLE
    config = Path(environ.get(KALE_CONFIG_VARIABLE) or KALE_CONFIG).expanduser()
    try:
        settings = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        settings = {}
    if isinstance(settings, dict) and isinstance(settings.get("host"), str):
        return complete_address(settings["host"]), str(config)
    if POD_NAMESPACE.exists():
        return POD_ENDPOINT, "this pod's cluster"
    return None, ""


def complete_address(address: str) -> str:
    """The address with its protocol, which for kfp is https unless it says otherwise."""
    address = address.strip().rstrip("/")
    return address if address.startswith("http") else f"https://{address}"
