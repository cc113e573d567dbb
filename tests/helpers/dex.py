"""A stand-in for Dex and oauth2-proxy in front of a Kubeflow: the pages a browser would see."""

import itertools
from urllib.parse import parse_qs, urlsplit

import faulty

FORM = """<form method="post" action="/dex/auth/local/login?back=&state=s1">
<input required id="login" name="login" type="text">
<input required id="password" name="password" type="password">
<button type="submit">Login</button></form>"""
APPROVAL = """<form method="post"><input type="hidden" name="req" value="r7"/>
<input type="hidden" name="approval" value="approve"/><button>Grant</button></form>
<form method="post"><input type="hidden" name="req" value="r7"/>
<input type="hidden" name="approval" value="rejected"/><button>Cancel</button></form>"""
CONNECTORS = """<a href="/dex/auth/google?client_id=k&state=s1">Google</a>
<a href="/dex/auth/local?client_id=k&state=s1">Email</a>"""


class Dex(faulty.Proxy):
    """Lets in who has signed in with the right name and password.

    Args:
        approval, connectors, button: whether there are the pages to approve, to choose how to
            sign in, and (oauth2-proxy's) to begin.

    Attributes:
        sessions: the cookies that let one in.
        posted: what was sent to the login form.
    """

    USER, PASSWORD = "user@example.com", "12341234"

    def __init__(self, upstream, approval=False, connectors=False, button=False):
        super().__init__(upstream)
        self.sessions, self.posted, self.numbers = set(), [], itertools.count(1)
        self.hinder(r" /oauth2/start", self.start)
        self.hinder(
            r"GET /dex/auth\?", faulty.page(200, CONNECTORS) if connectors else self.to_form
        )
        self.hinder(r"GET /dex/auth/local\?", self.to_form)
        self.hinder(r"GET /dex/auth/local/login", faulty.page(200, FORM))
        self.hinder(r"POST /dex/auth/local/login", self.sign_in)
        self.hinder(r"GET /dex/approval", faulty.page(200, APPROVAL))
        self.hinder(r"POST /dex/approval", self.approve)
        self.hinder(r"GET /oauth2/callback", self.let_in)
        self.hinder(r".", self.guard)
        self.approval, self.button = approval, button

    def guard(self, handler, request):
        if request.headers.get("cookie") in self.sessions:
            self.pass_on(handler, request)
        elif self.button:
            form = '<form method="GET" action="/oauth2/start"><button>Sign in</button></form>'
            faulty.page(403, form)(handler, request)
        else:
            self.redirect(handler, request, "/oauth2/start?rd=%2Fpipeline")

    def start(self, handler, request):
        self.redirect(handler, request, "/dex/auth?client_id=k&state=s1")

    def to_form(self, handler, request):
        self.redirect(handler, request, "/dex/auth/local/login?back=&state=s1")

    def sign_in(self, handler, request):
        fields = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        self.posted.append(fields)
        if fields != {"login": self.USER, "password": self.PASSWORD}:
            faulty.page(401, f"Invalid Email Address and password. {FORM}")(handler, request)
        elif self.approval:
            self.redirect(handler, request, "/dex/approval?req=r7&hmac=h")
        else:
            self.redirect(handler, request, "/oauth2/callback?code=c&state=s1")

    def approve(self, handler, request):
        assert parse_qs(request.body.decode()) == {"req": ["r7"], "approval": ["approve"]}
        assert urlsplit(request.path).query == "req=r7&hmac=h"
        self.redirect(handler, request, "/oauth2/callback?code=c&state=s1")

    def let_in(self, handler, request):
        session = f"oauth2_proxy_kubeflow=session{next(self.numbers)}"
        self.sessions.add(session)
        headers = {"location": "/pipeline", "set_cookie": f"{session}; Path=/; HttpOnly"}
        faulty.answer(302, **headers)(handler, request)

    def redirect(self, handler, request, place):
        faulty.answer(302, location=place)(handler, request)
