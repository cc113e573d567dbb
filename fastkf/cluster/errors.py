"""What a server's answer means when it is not the one that was asked for."""

import json
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastkf.base.errors import FastkfError, UsageError, first_line, shorten

NOT_UP = (502, 503, 504)
SIGN_IN = re.compile(r"/(dex|oauth2|authservice|login|signin|sign_in|auth)\b", re.I)
SIGN_IN_PAGE = re.compile(r"<form[^>]*>.*(password|sign in|log in)", re.I | re.S)
DENIED = re.compile(r"PermissionDenied|not authorized to|Unauthorized access", re.I)
HOW_TO_SIGN_IN = (
    "give a token (--token-file, or the variable KFP_EXISTING_TOKEN), a new one where it has "
    "expired, or where Kubeflow signs people in with Dex --dex-user (the password: DEX_PASSWORD, "
    "or asked for)"
)


class ClusterError(FastkfError):
    """A server that does not do what it was asked.

    Attributes:
        host: the server's address; "" where the problem is not of one server.
        fault: the problem without that address.
    """

    def __init__(self, fault: str, remedy: str | None = None, *, host: str = ""):
        super().__init__(f"{host}: {fault}" if host else fault, remedy)
        self.host, self.fault = host, fault


class UnansweredError(ClusterError):
    """No answer, or a gateway's that its server is not up: worth another try."""


class SignInNeededError(ClusterError):
    """The server does not know who asks: no credentials, or wrong or expired ones."""


class ForbiddenError(ClusterError):
    """The server knows who asks, and does not allow it."""


class RedirectError(ClusterError):
    """The server sends the client to another address."""


class NotKubeflowError(ClusterError):
    """Something answers, but not the API of Kubeflow Pipelines."""


class NotOfferedError(ClusterError):
    """Not every server has what was asked for, and this one has not."""


class NamespaceNeededError(UsageError):
    """The server has many users, and nothing says in which namespace to work."""


class RejectedError(ClusterError):
    """The API's own refusal.

    Attributes:
        status: the HTTP status.
        reason: the first line of what the server says.
    """

    def __init__(self, host: str, status: int, reason: str):
        super().__init__(f"the server rejects it ({status}): {reason}", host=host)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Response:
    """An HTTP answer, as far as its kind can be told from it."""

    status: int
    body: str = ""
    location: str = ""


def find_error(host: str, answer: Response) -> ClusterError | None:
    """The error that an answer stands for; None for an answer of the API that is fine."""
    message = read_message(answer.body)
    if 300 <= answer.status < 400:
        return _explain_redirect(host, answer.location)
    if answer.status == 401:
        said = message or _read_words(answer.body)
        said = f": {said}" if said else ""
        return SignInNeededError(
            f"does not know who you are (401{said})", HOW_TO_SIGN_IN, host=host
        )
    # An upload without the right to it is answered with 400, and says so in words only.
    if answer.status == 403 or (answer.status == 400 and DENIED.search(answer.body)):
        return _explain_refusal(host, answer, message)
    if answer.status in NOT_UP:
        fault = f"the gateway answers {answer.status}: Kubeflow Pipelines is not up behind it"
        return UnansweredError(fault, host=host)
    if answer.status >= 400 and message is not None:
        return RejectedError(host, answer.status, message)
    if answer.status >= 500:
        fault = f"answers {answer.status} ({shorten(first_line(answer.body)) or '-'})"
        return UnansweredError(fault, host=host)
    if answer.status >= 400 or not _is_json(answer.body):
        return _explain_page(host, answer)
    return None


def read_message(body: str) -> str | None:
    """What an error of the API says, in one line; None when it is no error of the API.

    The shapes: google.rpc.Status as grpc-gateway writes it, the upload endpoints' own, FastAPI's.
    """
    try:
        error = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(error, dict):
        return None
    names = ("error_message", "message", "error", "detail", "error_details")
    texts = (error.get(name) for name in names)
    text = next((text for text in texts if isinstance(text, str) and text), None)
    return shorten(first_line(text)) if text else None


def explain_silence(host: str, reason: str) -> UnansweredError:
    """The error for a host that cannot be reached, or that does not answer in time."""
    return UnansweredError(
        f"no answer ({reason})",
        "check the address and that the server is up: on a cluster the port is forwarded (kubectl "
        "port-forward -n kubeflow svc/ml-pipeline-ui 8080:80), on this machine `fastkf server` "
        "starts one",
        host=host,
    )


def _explain_redirect(host: str, location: str) -> ClusterError:
    try:
        here, there = urlsplit(host), urlsplit(location)
    except ValueError:  # brackets that are no IPv6 address
        return RedirectError(f"sends you elsewhere ({location})", host=host)
    if SIGN_IN.search(there.path):
        fault = f"sends you to sign in ({there.path})"
        return SignInNeededError(fault, HOW_TO_SIGN_IN, host=host)
    if here.scheme == "http" and there.scheme == "https":
        remedy = f"use --host https{host[4:]}"
        return RedirectError("answers over https only", remedy, host=host)
    where = location or "it does not say where"
    return RedirectError(f"sends you elsewhere ({where})", host=host)


def _explain_refusal(host: str, answer: Response, message: str | None) -> ClusterError:
    if message is None and SIGN_IN_PAGE.search(answer.body):
        return SignInNeededError("shows a page to sign in (403)", HOW_TO_SIGN_IN, host=host)
    said = message or shorten(first_line(answer.body)) or "no reason given"
    return ForbiddenError(
        f"forbids it ({answer.status}: {said})",
        "name a namespace that is yours (--namespace), or ask who runs this Kubeflow for the role "
        "kubeflow-edit in it",
        host=host,
    )


def _explain_page(host: str, answer: Response) -> ClusterError:
    if SIGN_IN_PAGE.search(answer.body):
        return SignInNeededError("shows a page to sign in", HOW_TO_SIGN_IN, host=host)
    is_page = "<html" in answer.body.lower()
    kind = "with a web page" if is_page else f"{answer.status} to the path of the API"
    fault = f"answers {kind}, not as the API of Kubeflow Pipelines does"
    return NotKubeflowError(fault, host=host)


def _read_words(body: str) -> str:
    """The first line of a text that is neither JSON nor a page, as gateways answer."""
    is_text = body.lstrip()[:1] not in ("<", "{", "[")
    return shorten(first_line(body)) if is_text else ""


def _is_json(body: str) -> bool:
    try:
        return isinstance(json.loads(body), dict | list)
    except (ValueError, RecursionError):
        return False
