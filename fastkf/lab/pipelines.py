"""Which Kubeflow Pipelines the button of Kale's panel talks to."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fastkf.lab.pages import PATH

# Kale's and KFP's own variables.
ENDPOINT, PAGES = "KF_PIPELINES_ENDPOINT", "KF_PIPELINES_UI_ENDPOINT"
LINKS = ("KALE_RUN_LINK", "KALE_UPLOAD_LINK")
TOKEN, COOKIES = "KF_PIPELINES_TOKEN", "KF_PIPELINES_COOKIES"
TOKEN_FILE = "KF_PIPELINES_SA_TOKEN_PATH"
DEFAULT_TOKEN_FILE = "/var/run/secrets/kubeflow/pipelines/token"


@dataclass(frozen=True)
class Pipelines:
    """A Kubeflow Pipelines, as JupyterLab is told of it.

    Attributes:
        address: of its API.
        kale: the content of Kale's kfp_server_config.json.
        variables: environment variables of JupyterLab and its kernels; None takes one away.
        passed_on: the address of the pages that JupyterLab passes on, or "".
    """

    address: str
    kale: dict
    variables: dict[str, str | None]
    passed_on: str = ""


def local_pipelines(address: str, base_url: str, is_far: bool) -> Pipelines:
    """The server on this machine; a browser that is far away reads its pages through JupyterLab."""
    links = f"{base_url}{PATH}" if is_far else None
    variables = {ENDPOINT: address, PAGES: links, **dict.fromkeys(LINKS)}
    return Pipelines(address, {"host": address}, variables, passed_on=address)


def cluster_pipelines(address: str) -> Pipelines:
    """A Kubeflow, with the credentials that the environment has. They are named, not copied."""
    kale = {"host": address, **credentials(os.environ)}
    return Pipelines(address, kale, {ENDPOINT: address})


def credentials(variables: Mapping[str, str]) -> dict:
    """Kale's `auth_type` and `auth_config` for the credentials that there are."""
    token_file = variables.get(TOKEN_FILE, DEFAULT_TOKEN_FILE)
    if variables.get(TOKEN):
        return {"auth_type": "existing_bearer_token", "auth_config": {"env_var": TOKEN}}
    if variables.get(COOKIES):
        return {"auth_type": "dex", "auth_config": {"env_var": COOKIES}}
    if Path(token_file).is_file():
        config = {"token_path": token_file}
        return {"auth_type": "kubernetes_service_account_token", "auth_config": config}
    return {"auth_type": "none"}


def is_browser_far(base_url: str, variables: Mapping[str, str]) -> bool:
    """Whether the browser may be on another machine, where 127.0.0.1 is something else."""
    return base_url != "/" or bool({"SSH_CONNECTION", "CODESPACES"} & set(variables))
