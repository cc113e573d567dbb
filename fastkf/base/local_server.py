"""Where `fastkf server` keeps its files, how it says where it is, and how its clients find it.

A file may be left from a server that is gone, and on its port somebody else may listen. So a client
believes neither: `find` and `authorize` look whether the note is this user's own, whether the
process in it lives and is this user's, and whether what listens there knows the note's secret.
"""

import ipaddress
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from fastkf.base import files, proof
from fastkf.base.errors import FastkfError
from fastkf.base.identity import ProcessIdentity
from fastkf.base.tokens import read_token

VARIABLE = "FASTKF_SERVER"
FILE, TOKEN, LOCK = "server.json", "token", "server.lock"
PANEL_TOKEN = "panel-token"  # another one, for Kale's panel


class ForeignServerError(FastkfError):
    """What answers at an address is not this user's own server."""


class NoServerError(FastkfError):
    """A server that was meant is not there, or does not answer.

    Attributes:
        reason: why, in a few words.
    """

    def __init__(self, url: str, reason: str):
        super().__init__(f"{url}: no answer ({reason})", "start it: fastkf server")
        self.reason = reason


@dataclass(frozen=True)
class LocalServer:
    """A server that runs on this machine, as server.json in its folder tells it.

    Attributes:
        url: its address for programs on this machine.
        token_file: holds the bearer token that every request carries.
        pid: of its process.
        started: when that process started, as `ProcessIdentity` has it.
        secret: by which it proves that it is the one (`fastkf.base.proof`).
    """

    url: str
    token_file: Path
    pid: int
    started: float
    secret: str = field(repr=False)

    @property
    def process(self) -> ProcessIdentity:
        return ProcessIdentity(self.pid, self.started)


def default_folder() -> Path:
    """The data folder that the variable names, or one in the user's own data folder."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else files.user_folder("server")


def describe(url: str, folder: Path) -> LocalServer:
    """The server that this process is, with a new secret."""
    own = ProcessIdentity.of(os.getpid())
    return LocalServer(url, folder / TOKEN, own.pid, own.started, secrets.token_hex(32))


def write(folder: Path, server: LocalServer) -> None:
    """Says where a server is, for as long as it serves; see `remove`."""
    content = asdict(server) | {"token_file": str(server.token_file)}
    files.write_text(folder / FILE, json.dumps(content) + "\n", mode=0o600)


def remove(folder: Path) -> None:
    """Takes back what `write` has said."""
    (folder / FILE).unlink(missing_ok=True)


def read(folder: Path) -> LocalServer | None:
    """The server whose process works in a data folder; None when none does.

    Whether it is what answers at its address, `find` shows.

    Raises:
        FastkfError: the note is damaged, another user's, or open to others.
    """
    text = files.read_private(folder / FILE)
    if text is None:
        return None
    try:
        content = json.loads(text)
        server = LocalServer(
            str(content["url"]),
            Path(content["token_file"]),
            int(content["pid"]),
            float(content["started"]),
            str(content["secret"]),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise FastkfError(
            f"{folder / FILE}: does not say where the server is",
            "delete it, and start the server again",
        ) from error
    return server if server.process.is_own() else None


def is_taken(folder: Path) -> bool:
    """Whether a server works in a data folder, or starts to: it has the lock."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # no folder to work in
        return False
    lock.release()
    return False


def find(folder: Path) -> LocalServer | None:
    """The server that works in a data folder, after it has proven to be the one.

    None when there is none, or it does not answer (yet, or any more).

    Raises:
        ForeignServerError: another program answers at its address.
        FastkfError: the note is damaged, another user's, or open to others.
    """
    server = read(folder)
    if server is None:
        return None
    try:
        _check(server, server.url)
    except OSError:
        return None
    return server


def authorize(folder: Path, url: str) -> dict[str, str]:
    """The headers of a request to the server of a data folder, after it has proven to be the one.

    Args:
        url: where the request goes: an address of that server.

    Raises:
        NoServerError: there is no such server, or it does not answer.
        ForeignServerError: another program answers at the address.
        FastkfError: the note or the token is damaged, another user's, or open to others.
    """
    server = read(folder)
    if server is None:
        raise NoServerError(url, f"the server of {folder} does not run")
    try:
        _check(server, url)
    except OSError as error:
        raise NoServerError(url, error.strerror or str(error)) from error
    return {"authorization": f"Bearer {read_token(server.token_file)}"}


def find_folder(url: str, token_file: Path | None = None) -> Path | None:
    """The data folder of the server that is meant by an address or by its token; None for others.

    It need not run: whoever means it must not send its token to what answers in its place.

    Args:
        url: an address.
        token_file: the file that holds the token for it, where one is named.
    """
    if token_file is not None:
        folder = token_file.resolve().parent
        is_own = token_file.name in (TOKEN, PANEL_TOKEN) and (folder / LOCK).exists()
        return folder if is_own else None
    return default_folder() if _find_at(url) else None


def as_written(url: str) -> str:
    """The address of the server that runs in the default folder as it writes it; others unchanged.

    `localhost` may lead to another address than the server's, where anybody may listen.
    """
    server = _find_at(url)
    return server.url if server else url


def _find_at(url: str) -> LocalServer | None:
    """The server of the default folder, where that is what an address means.

    Raises:
        FastkfError: it may be, and the note is damaged, another user's, or open to others.
    """
    try:
        server = read(default_folder())
    except (FastkfError, OSError):
        if _is_of_this_machine(url):
            raise
        return None
    return server if server and _is_address_of(server, url) else None


def _is_of_this_machine(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address_of(server: LocalServer, url: str) -> bool:
    try:
        parts, own = urlsplit(url), urlsplit(server.url)
        place = (parts.scheme, parts.port, parts.path.rstrip("/"))
    except ValueError:  # no address at all, which whoever uses it will say
        return False
    return place == (own.scheme, own.port, "") and parts.hostname in ("localhost", own.hostname)


def _check(server: LocalServer, url: str) -> None:
    if not proof.is_proven(url, server.secret):
        raise ForeignServerError(
            f"{url}: another program answers there, not your fastkf server (process {server.pid})",
            "end that server and start it again; do not send anything to that address",
        )
