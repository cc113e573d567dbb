"""Which servers to trust over https."""

import ssl
from pathlib import Path

from fastkf.base.errors import UsageError


def trust(ca_file: Path | None) -> ssl.SSLContext | bool:
    """What httpx takes as `verify`: the certificates of the file, or the well-known ones.

    Raises:
        UsageError: the file has no certificates.
    """
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        reason = error.strerror or "it is no PEM file"
        raise UsageError(f"{ca_file}: no certificates can be read from it ({reason})") from error
