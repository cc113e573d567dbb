"""Which server: its address, who asks, and in which namespace."""

import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from fastkf.base import endpoint, local_server
from fastkf.base.errors import UsageError
from fastkf.cluster import auth
from fastkf.cluster.connection import Connection, Health
from fastkf.cluster.errors import ClusterError, NamespaceNeededError

PAGES_VARIABLE = "KF_PIPELINES_UI_ENDPOINT"  # as kfp: the address of the pages, for links
KFP_CONTEXT = "~/.config/kfp/context.json"  # what kfp.Client.set_user_namespace writes
PROFILES = "/api/workgroup/env-info"  # of Kubeflow's central dashboard


@dataclass(frozen=True)
class Endpoint:
    """What the user says of the server; None where it is to be found out."""

    host: str | None = None
    token_file: Path | None = None
    dex_user: str | None = None
    ca_file: Path | None = None
    namespace: str | None = None


@dataclass(frozen=True)
class Client:
    """A server that has answered.

    Attributes:
        namespace: for pipelines and runs; "" where the server has one user only.
    """

    server: Endpoint
    connection: Connection
    health: Health
    namespace: str

    def __str__(self) -> str:
        return f"Kubeflow Pipelines {self.health.version} at {self.connection.host}"

    def link(self, run_id: str) -> str:
        """The address of a run's page."""
        host = self.connection.host
        inside = endpoint.POD_ENDPOINT  # no browser reaches that: what is below Kubeflow's address
        pages = os.environ.get(PAGES_VARIABLE) or ("/pipeline" if host == inside else host)
        return f"{pages.rstrip('/')}/#/runs/details/{run_id}"

    def command(self, option: str, run_id: str) -> str:
        """The command that does something else with a run of this server."""
        options = {
            option: run_id,
            "--host": self.server.host and self.connection.host,
            "--token-file": self.server.token_file,
            "--dex-user": self.server.dex_user,
            "--ca-file": self.server.ca_file,
            "--namespace": self.server.namespace,
        }
        words = [str(word) for pair in options.items() if pair[1] for word in pair]
        return shlex.join(["fastkf", "submit", *words])


def find_host(host: str | None) -> tuple[str, str]:
    """The server's address and what names it.

    Raises:
        UsageError: nothing names one, or it is no address of a server.
    """
    named_by = "--host"
    if host is None:
        host, named_by = endpoint.find_endpoint(os.environ)
    if host is None:
        local = local_server.find(local_server.default_folder())
        without = (
            f"`fastkf server` runs here: --host {local.url}"
            if local
            else "Without a cluster, `fastkf server` starts one on this machine"
        )
        raise UsageError(
            "no Kubeflow Pipelines is named",
            f"give --host URL (or {endpoint.ENDPOINT_VARIABLE}). {without}; "
            "`fastkf run` needs none",
        )
    return local_server.as_written(clean_address(host, named_by)), named_by


def clean_address(host: str, named_by: str = "--host") -> str:
    """The address without what a browser's address bar adds.

    Raises:
        UsageError: it is no address of a server.
    """
    address = endpoint.complete_address(host.split("#")[0].split("?")[0])
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
        httpx.URL(address).host.encode("idna")  # what no DNS can be asked for is no host
    except (ValueError, httpx.InvalidURL):
        is_address = False
    if not is_address or any(character.isspace() for character in address):
        raise UsageError(
            f"{named_by} {host}: not an address", "give one like http://localhost:8080"
        )
    if parts.username or parts.password:
        raise UsageError(f"{named_by}: no user or password in an address", "use --dex-user")
    return address.replace("/_/pipeline", "/pipeline").removesuffix("/apis/v2beta1")


def connect(server: Endpoint) -> Client:
    """Reaches the server.

    Raises:
        UsageError: no address, no namespace, or options that do not fit together.
        ClusterError: the server does not answer as Kubeflow Pipelines, or does not let one in.
    """
    connection, namespace = open_connection(server)
    return check_connection(server, connection, namespace)


def open_connection(server: Endpoint) -> tuple[Connection, str]:
    """A connection over which nothing was asked yet, and the namespace that is named, or "".

    Raises:
        UsageError: no address, or options that do not fit together.
        FastkfError: no credentials; Dex does not let the user in.
    """
    host, named_by = find_host(server.host)
    by_kale = named_by == str(endpoint.kale_config(os.environ))
    kale = endpoint.read_kale_config(os.environ) if by_kale else {}
    certificates = server.ca_file or (kale.get("ssl_ca_cert") and Path(kale["ssl_ca_cert"])) or None
    credentials = auth.choose(host, server.token_file, server.dex_user, certificates, kale)
    connection = Connection(host, credentials, certificates)
    return connection, server.namespace or kale.get("namespace") or ""


def check_connection(server: Endpoint, connection: Connection, namespace: str) -> Client:
    """The client of a connection at whose other end is Kubeflow Pipelines.

    Args:
        namespace: the one that is named; "" where it is to be found out.

    Raises:
        NamespaceNeededError: the server has many users, and nothing says which namespace.
        ClusterError: the server does not answer as Kubeflow Pipelines, or does not let one in.
    """
    health = connection.read_health()
    if not health.ready:
        raise ClusterError(
            "its pages are up but not the API behind them",
            "wait for it: kubectl -n kubeflow rollout status deployment/ml-pipeline",
            host=connection.host,
        )
    return Client(server, connection, health, find_namespace(connection, health, namespace))


def find_namespace(connection: Connection, health: Health, named: str | None) -> str:
    """The namespace for pipelines and runs; "" where the server has one user only.

    Raises:
        NamespaceNeededError: the server has many users, and nothing says which namespace.
    """
    if not health.multi_user:
        return ""
    found = named or _read(endpoint.POD_NAMESPACE) or _context_namespace()
    if found:
        return found
    profiles = read_profiles(connection)
    if len(profiles) == 1:
        return profiles[0]
    known = f" (yours: {', '.join(profiles)})" if profiles else ""
    raise NamespaceNeededError(
        f"{connection.host}: has many users",
        f"name your profile's namespace: --namespace{known}",
    )


def read_profiles(connection: Connection) -> list[str]:
    """The namespaces that the user owns, as Kubeflow's dashboard knows them; [] without one."""
    try:
        answer = connection.request_page("GET", connection.root + PROFILES)
        listed = answer.json()["namespaces"]
        return [one["namespace"] for one in listed if one.get("role") == "owner"]
    except (ClusterError, ValueError, LookupError, TypeError, AttributeError):
        return []


def _context_namespace() -> str:
    try:
        context = json.loads(_read(Path(KFP_CONTEXT).expanduser()) or "{}")
        return str(context.get("namespace") or "")
    except (ValueError, AttributeError):
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
