"""The API of one Kubeflow Pipelines server: kfp's generated client, with time limits and words.

`kfp.Client` builds on the same generated client. It is not used itself: it has no time limits, it
follows redirects to login pages and takes them for empty answers, and it writes to the user's
~/.config/kfp.
"""

import json
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import kfp_server_api
import urllib3

from fastkf.base import endpoint
from fastkf.base.errors import first_line, shorten
from fastkf.cluster import errors
from fastkf.cluster.auth import Credentials
from fastkf.cluster.errors import NotKubeflowError, Response, SignInNeededError
from fastkf.cluster.form import find_misfit
from fastkf.cluster.tls import trust_at

SECONDS_TO_CONNECT, SECONDS_TO_ANSWER = 10, 60
LOCAL = "fastkf"  # how the version of fastkf's own server begins
PREFIX = "/pipeline"  # where the Kubeflow platform has the API and the pages of the pipelines


@dataclass(frozen=True)
class Health:
    """What a server says of itself.

    Attributes:
        version: of the API server, as far as it says.
        multi_user: whether pipelines and runs belong to namespaces of users.
        ready: False when only its pages are up, not the API.
        is_local: whether it is fastkf's own, whose steps see this machine's files.
    """

    version: str
    multi_user: bool
    ready: bool

    @property
    def is_local(self) -> bool:
        return self.version.startswith(LOCAL)


class Connection(kfp_server_api.ApiClient):
    """A client for kfp_server_api's services; whatever goes wrong is a ClusterError."""

    def __init__(self, host: str, credentials: Credentials, ca_file: Path | None = None):
        configuration = kfp_server_api.Configuration()
        configuration.host = host
        configuration.ssl_ca_cert = str(ca_file) if ca_file else None
        # No redirects: they lead to pages. No second try either: following has its own.
        configuration.retries = urllib3.Retry(0, redirect=0, raise_on_redirect=False)
        super().__init__(configuration)
        self.host, self.credentials = host, credentials
        timeout = httpx.Timeout(SECONDS_TO_ANSWER, connect=SECONDS_TO_CONNECT)
        verify = trust_at(host, ca_file)
        self.http = httpx.Client(timeout=timeout, verify=verify, trust_env=False)

    @property
    def pages(self) -> str:
        """The address of the pages, which know logs and metadata; mostly that of the API too."""
        return endpoint.POD_PAGES if self.host == endpoint.POD_ENDPOINT else self.host

    @property
    def root(self) -> str:
        """The address of the pages without the prefix of the pipelines."""
        parts = urlsplit(self.pages)
        return f"{parts.scheme}://{parts.netloc}"

    def call_api(self, *words, _request_timeout=None, **settings):
        limits = _request_timeout or (SECONDS_TO_CONNECT, SECONDS_TO_ANSWER)

        def call():
            with self._explaining():
                return super(Connection, self).call_api(*words, _request_timeout=limits, **settings)

        return self._as_who_may(call)

    def update_params_for_auth(self, headers, querys, auth_settings):
        headers.update(self.credentials.headers())

    def deserialize(self, response, response_type):
        body = _text(response.data)
        if found := errors.find_error(self.host, Response(response.status, body)):
            raise found
        try:
            if misfit := find_misfit(body, response_type):
                raise self._explain_form(misfit)
            return super().deserialize(response, response_type)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise self._explain_form(first_line(error)) from error

    def _explain_form(self, fault: str) -> NotKubeflowError:
        return NotKubeflowError(
            f"answers in another form than the API of Kubeflow Pipelines: {shorten(fault)}",
            "look what is at this address, and in which version",
            host=self.host,
        )

    def request_page(self, method: str, url: str, **settings) -> httpx.Response:
        """Any address of the same server, with the same credentials; the caller reads the answer.

        Raises:
            UnansweredError: there is none.
        """
        headers = {**settings.pop("headers", {}), **self.credentials.headers()}
        try:
            return self.http.request(method, url, headers=headers, **settings)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise errors.explain_silence(self.host, _reason(error)) from error

    def read_health(self) -> Health:
        """Asks the server how it is.

        Raises:
            ClusterError: it cannot be asked, or it is not Kubeflow Pipelines.
        """
        return self._as_who_may(self._ask_health_here)

    def _ask_health_here(self) -> Health:
        try:
            return self._ask_health(self.host)
        except errors.RejectedError as error:
            if error.status != 404:
                raise
            raise self._suggest_prefix(error) from error
        except NotKubeflowError as error:
            raise self._suggest_prefix(error) from error

    def _ask_health(self, host: str) -> Health:
        answer = self.request_page("GET", host + endpoint.HEALTH)
        location = answer.headers.get("location", "")
        if error := errors.find_error(host, Response(answer.status_code, answer.text, location)):
            raise error
        content = json.loads(answer.text)
        named = _as_api(content) if isinstance(content, dict) else {}
        is_ready = named.get("apiServerReady", True) is not False
        if is_ready and "multi_user" not in named:  # the pages alone know nothing of users
            raise NotKubeflowError("answers, but not as Kubeflow Pipelines does", host=host)
        return Health(
            version=str(named.get("tag_name") or "of an unknown version"),
            multi_user=bool(named.get("multi_user")),
            ready=is_ready,
        )

    def _suggest_prefix(self, error: errors.ClusterError) -> NotKubeflowError:
        """The error with where the API does answer, if it is at one of the usual places."""
        for place in (self.root, self.root + PREFIX):
            if place != self.host:
                try:
                    self._ask_health(place)
                except errors.ClusterError:
                    continue
                remedy = f"it does at {place}: use --host {place}"
                return NotKubeflowError(error.fault, remedy, host=error.host)
        return NotKubeflowError(
            error.fault,
            "give the address before /apis/v2beta1, on the Kubeflow platform with "
            f"{PREFIX}: --host {self.root}{PREFIX}",
            host=error.host,
        )

    def _as_who_may(self, call):
        """Calls; once more with new credentials when the server refuses the old ones."""
        try:
            return call()
        except SignInNeededError:
            if not self.credentials.renew():
                raise
            return call()

    @contextmanager
    def _explaining(self):
        try:
            yield
        except kfp_server_api.ApiException as error:
            if error.status == 0:  # of the client itself, which cannot read a date
                raise self._explain_form(str(error.reason)) from error
            if not error.status:
                raise errors.explain_silence(self.host, str(error.reason)) from error
            location = (error.headers or {}).get("Location", "")
            answer = Response(error.status, _text(error.body), location)
            found = errors.find_error(self.host, answer)
            refusal = errors.RejectedError(self.host, error.status, str(error.reason))
            raise found or refusal from error
        except urllib3.exceptions.HTTPError as error:
            raise errors.explain_silence(self.host, _reason(error)) from error
        except UnicodeDecodeError as error:  # the client decodes what `deserialize` gets
            raise self._explain_form("the answer is no text in UTF-8") from error


def _as_api(health: dict) -> dict:
    """What the pages' server says for the API, in the API's own names."""
    names = {"apiServerTagName": "tag_name", "apiServerMultiUser": "multi_user"}
    return {**health, **{names[name]: health[name] for name in names if name in health}}


def _text(body: bytes | str | None) -> str:
    return body if isinstance(body, str) else (body or b"").decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    """The innermost cause, in a few words."""
    while cause := (getattr(error, "reason", None) or error.__cause__ or error.__context__):
        if not isinstance(cause, Exception):
            break
        error = cause
    while error.args and isinstance(error.args[-1], Exception):  # as urllib3 keeps a lost one
        error = error.args[-1]
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}; name its CA: --ca-file"
    if isinstance(error, TimeoutError):
        return "it takes too long"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.rsplit(": ", 1)[-1]
