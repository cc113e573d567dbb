"""Packages by their address (`package_url`), fetched as Kubeflow Pipelines 2.17 fetches them.

Whoever may make a pipeline could otherwise have this machine ask what only it reaches. So: https,
the hosts that Kubeflow Pipelines knows, no address of this machine or of its network, and what the
owner of the server has named beside them.
"""

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Collection
from urllib.parse import SplitResult, urljoin, urlsplit

from fastkf.base.errors import shorten
from fastkf.package.upload import LARGEST_PACKAGE
from fastkf.server.errors import invalid

HOSTS = ("storage.googleapis.com", "s3.amazonaws.com", "github.com", "raw.githubusercontent.com")
PORTS = {"https": 443, "http": 80}
SECONDS = 30
MOST_REDIRECTS = 5
CHUNK = 2**16


def fetch_package(url: str, named: Collection[str]) -> bytes:
    """The file at an address.

    Args:
        named: origins (`https://git.example.org:8443`) that the server's owner trusts, wherever
            they are.

    Raises:
        ApiError: it may not be fetched, is not there, or is too large.
    """
    deadline = time.monotonic() + SECONDS
    for _ in range(MOST_REDIRECTS + 1):
        answer = _ask(url, named, deadline)
        if isinstance(answer, bytes):
            return answer
        url = urljoin(url, answer)
    raise invalid(f"package_url: more than {MOST_REDIRECTS} redirects")


def read_origin(text: str) -> str | None:
    """The scheme, host and port of an address in one spelling; None where it is no such address."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in PORTS or not parts.hostname or parts.username is not None:
        return None
    host = parts.hostname.rstrip(".").lower()
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}:{port or PORTS[parts.scheme]}"


def _ask(url: str, named: Collection[str], deadline: float) -> bytes | str:
    """What is there, or where it has gone."""
    origin = read_origin(url)
    is_named = origin is not None and origin in named
    if origin is None or not (is_named or origin in {f"https://{host}:443" for host in HOSTS}):
        raise invalid(
            f"package_url: {shorten(url)} is not fetched. This server fetches packages by https "
            f"from {', '.join(HOSTS)}, and from what `fastkf server --package-from` names. Upload "
            "the package, or send it as pipeline_spec"
        )
    try:
        return _get(urlsplit(url), origin, is_named, deadline)
    except (OSError, http.client.HTTPException, ValueError) as error:
        said = str(error) or type(error).__name__
        raise invalid(f"package_url: {shorten(url)} cannot be fetched ({shorten(said)})") from error


def _get(parts: SplitResult, origin: str, is_named: bool, deadline: float) -> bytes | str:
    target = urlsplit(origin)
    host, port = str(target.hostname), int(target.port or 0)
    # It is connected to the address that was looked at: a second look-up might give another.
    address = _find_address(host, port, is_named)
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    with socket.create_connection((address, port), timeout=_left(deadline)) as plain:
        wire = plain
        if parts.scheme == "https":
            wire = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        connection.sock = wire
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"Accept-Encoding": "identity"})
        answer = connection.getresponse()
        if 300 <= answer.status < 400 and (place := answer.headers.get("Location")):
            return place
        if answer.status != 200:
            raise OSError(f"the server answered {answer.status} {answer.reason}")
        return _read(answer, wire, deadline)


def _read(answer: http.client.HTTPResponse, sock: socket.socket, deadline: float) -> bytes:
    content = b""
    while True:
        sock.settimeout(_left(deadline))
        chunk = answer.read1(CHUNK)
        if not chunk:
            return content
        content += chunk
        if len(content) > LARGEST_PACKAGE:
            raise OSError(f"it is larger than {LARGEST_PACKAGE // 2**20} MB")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError(f"it took longer than {SECONDS} s")
    return left


def _find_address(host: str, port: int, is_named: bool) -> str:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(one[4][0]) for one in found]
    for address in addresses:
        place = ipaddress.ip_address(address.split("%")[0])
        mapped = getattr(place, "ipv4_mapped", None) or place
        if not (is_named or (mapped.is_global and not mapped.is_multicast)):
            raise OSError(f"{host} is at {address}, an address of a private network")
    return addresses[0]
