"""Signing in where Kubeflow leaves it to Dex: through the pages a browser would see.

The pages, of Dex 2.x and oauth2-proxy: a button to sign in, the choice of a connector, the form
for name and password, the approval. Any of them but the form may be left out.
"""

import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
from bs4 import BeautifulSoup

from fastkf.base.endpoint import HEALTH
from fastkf.cluster.errors import ClusterError, SignInNeededError, explain_silence
from fastkf.cluster.tls import trust

MOST_PAGES = 6
SECONDS = 20
LOCAL_CONNECTOR = re.compile(r"/auth/(local|ldap)\b")
START = re.compile(r"/oauth2/start\b|/authservice/|/dex/auth\b")


def login(host: str, user: str, password: str, ca_file: Path | None = None) -> str:
    """Signs in and returns the session's cookies; "" where the host asks for no login.

    Raises:
        SignInNeededError: Dex does not know this user and password.
        ClusterError: no page asks for them, or the page's address is not safe to send them to.
        UnansweredError: the host does not answer.
    """
    try:
        with httpx.Client(
            follow_redirects=True, timeout=SECONDS, verify=trust(ca_file), trust_env=False
        ) as client:
            page = client.get(host + HEALTH)
            if not page.history and page.is_success and not _forms(page):
                return ""
            _sign_in(client, host, page, user, password)
            return _cookies(client, host)
    except httpx.HTTPError as error:
        raise explain_silence(host, str(error) or type(error).__name__) from error


def _sign_in(client, host: str, page: httpx.Response, user: str, password: str) -> None:
    sent = False
    for _ in range(MOST_PAGES):
        forms = _forms(page)
        asking = next((form for form in forms if form.find("input", type="password")), None)
        approving = next((form for form in forms if _approval(form)), None)
        if asking and sent:
            raise SignInNeededError(
                f"Dex does not let {user} in: wrong name or password", host=host
            )
        if asking:
            page, sent = _send(client, host, page, asking, user, password), True
        elif approving:
            page = _post(client, page, approving, {"approval": "approve"})
        elif sent:
            return
        else:
            page = client.get(_next_page(host, page))
    raise ClusterError(f"the pages to sign in come to no end ({page.url.path})", host=host)


def _send(client, host: str, page, form, user: str, password: str) -> httpx.Response:
    target = _target(page, form)
    if urlsplit(host).scheme == "https" and target.scheme != "https":
        raise ClusterError(
            f"its login form is not encrypted ({target}); nothing was sent", host=host
        )
    if target.host != page.url.host:
        raise ClusterError(f"its login form sends to {target.host}; nothing was sent", host=host)
    names = [field["name"] for field in form.find_all("input") if _is_typed(field)]
    secret = form.find("input", type="password")["name"]
    return _post(client, page, form, {(names or ["login"])[0]: user, secret: password})


def _next_page(host: str, page: httpx.Response) -> str:
    """Where a page without a form leads on: the connector with passwords, or the start."""
    soup = BeautifulSoup(page.text, "html.parser")
    links = [str(link["href"]) for link in soup.find_all("a", href=True)]
    links += [str(form["action"]) for form in _forms(page) if form.get("action")]
    for wanted in (LOCAL_CONNECTOR, START):
        if found := next((link for link in links if wanted.search(link)), None):
            return urljoin(str(page.url), found)
    if page.status_code in (401, 403) and "/oauth2/" not in page.url.path:
        return urljoin(host, f"/oauth2/start?rd={urlsplit(host).path or '/'}")
    raise ClusterError(
        f"no form for a name and a password was found ({page.url.path} answers {page.status_code})",
        "this Kubeflow signs people in some other way: use a token (--token-file)",
        host=host,
    )


def _cookies(client: httpx.Client, host: str) -> str:
    cookies = client.build_request("GET", host + HEALTH).headers.get("cookie", "")
    if not cookies:
        raise SignInNeededError(
            "signing in gave no session (no cookie for this address)", host=host
        )
    return cookies


def _post(client, page: httpx.Response, form, values: dict[str, str]) -> httpx.Response:
    hidden = form.find_all("input", type="hidden", attrs={"name": True})
    data = {field["name"]: field.get("value", "") for field in hidden}
    return client.post(_target(page, form), data=data | values)


def _target(page: httpx.Response, form) -> httpx.URL:
    return page.url.join(form.get("action") or str(page.url))


def _forms(page: httpx.Response) -> list:
    if "html" not in page.headers.get("content-type", ""):
        return []
    return BeautifulSoup(page.text, "html.parser").find_all("form")


def _approval(form) -> bool:
    return bool(form.find(attrs={"name": "approval", "value": "approve"}))


def _is_typed(field) -> bool:
    return bool(field.get("name")) and field.get("type", "text") in ("text", "email")
