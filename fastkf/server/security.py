"""Who may ask: a middleware before everything else.

What is submitted is run, as this user. So a request is answered only when

- a process of the same user (or of root) sends it, over a loopback address: on Linux the kernel
  says whose it is, and no client needs to be set up; or it carries the token that is in the file
  `token` of the data folder, which only the user can read. Clients send it as they send one to a
  Kubeflow, as a bearer token: `kfp.Client(existing_token=...)`, `kfp --existing-token ...`, Kale's
  `existing_bearer_token`. A browser opens `/?token=...` once, and keeps it as a cookie;
- no web page of another origin has made it (Origin, Sec-Fetch-Site);
- it is addressed to this machine by a name that no foreign DNS server can give it (Host).
"""

import hmac
import ipaddress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastkf.server import peer_credentials
from fastkf.server.errors import ApiError, Code, answer
from fastkf.server.settings import Settings

COOKIE, PARAMETER = "fastkf-token", "token"
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class Guard:
    """Passes on the requests that may be answered, and answers the others."""

    def __init__(self, app: ASGIApp, settings: Settings):
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # there are none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        headers = Headers(scope=scope)
        refusal = self._refuse(scope, headers)
        response: Response
        if refusal is not None:
            response = answer(refusal.code, refusal.message)
        elif scope["method"] == "GET" and PARAMETER in _query(scope):
            response = self._keep_token(scope)
        else:
            await self._app(scope, receive, send)
            return
        await response(scope, receive, send)

    def _refuse(self, scope: Scope, headers: Headers) -> ApiError | None:
        """Why a request is not answered; None when it is."""
        host = headers.get("host", "")
        has_token = self._has_token(scope, headers)
        if not has_token and not self._is_own_name(host):
            message = f"the host {host!r} is not this server; use its address, or send the token"
            return ApiError(Code.PERMISSION_DENIED, message)
        if _is_foreign(headers, host):
            message = "a web page of another origin may not use this server"
            return ApiError(Code.PERMISSION_DENIED, message)
        if not has_token and not self._is_own_user(scope):
            place = self._settings.token_file
            message = f"a token is needed (bearer, or ?token= in a browser); it is in {place}"
            return ApiError(Code.UNAUTHENTICATED, message)
        return None

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        token = self._settings.token
        if not token:
            return False
        kind, _, sent = headers.get("authorization", "").partition(" ")
        candidates = [sent.strip() if kind.lower() == "bearer" else "", _cookie(scope, headers)]
        candidates.append(_query(scope).get(PARAMETER, ""))
        return any(hmac.compare_digest(one.encode(), token.encode()) for one in candidates)

    def _is_own_name(self, host: str) -> bool:
        """Whether a host is written as an address, or is a name of this machine alone."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
            if name in ("localhost", self._settings.host.lower()):
                return True
            ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            return False
        return True

    def _is_own_user(self, scope: Scope) -> bool:
        client, server = scope.get("client"), scope.get("server")
        if not client or not server or not peer_credentials.can_tell():
            return False
        try:
            is_local = all(ipaddress.ip_address(end[0]).is_loopback for end in (client, server))
        except ValueError:
            return False
        return is_local and peer_credentials.is_same_user(tuple(client), tuple(server))

    def _keep_token(self, scope: Scope) -> Response:
        """Puts the token of the address into a cookie, and leads to the address without it."""
        query = urlencode({k: v for k, v in _query(scope).items() if k != PARAMETER})
        name = scope["path"].rpartition("/")[2] or "."
        # Relative, and the cookie without a path: the server may stand behind a base URL.
        response = Response(status_code=303, headers={"location": f"./{name}?{query}".rstrip("?")})
        response.set_cookie(
            _cookie_name(scope),
            self._settings.token or "",
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


def _query(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))


def _cookie_name(scope: Scope) -> str:
    """Cookies do not know ports, and two servers may have two tokens."""
    server = scope.get("server") or ("", 0)
    return f"{COOKIE}-{server[1]}"


def _cookie(scope: Scope, headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(_cookie_name(scope))
    except CookieError:
        return ""
    return found.value if found else ""


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name for name, _ in message["headers"]}
            added = [header for header in HEADERS if header[0] not in names]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return send_with_headers
