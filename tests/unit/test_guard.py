"""Who may ask a server of this machine: the middleware that `fastkf server` and `serve` share."""

import asyncio
import hmac

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from fastkf.base import proof
from fastkf.base.guard import Access, Guard

pytestmark = pytest.mark.security

TOKEN, SECRET = "the-right-token", "5" * 64
PORT = 8080
COOKIE = f"fastkf-token-{PORT}"


async def application(scope, receive, send):
    await PlainTextResponse(f"let in: {scope['path']}")(scope, receive, send)


def refuse(status, text):
    return JSONResponse({"error": text}, status)


class Client:
    """Asks the guard, and keeps its cookies."""

    def __init__(self, guard, address):
        self._guard, self._address, self.cookies = guard, address, httpx.Cookies()

    def request(self, method, path, headers=None) -> httpx.Response:
        async def ask():
            transport = httpx.ASGITransport(self._guard)
            settings = {"base_url": self._address, "cookies": self.cookies}
            async with httpx.AsyncClient(transport=transport, **settings) as http:
                answer = await http.request(method, path, headers=headers)
                self.cookies = http.cookies
                return answer

        return asyncio.run(ask())

    def get(self, path, **settings):
        return self.request("GET", path, **settings)

    def post(self, path, **settings):
        return self.request("POST", path, **settings)


def make_guard(token=TOKEN, host="127.0.0.1"):
    return Guard(application, Access(token, host, "; it is in FILE", SECRET), refuse)


def client(token=TOKEN, port=PORT, host="127.0.0.1"):
    return Client(make_guard(token, host), f"http://127.0.0.1:{port}")


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_request_needs_the_token(method):
    assert client().request(method, "/runs").status_code == 401
    assert client().request(method, "/runs", headers=bearer(TOKEN)).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        TOKEN,
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN} {TOKEN}",
        f"Bearer {TOKEN.upper()}",
        "Bearer \xff\xfe".encode("latin-1"),
    ],
)
def test_what_is_not_the_token_lets_nobody_in(authorization):
    answer = client().get("/runs", headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "it is in FILE" in answer.json()["error"]
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Forwarded-User": "root"},
        {"Cookie": f"{COOKIE}="},
        {"Cookie": f"{COOKIE}={TOKEN}"},
        {"Cookie": f"token={TOKEN}"},
    ],
)
def test_nothing_else_says_who_asks(headers):
    assert client().get("/runs", headers=headers).status_code == 401


def test_a_server_without_a_token_of_its_own_takes_no_empty_one():
    for headers in ({}, bearer(""), {"Cookie": f"{COOKIE}="}):
        assert client(token="").get("/runs?token=", headers=headers).status_code == 401


def test_one_link_gives_a_browser_its_cookie():
    browser = client()
    answer = browser.get(f"/a/runs?step=1&token={TOKEN}&x=")
    assert answer.status_code == 303
    assert answer.headers["location"] == "./runs?step=1&x="
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
    assert TOKEN not in str(answer.headers)
    assert browser.get("/a/runs").status_code == 200
    assert client().get(f"/?token={TOKEN}").headers["location"] == "./."


def test_a_path_goes_into_no_header_as_it_is():
    path = "/a/b%0d%0aSet-Cookie:%20x=y%E2%82%AC"
    answer = client().get(f"{path}?token={TOKEN}")
    assert answer.headers["location"] == "./b%0D%0ASet-Cookie%3A%20x%3Dy%E2%82%AC"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_token_in_the_address_is_for_the_link_alone(method):
    assert client().request(method, f"/runs?token={TOKEN}").status_code == 401


def test_a_browser_without_the_token_is_asked_for_it_and_a_program_gets_its_error():
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    guard = Guard(application, Access(TOKEN, hint="; it is in <b>FILE"), refuse)
    page = Client(guard, f"http://127.0.0.1:{PORT}").get("/a/runs", headers=browser)
    assert page.status_code == 401
    assert "token; it is in &lt;b&gt;FILE." in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert TOKEN not in page.text
    assert client().get("/a/runs").json()["error"].startswith("a token is needed")


def test_a_wrong_token_in_a_link_gives_no_cookie():
    answer = client().get("/?token=wrong")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def get_cookie(port: int) -> str:
    browser = client(port=port)
    browser.get(f"/?token={TOKEN}")
    return browser.cookies[f"fastkf-token-{port}"]


def test_the_cookie_of_another_port_lets_nobody_in():
    """A browser sends the cookies of a host to all of its ports."""
    own, other = get_cookie(PORT), get_cookie(9090)
    assert client().get("/", headers={"Cookie": f"{COOKIE}={own}"}).status_code == 200
    for cookie in (f"fastkf-token-9090={other}", f"{COOKIE}={other}", f"fastkf-token-9090={own}"):
        assert client().get("/", headers={"Cookie": cookie}).status_code == 401, cookie


def test_the_cookies_of_others_do_not_hide_ones_own():
    others = '_xsrf=2|a|b; username="2|1:0|10:1=="; {bad: {"json"}; broken'
    cookie = f"{others}; {COOKIE}={get_cookie(PORT)}; [x]=y"
    assert client().get("/", headers={"Cookie": cookie}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.x", "[evil"])
@pytest.mark.parametrize("token", [TOKEN, None])
def test_a_name_that_is_not_this_machines_is_refused(host, token):
    headers = {"Host": host, **bearer(TOKEN)}
    assert client(token).get("/", headers=headers).status_code == 403
    assert client(token).get(f"/?token={TOKEN}", headers=headers).status_code == 403


def test_a_server_of_the_network_has_names_that_it_does_not_know():
    named = {"Host": "gpu-box.lan:8080"}
    assert client(host="0.0.0.0").get("/", headers=named).status_code == 403
    assert client(host="0.0.0.0").get("/", headers=named | bearer(TOKEN)).status_code == 200


@pytest.mark.parametrize("token", [TOKEN, None])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": f"http://127.0.0.1:{PORT + 1}"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Origin": f"http://127.0.0.1:{PORT}", "Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_a_foreign_page_is_refused_whatever_the_browser_adds(token, headers, status):
    cookie = {"Cookie": f"{COOKIE}={get_cookie(PORT)}"}
    assert client(token).post("/runs", headers=headers | cookie).status_code == status


def test_who_is_open_on_purpose_needs_no_token():
    assert client(token=None).get("/runs").status_code == 200
    assert client(token=None).get("/runs", headers={"Host": "evil.example"}).status_code == 403


def test_it_proves_what_it_is_to_whoever_asks():
    nonce = "ab" * 32
    answer = client().get(f"{proof.PATH}?nonce={nonce}")
    message = f"/fastkf/proof\n{nonce}\n127.0.0.1\n{PORT}".encode()
    assert answer.text == hmac.new(SECRET.encode(), message, "sha256").hexdigest()
    for wrong in ("", "?nonce=", "?nonce=ab", f"?nonce={nonce}0", f"?nonce={'G' * 64}"):
        assert client().get(proof.PATH + wrong).status_code == 400


def test_a_websocket_is_closed():
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(make_guard()({"type": "websocket"}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
