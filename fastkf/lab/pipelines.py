"""Which Kubeflow Pipelines the button of Kale's panel talks to."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from fastkf.base.endpoint import ENDPOINT_VARIABLE, POD_ENDPOINT
from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.local_server import PANEL_TOKEN, TOKEN, LocalServer
from fastkf.base.tokens import read_token
from fastkf.cluster import auth
from fastkf.cluster.connection import PREFIX
from fastkf.cluster.target import PAGES_VARIABLE, Endpoint, check_connection, open_connection
from fastkf.lab.proxy import PATH

TOKEN_VARIABLE = "KF_PIPELINES_TOKEN"  # where Kale looks for a bearer token when told of no place
KALE_LINKS = ("KALE_RUN_LINK", "KALE_UPLOAD_LINK")
REMOTE_VARIABLES = {"SSH_CONNECTION", "CODESPACES"}
ADDRESS_OPTIONS = ("--ip", "--ServerApp.ip")


@dataclass(frozen=True)
class Pipelines:
    """A Kubeflow Pipelines, as JupyterLab is told of it.

    Attributes:
        address: of its API.
        kale: the content of Kale's kfp_server_config.json.
        variables: environment variables of JupyterLab and its kernels; None takes one away.
        pages: what JupyterLab's extension passes on (`fastkf.lab.proxy`); {} for nothing.
        warning: why it cannot be used now, or "".
    """

    address: str
    kale: dict
    variables: dict[str, str | None]
    pages: dict[str, str] = field(default_factory=dict)
    warning: str = ""


def local_pipelines(local: LocalServer, port: int, base_url: str, is_far: bool) -> Pipelines:
    """The server on this machine.

    Its pages are shown through JupyterLab, whose cookie the browser has.

    Args:
        port: JupyterLab's.
        base_url: JupyterLab's.
        is_far: whether the browser may be elsewhere, and know JupyterLab by another address.
    """
    of_panel = auth.FileToken(local.token_file.with_name(PANEL_TOKEN))
    return Pipelines(
        address=local.url,
        kale={"host": local.url, **describe(of_panel)},
        variables={
            ENDPOINT_VARIABLE: local.url,
            TOKEN_VARIABLE: read_token(local.token_file),
            PAGES_VARIABLE: f"{base_url if is_far else find_address(port, base_url)}{PATH}",
            **dict.fromkeys(KALE_LINKS),
        },
        pages={"address": local.url, "folder": str(local.token_file.parent)},
    )


def find_address(port: int, base_url: str) -> str:
    """JupyterLab's address for a browser on this machine."""
    return f"http://127.0.0.1:{port}{base_url}"


def cluster_pipelines(server: Endpoint, private: Path, base_url: str) -> Pipelines:
    """A Kubeflow, with the credentials that `fastkf submit` would use.

    Raises:
        UsageError: no address, or no namespace.
        FastkfError: no credentials.
    """
    connection, namespace = open_connection(server)
    host, warning = connection.host, ""
    try:
        namespace = check_connection(server, connection, namespace).namespace
    except UsageError:
        raise
    except FastkfError as error:
        warning = str(error)
    kale = {
        "host": host,
        "namespace": namespace,
        "ssl_ca_cert": str(server.ca_file.resolve()) if server.ca_file else None,
        **describe(connection.credentials, private),
    }
    # kfp takes the token of a pod for an address that it finds by itself, not for a named one.
    variables: dict[str, str | None] = {}
    if host != POD_ENDPOINT:
        variables[ENDPOINT_VARIABLE] = host
    if base_url != "/" and is_inside(host) and PAGES_VARIABLE not in os.environ:
        variables[PAGES_VARIABLE] = PREFIX  # the gateway of the cluster has the pages there
    return Pipelines(host, {k: v for k, v in kale.items() if v}, variables, warning=warning)


def describe(who: auth.Credentials, private: Path | None = None) -> dict:
    """Kale's `auth_type` and `auth_config`: they say where credentials are, not what they are."""
    if isinstance(who, auth.VariableToken):
        config = {"env_var": who.variable}
        return {"auth_type": "existing_bearer_token", "auth_config": config}
    if isinstance(who, auth.LocalToken):
        who = auth.FileToken(who.folder / TOKEN)
    if isinstance(who, auth.FileToken):
        # Not resolved: in a pod the file is a link, to another place each time it is renewed.
        config = {"file_path": str(who.path.absolute())}
        return {"auth_type": "existing_bearer_token", "auth_config": config}
    if private and (cookie := who.headers().get("cookie")):
        file = private / "cookies"
        file.write_text(cookie, encoding="utf-8")
        return {"auth_type": "dex", "auth_config": {"file_path": str(file)}}
    return {"auth_type": "none"}


def is_browser_far(
    base_url: str, jupyter_options: Iterable[str], variables: Mapping[str, str]
) -> bool:
    """Whether the browser may be on another machine, where 127.0.0.1 is something else."""
    listens_elsewhere = any(word.startswith(ADDRESS_OPTIONS) for word in jupyter_options)
    return base_url != "/" or listens_elsewhere or bool(REMOTE_VARIABLES & set(variables))


def is_inside(host: str) -> bool:
    """Whether an address is of a cluster's own network, where browsers are not."""
    name = urlsplit(host).hostname or ""
    return ".svc" in name or "." not in name and name != "localhost"
