"""Which servers to trust over https."""

import functools
import ssl
from pathlib import Path

import httpx

from fastkf.base.errors import UsageError


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """What httpx takes as `verify`: the certificates of the file, or the well-known ones.

    Raises:
        UsageError: the file has no certificates.
    """
    if ca_file is None:
        return _trust_the_well_known()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        reason = error.strerror or "it is no PEM file"
        raise UsageError(f"{ca_file}: no certificates can be read from it ({reason})") from error


def trust_at(address: str, ca_file: Path | None = None) -> ssl.SSLContext:
    """The same for requests to this address alone, which over http need no certificates."""
    if ca_file is None and address.startswith("http://"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it trusts nobody
    return trust(ca_file)


@functools.cache
def _trust_the_well_known() -> ssl.SSLContext:
    """Reading more than a hundred of them takes 20 ms."""
    return httpx.create_ssl_context(trust_env=False)
