"""Who may ask a server of this machine: a middleware before everything else, for any ASGI server.

What such a server is sent is run, or answered, as this user. So a request is answered only when

- it carries the token, as a bearer token (RFC 6750), or the cookie that a browser has got for it.
  Nothing else says who asks: on one machine every user reaches the loopback addresses, and the
  kernel's list of connections may tell of another one than that which is being answered;
- no web page of another origin has made it (Origin, Sec-Fetch-Site);
- it is addressed to this machine by a name that no foreign DNS server can give it (Host). A server
  that was told to listen to the network has names that it does not know: there the token is enough.

A browser opens one link with `?token=`, as with Jupyter Server. It gets the cookie, and is led to
the address without the token, which so stands in no history and no Referer.
"""

import hmac
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastkf.base import proof
from fastkf.base.sign_in import sign_in_page

COOKIE, PARAMETER = "fastkf-token", "token"
UNAUTHENTICATED, FORBIDDEN = 401, 403
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


@dataclass(frozen=True)
class Access:
    """Who is let in.

    Attributes:
        token: what every request carries; None where whoever reaches the server may ask.
        host: the name or address that the server was told to listen on.
        hint: where users find the token, for the answer to a request without it.
        secret: by which the server proves to clients that it is this user's (`fastkf.base.proof`);
            None where no client asks for that.
        other: a second bearer token, by which the application knows one of its clients.
    """

    token: str | None = field(repr=False)
    host: str = "127.0.0.1"
    hint: str = ""
    secret: str | None = field(default=None, repr=False)
    other: str | None = field(default=None, repr=False)


class Guard:
    """Passes on the requests that may be answered, and answers the others.

    Args:
        app: the application.
        access: who is let in.
        respond: makes the answer to a request that is refused, from its HTTP status and its reason.
    """

    def __init__(self, app: ASGIApp, access: Access, respond: Callable[[int, str], Response]):
        self._app, self._access, self._respond = app, access, respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # there are none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        response = self._answer(scope, Headers(scope=scope))
        await (response or self._app)(scope, receive, send)

    def _answer(self, scope: Scope, headers: Headers) -> Response | None:
        """What the guard answers itself; None for a request that is passed on."""
        query, host = HTTPConnection(scope).query_params, headers.get("host", "")
        if self._access.secret and scope["path"] == proof.PATH:
            return self._prove(scope, query.get(proof.PARAMETER, ""))
        is_link = scope["method"] in ("GET", "HEAD") and self._is_token(query.get(PARAMETER, ""))
        is_known = is_link or self._has_token(scope, headers)
        if not (is_known and self._is_public) and not self._is_own_name(host):
            return self._respond(
                FORBIDDEN, f"the host {host!r} is not this server: use its address"
            )
        if _is_foreign(headers, host):
            return self._respond(FORBIDDEN, "a web page of another origin may not use this server")
        if is_link:
            return self._keep_token(scope)
        if self._access.token is None or is_known:
            return None
        response = self._ask_for_token(headers)
        response.headers["www-authenticate"] = "Bearer"
        return response

    def _ask_for_token(self, headers: Headers) -> Response:
        """A form for a person's browser; for programs, the error that they know."""
        if "text/html" in headers.get("accept", ""):
            return sign_in_page(UNAUTHENTICATED, self._access.hint)
        text = f"a token is needed (bearer, or ?token= in a browser){self._access.hint}"
        return self._respond(UNAUTHENTICATED, text)

    @property
    def _is_public(self) -> bool:
        try:
            return not ipaddress.ip_address(self._access.host).is_loopback
        except ValueError:
            return self._access.host.lower() != "localhost"

    def _is_token(self, text: str, *others: str | None) -> bool:
        tokens = filter(None, (self._access.token, *others))
        return any([hmac.compare_digest(text.encode(), token.encode()) for token in tokens])

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        kind, _, sent = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_token(sent.strip(), self._access.other):
            return True
        if not self._access.token:
            return False
        expected = _cookie_value(scope, self._access.token)
        sent = HTTPConnection(scope).cookies.get(_cookie_name(scope), "")
        return hmac.compare_digest(sent.encode(), expected.encode())

    def _is_own_name(self, host: str) -> bool:
        """Whether a host is written as an address, or is a name of this machine alone."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
            if name in ("localhost", self._access.host.lower()):
                return True
            ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            return False
        return True

    def _prove(self, scope: Scope, nonce: str) -> Response:
        """Proves whose server this is, to a client that does not show its token before."""
        server = scope.get("server")
        if not server or not proof.NONCE.fullmatch(nonce):
            return self._respond(400, f"{proof.PARAMETER}: 64 hexadecimal digits are needed")
        secret = self._access.secret or ""
        return PlainTextResponse(proof.compute(secret, nonce, server[0], server[1]))

    def _keep_token(self, scope: Scope) -> Response:
        """Has the browser keep a cookie, and leads it to the address without the token."""
        sent = HTTPConnection(scope).query_params
        query = urlencode({k: v for k, v in sent.items() if k != PARAMETER})
        name = quote(scope["path"].rpartition("/")[2]) or "."
        # Relative, and the cookie without a path: the server may stand behind a base URL.
        response = Response(status_code=303, headers={"location": f"./{name}?{query}".rstrip("?")})
        response.headers["cache-control"] = "no-store"
        response.set_cookie(
            _cookie_name(scope),
            _cookie_value(scope, self._access.token or ""),
            path=None,
            httponly=True,
            samesite="strict",
        )
        return response


def _is_foreign(headers: Headers, host: str) -> bool:
    """Whether a page of another origin has made the request; following a link is not that."""
    origin = headers.get("origin")
    # A proxy may put its own name in place of the host; a page cannot set this header unasked.
    hosts = {host.lower(), headers.get("x-forwarded-host", host).lower()}
    if origin is not None and origin.lower().partition("://")[2] not in hosts - {""}:
        return True
    site, mode = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
    return site in ("cross-site", "same-site") and mode != "navigate"


def _port(scope: Scope) -> int:
    return int((scope.get("server") or ("", 0))[1] or 0)


def _cookie_name(scope: Scope) -> str:
    """Cookies do not know ports, and two servers may have two tokens."""
    return f"{COOKIE}-{_port(scope)}"


def _cookie_value(scope: Scope, token: str) -> str:
    """Made of the token and good for one port; who has it does not have the token."""
    return hmac.new(token.encode(), _cookie_name(scope).encode(), "sha256").hexdigest()


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name for name, _ in message["headers"]}
            added = [header for header in HEADERS if header[0] not in names]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return send_with_headers
