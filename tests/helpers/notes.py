"""Stands in for `fastkf server` where only its note and its proof matter.

server = write_note(folder, proxy.url)
proxy.hinder("/fastkf/proof", prove(server))
"""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from faulty import send

from fastkf.base import local_server, proof
from fastkf.base.local_server import LocalServer
from fastkf.base.tokens import make_token


def write_note(folder: Path, url: str) -> LocalServer:
    """The note of a server at an address whose process is this one, and its token."""
    server = local_server.describe(url, folder)
    make_token(server.token_file)
    (folder / local_server.LOCK).touch()
    local_server.write(folder, server)
    return server


def compute_proof(handler, secret: str) -> str:
    """The proof that a request to a `BaseHTTPRequestHandler` asks for."""
    [nonce] = parse_qs(urlsplit(handler.path).query)[proof.PARAMETER]
    return proof.compute(secret, nonce, *handler.connection.getsockname()[:2])


def prove(server: LocalServer):
    """What a `faulty.Proxy` does to a request for the proof of a server."""
    return lambda handler, request: send(
        handler, 200, compute_proof(handler, server.secret).encode(), {}
    )
