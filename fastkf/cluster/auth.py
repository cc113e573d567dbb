"""Who asks: how requests to Kubeflow Pipelines are authenticated, as kfp's client does it."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path

from fastkf.base import local_server
from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.tokens import is_token
from fastkf.cluster import dex, errors

TOKEN_VARIABLE = "KFP_EXISTING_TOKEN"  # what the command `kfp` reads for --existing-token
POD_TOKEN_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"
POD_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
USER_VARIABLE, PASSWORD_VARIABLE = "DEX_USERNAME", "DEX_PASSWORD"


class Credentials:
    """Nobody's: requests without credentials."""

    @property
    def name(self) -> str:
        """The kind of credentials, in words."""
        return "without credentials"

    def headers(self) -> dict[str, str]:
        """The headers that every request carries."""
        return {}

    def renew(self) -> bool:
        """Gets new credentials after the server has refused these; False when there are none."""
        return False


@dataclass
class VariableToken(Credentials):
    """A bearer token from the environment."""

    variable: str
    token: str

    @property
    def name(self) -> str:
        return f"with the token in {self.variable}"

    def headers(self) -> dict[str, str]:
        return bearer(self.token, self.variable)


@dataclass
class Cookie(Credentials):
    """The cookie of a session that someone else has begun."""

    text: str

    @property
    def name(self) -> str:
        return "with the session's cookie that Kale is told of"

    def headers(self) -> dict[str, str]:
        return {"cookie": self.text}


@dataclass
class FileToken(Credentials):
    """A bearer token in a file, which is read anew for every request: Kubernetes renews it."""

    path: Path

    @property
    def name(self) -> str:
        return f"with the token in {self.path}"

    def headers(self) -> dict[str, str]:
        return bearer(read_secret(self.path), str(self.path))


@dataclass
class LocalToken(Credentials):
    """The token of `fastkf server` on this machine, sent only to what has proven to be that server.

    It proves that before each request: it can end, and somebody else listen there, at any time.
    """

    folder: Path
    host: str

    @property
    def name(self) -> str:
        return f"with the token in {self.folder / local_server.TOKEN}"

    def headers(self) -> dict[str, str]:
        try:
            return local_server.authorize(self.folder, self.host)
        except local_server.NoServerError as error:
            raise errors.explain_silence(self.host, error.reason) from error


class DexSession(Credentials):
    """A session that Dex's login form gives for a user name and a password."""

    def __init__(self, host: str, user: str, password: str, ca_file: Path | None = None):
        self._user = user
        self._login = lambda: dex.login(host, user, password, ca_file)
        self._cookie = self._login()

    @property
    def name(self) -> str:
        return f"as {self._user}, through Dex"

    def headers(self) -> dict[str, str]:
        return {"cookie": self._cookie} if self._cookie else {}

    def renew(self) -> bool:
        self._cookie = self._login()
        return bool(self._cookie)


def choose(
    host: str,
    token_file: Path | None = None,
    user: str | None = None,
    ca_file: Path | None = None,
    kale: Mapping | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Credentials:
    """The credentials that the options and the environment name; the most explicit ones.

    Args:
        kale: the content of Kale's configuration, where that names the host.

    Raises:
        UsageError: two kinds are asked for, or a password is missing.
        FastkfError: Dex does not let the user in.
    """
    if token_file and user:
        raise UsageError("--token-file and --dex-user are both given", "give one of them")
    if token_file:
        credentials = _in_file(token_file, host)
        credentials.headers()
        return credentials
    if user:
        return DexSession(host, user, find_password(user, environ), ca_file)
    if token := environ.get(TOKEN_VARIABLE):
        return VariableToken(TOKEN_VARIABLE, token)
    if user := environ.get(USER_VARIABLE):
        return DexSession(host, user, find_password(user, environ), ca_file)
    return _as_kale(kale or {}, host, environ) or _of_place(host, environ)


def _in_file(path: Path, host: str) -> Credentials:
    folder = local_server.find_folder(host, path)
    return LocalToken(folder, host) if folder else FileToken(path)


def _as_kale(settings: Mapping, host: str, environ: Mapping[str, str]) -> Credentials | None:
    """What Kale's configuration says of credentials: where they are (kale/config, Kale 2.3)."""
    kind, where = settings.get("auth_type"), settings.get("auth_config") or {}
    variable, path = where.get("env_var"), where.get("token_path") or where.get("file_path")
    if kind in ("existing_bearer_token", "kubernetes_service_account_token"):
        if path:
            return _in_file(Path(path).expanduser(), host)
        if variable:
            return VariableToken(variable, environ.get(variable, ""))
    if kind == "dex":
        text = environ.get(variable, "") if variable else ""
        return Cookie(text or (read_secret(Path(path).expanduser()) if path else ""))
    return None


def _of_place(host: str, environ: Mapping[str, str]) -> Credentials:
    """What a pod's service account, or a server on this machine, has put ready."""
    if folder := local_server.find_folder(host):
        return LocalToken(folder, host)
    pod_token = Path(environ.get(POD_TOKEN_VARIABLE) or POD_TOKEN)
    if environ.get(POD_TOKEN_VARIABLE) or pod_token.exists():
        return FileToken(pod_token)
    return Credentials()


def find_password(user: str, environ: Mapping[str, str]) -> str:
    """The password in the environment, or what the user types.

    Raises:
        UsageError: there is neither.
    """
    if password := environ.get(PASSWORD_VARIABLE):
        return password
    if not sys.stdin.isatty():
        raise UsageError(f"no password of {user}", f"set {PASSWORD_VARIABLE}, or use a terminal")
    return getpass(f"Password of {user}: ")


def read_secret(path: Path) -> str:
    """The text of a file.

    Raises:
        FastkfError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise FastkfError(f"{path}: the token cannot be read ({reason})") from error


def bearer(token: str, where: str) -> dict[str, str]:
    """The header of a bearer token.

    Raises:
        FastkfError: there is no token, or one that no header can carry.
    """
    token = token.strip()
    if not is_token(token):
        raise FastkfError(
            f"{where}: holds no token", "a token is one line of letters, digits, dots and dashes"
        )
    return {"authorization": f"Bearer {token}"}
