"""How fastkf reaches a Kubeflow: what names it, who asks, and what an answer means."""

import datetime
import io
import ipaddress
import json
from dataclasses import replace

import faulty
import kfp_server_api
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from dex import Dex
from faulty import Proxy, answer, drop, page
from notes import prove, write_note

from fastkf.base import endpoint, local_server
from fastkf.base.errors import FastkfError, UsageError
from fastkf.cluster import auth, connection, dex, errors, target
from fastkf.cluster.target import Endpoint, connect, find_host

HEALTHY = json.dumps({"tag_name": "2.17.0", "commit_sha": "c", "multi_user": False})
SHARED = json.dumps({"tag_name": "2.17.0", "multi_user": True})


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """No endpoint, no credentials and no namespace named anywhere."""
    for name in (
        *(endpoint.ENDPOINT_VARIABLE, auth.TOKEN_VARIABLE, auth.POD_TOKEN_VARIABLE),
        *(auth.USER_VARIABLE, auth.PASSWORD_VARIABLE, target.PAGES_VARIABLE),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(endpoint.KALE_CONFIG_VARIABLE, str(tmp_path / "kale.json"))
    monkeypatch.setenv("FASTKF_SERVER", str(tmp_path / "no-server"))
    monkeypatch.setattr(endpoint, "POD_NAMESPACE", tmp_path / "namespace")
    monkeypatch.setattr(auth, "POD_TOKEN", tmp_path / "pod-token")
    monkeypatch.setattr(target, "KFP_CONTEXT", str(tmp_path / "context.json"))


@pytest.fixture
def kubeflow():
    """Stands in for Kubeflow Pipelines where only its health matters."""
    with Proxy() as proxy:
        yield proxy


def list_runs(client):
    return kfp_server_api.RunServiceApi(client.connection).run_service_list_runs()


def test_a_healthy_server_is_connected_to(kubeflow):
    kubeflow.hinder("healthz", answer(200, HEALTHY))
    client = connect(Endpoint(kubeflow.url + "/"))
    assert str(client) == f"Kubeflow Pipelines 2.17.0 at {kubeflow.url}"
    assert client.namespace == ""
    assert not client.health.is_local
    assert client.link("r1") == f"{kubeflow.url}/#/runs/details/r1"


def test_the_pages_server_tells_of_the_api_in_names_of_its_own(kubeflow):
    health = {"apiServerTagName": "2.16.1", "apiServerMultiUser": False, "apiServerReady": True}
    kubeflow.hinder("healthz", answer(200, json.dumps(health)))
    assert connect(Endpoint(kubeflow.url)).health.version == "2.16.1"


def test_pages_without_an_api_are_told(kubeflow):
    health = {"frontendTagName": "2.16.1", "frontendCommitHash": "1", "apiServerReady": False}
    kubeflow.hinder("healthz", answer(200, json.dumps(health)))
    with pytest.raises(FastkfError, match="not the API behind them.*rollout status"):
        connect(Endpoint(kubeflow.url))


@pytest.mark.parametrize(
    ("do", "kind", "told"),
    [
        (drop, errors.UnansweredError, "no answer"),
        (answer(502, "bad"), errors.UnansweredError, "not up behind it"),
        (answer(503, "{}"), errors.UnansweredError, "not up behind it"),
        (answer(500, "oops"), errors.UnansweredError, "answers 500 (oops)"),
        (page(200, "hello"), errors.NotKubeflowError, "web page"),
        (page(404, "none"), errors.NotKubeflowError, "web page"),
        (answer(404, "404 page not found"), errors.NotKubeflowError, "--host"),
        (answer(200, '{"a": 1}'), errors.NotKubeflowError, "--host"),
        (answer(200, "[1]"), errors.NotKubeflowError, "--host"),
        (answer(404, '{"detail":"Not Found"}'), errors.NotKubeflowError, "Not Found"),
        (answer(401, '{"message":"token expired"}'), errors.SignInNeededError, "token expired"),
        (answer(403, "RBAC: access denied"), errors.ForbiddenError, "RBAC: access denied"),
        (page(403, "<form>Sign in</form>"), errors.SignInNeededError, "--dex-user"),
        (page(200, "<form><input type=password></form>"), errors.SignInNeededError, "--token-file"),
        (answer(302, location="/dex/auth?client_id=k"), errors.SignInNeededError, "/dex/auth"),
        (answer(302, location="https://sso.example.org/login"), errors.SignInNeededError, "/login"),
        (answer(301, location="https://127.0.0.1/x"), errors.RedirectError, "--host https://127"),
        (answer(302, location="http://127.0.0.1/else"), errors.RedirectError, "elsewhere"),
    ],
)
def test_each_wrong_answer_has_its_message(kubeflow, do, kind, told):
    kubeflow.hinder(".", do)
    with pytest.raises(kind) as raised:
        connect(Endpoint(kubeflow.url))
    assert str(raised.value).startswith(kubeflow.url)
    assert told in str(raised.value)


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_the_same_answers_count_after_the_first_one(kubeflow, status):
    kubeflow.hinder("healthz", answer(200, HEALTHY))
    message = '{"error":"e","code":7,"message":"user@example.com is not authorized"}'
    kubeflow.hinder("/runs", answer(status, message))
    kinds = {401: errors.SignInNeededError, 403: errors.ForbiddenError}
    with pytest.raises(kinds.get(status, errors.RejectedError), match="user@example.com"):
        list_runs(connect(Endpoint(kubeflow.url)))


def test_a_page_is_no_empty_list(kubeflow):
    """kfp.Client takes it for one."""
    kubeflow.hinder("healthz", answer(200, HEALTHY))
    kubeflow.hinder("/runs", page(200, "Kubeflow"))
    with pytest.raises(errors.NotKubeflowError):
        list_runs(connect(Endpoint(kubeflow.url)))


def test_nobody_listens():
    with pytest.raises(errors.UnansweredError, match="refused.*port-forward.*fastkf server"):
        connect(Endpoint("http://127.0.0.1:1"))


def test_a_connection_that_is_lost_is_told_in_words(kubeflow):
    kubeflow.hinder("healthz", answer(200, HEALTHY))
    client = connect(Endpoint(kubeflow.url))
    kubeflow.hinder("/runs", drop)
    with pytest.raises(errors.UnansweredError, match=r"no answer \([\w\s]+\)"):
        list_runs(client)


def test_a_server_that_says_nothing_is_left(kubeflow, monkeypatch):
    monkeypatch.setattr(connection, "SECONDS_TO_ANSWER", 0.3)
    kubeflow.hinder(".", faulty.slow(3))
    with pytest.raises(errors.UnansweredError, match="timed out|too long"):
        connect(Endpoint(kubeflow.url))


def test_the_prefix_of_the_platform_is_found(kubeflow):
    kubeflow.hinder(" /pipeline/apis/v2beta1/healthz", answer(200, HEALTHY))
    kubeflow.hinder(".", page(200, "the dashboard"))
    with pytest.raises(errors.NotKubeflowError, match=f"use --host {kubeflow.url}/pipeline$"):
        connect(Endpoint(kubeflow.url))
    with pytest.raises(errors.NotKubeflowError, match=f"use --host {kubeflow.url}/pipeline$"):
        connect(Endpoint(f"{kubeflow.url}/some/where"))
    assert connect(Endpoint(f"{kubeflow.url}/pipeline")).health.version == "2.17.0"


def test_a_prefix_too_many_is_found(kubeflow):
    kubeflow.hinder("GET /apis/v2beta1/healthz", answer(200, HEALTHY))
    with pytest.raises(errors.NotKubeflowError, match=f"use --host {kubeflow.url}$"):
        connect(Endpoint(f"{kubeflow.url}/pipeline"))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("http://localhost:8080/#/runs/details/1", "http://localhost:8080"),
        ("http://localhost:8080/_/pipeline/?ns=me#/runs", "http://localhost:8080/pipeline"),
        ("http://localhost:8080/apis/v2beta1/", "http://localhost:8080"),
        ("kubeflow.example.org/pipeline", "https://kubeflow.example.org/pipeline"),
    ],
)
def test_what_a_browser_shows_is_understood(typed, meant):
    assert find_host(typed) == (meant, "--host")


@pytest.mark.parametrize("typed", ["", "http://", "http://[::1", "http://a b", "http://a:port"])
def test_what_is_no_address_is_wrong_use(typed):
    with pytest.raises(UsageError, match="--host"):
        find_host(typed)


def test_a_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(UsageError, match="no user or password") as raised:
        find_host("http://me:secret@localhost:8080")
    assert "secret" not in str(raised.value)


def test_without_any_host_the_local_ways_are_named(kubeflow, monkeypatch, tmp_path):
    with pytest.raises(UsageError, match="`fastkf server` starts one.*`fastkf run` needs none"):
        find_host(None)
    monkeypatch.setenv("FASTKF_SERVER", str(tmp_path))
    server = write_note(tmp_path, kubeflow.url)
    kubeflow.hinder("/fastkf/proof", prove(server))
    with pytest.raises(UsageError, match=f"--host {kubeflow.url};"):
        find_host(None)
    monkeypatch.setenv(endpoint.ENDPOINT_VARIABLE, "http://there:80/")
    assert find_host(None) == ("http://there:80", endpoint.ENDPOINT_VARIABLE)


def bearer_of(proxy) -> set:
    return {request.headers.get("authorization") for request in proxy.seen}


def test_a_token_comes_from_a_file_and_is_read_again(kubeflow, tmp_path):
    kubeflow.hinder("healthz", answer(200, HEALTHY))
    kubeflow.hinder("/runs", answer(200, "{}"))
    (tmp_path / "token").write_text("first.token\n")
    client = connect(Endpoint(kubeflow.url, token_file=tmp_path / "token"))
    (tmp_path / "token").write_text("second.token\n")
    list_runs(client)
    given = [request.headers["authorization"] for request in kubeflow.seen]
    assert given == ["Bearer first.token", "Bearer second.token"]


def test_a_token_comes_from_the_variable_that_kfp_reads(kubeflow, monkeypatch):
    kubeflow.hinder("healthz", answer(200, HEALTHY))
    monkeypatch.setenv("KFP_EXISTING_TOKEN", "from.environment")
    connect(Endpoint(kubeflow.url))
    assert bearer_of(kubeflow) == {"Bearer from.environment"}


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_kubeflow_notebook_uses_its_service_account(kubeflow, monkeypatch, tmp_path, by_variable):
    kubeflow.hinder("healthz", answer(200, HEALTHY))
    (tmp_path / "projected").write_text("service.account")
    if by_variable:
        monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "projected"))
    else:
        monkeypatch.setattr(auth, "POD_TOKEN", tmp_path / "projected")
    connect(Endpoint(kubeflow.url))
    assert bearer_of(kubeflow) == {"Bearer service.account"}


@pytest.mark.parametrize("content", ["", "two words", "a\nb", "é"])
def test_what_is_no_token_is_not_sent(kubeflow, tmp_path, content):
    (tmp_path / "token").write_text(content)
    with pytest.raises(FastkfError, match="token: holds no token"):
        connect(Endpoint(kubeflow.url, token_file=tmp_path / "token"))
    assert kubeflow.seen == []


def test_a_token_file_that_is_not_there_is_told(kubeflow, tmp_path):
    with pytest.raises(FastkfError, match="none: the token cannot be read"):
        connect(Endpoint(kubeflow.url, token_file=tmp_path / "none"))


@pytest.fixture
def own(kubeflow, monkeypatch, tmp_path):
    """The server of this machine that a note in the default folder tells of: `kubeflow`."""
    kubeflow.hinder("healthz", answer(200, HEALTHY))
    kubeflow.hinder("/runs", answer(200, "{}"))
    monkeypatch.setenv("FASTKF_SERVER", str(tmp_path))
    return write_note(tmp_path, kubeflow.url)


def test_the_token_of_the_local_server_is_found(kubeflow, own):
    kubeflow.hinder("/fastkf/proof", prove(own))
    named = kubeflow.url.replace("127.0.0.1", "localhost")
    for host in (kubeflow.url, named):
        kubeflow.seen.clear()
        list_runs(connect(Endpoint(host)))
        paths = [request.path.partition("?")[0] for request in kubeflow.seen]
        assert paths == ["/fastkf/proof", endpoint.HEALTH] + ["/fastkf/proof"] + paths[3:]
        sent = f"Bearer {own.token_file.read_text().strip()}"
        assert bearer_of(kubeflow) == {None, sent}
        assert kubeflow.seen[1].headers["authorization"] == sent
    with Proxy() as other:
        other.hinder("healthz", answer(200, HEALTHY))
        connect(Endpoint(other.url))
        assert bearer_of(other) == {None}


@pytest.mark.security
@pytest.mark.parametrize("way", ["found", "option", "kale"])
def test_a_foreign_program_on_the_port_of_the_local_server_gets_no_token(
    kubeflow, own, tmp_path, way
):
    """Whatever says where the token is: `fastkf server` may have ended, and its port be taken."""
    where = Endpoint(kubeflow.url, token_file=own.token_file if way == "option" else None)
    if way == "kale":
        config = {"auth_type": "existing_bearer_token"}
        config["auth_config"] = {"file_path": str(own.token_file)}
        (tmp_path / "kale.json").write_text(json.dumps({"host": kubeflow.url, **config}))
        where = Endpoint()
    with pytest.raises(FastkfError, match="another program answers there, not your fastkf server"):
        connect(where)
    local_server.write(tmp_path, replace(own, started=0.0))
    if way == "found":
        connect(where)  # as any other server
    else:
        with pytest.raises(errors.UnansweredError, match="does not run"):
            connect(where)
    assert bearer_of(kubeflow) == {None}


@pytest.mark.security
def test_a_server_that_is_replaced_between_two_requests_gets_no_token(kubeflow, own):
    genuine = kubeflow.hinder("/fastkf/proof", prove(own), times=1)
    client = connect(Endpoint(kubeflow.url))
    assert genuine.times == 0
    kubeflow.seen.clear()
    with pytest.raises(FastkfError, match="another program answers there"):
        list_runs(client)
    assert bearer_of(kubeflow) == {None}


@pytest.mark.parametrize("pages", [{}, {"approval": True}, {"connectors": True}, {"button": True}])
def test_dex_lets_in_who_has_the_password(kubeflow, monkeypatch, pages):
    kubeflow.hinder("healthz", answer(200, HEALTHY))
    kubeflow.hinder("/runs", answer(200, "{}"))
    monkeypatch.setenv("DEX_PASSWORD", Dex.PASSWORD)
    with Dex(kubeflow.url, **pages) as guarded:
        client = connect(Endpoint(guarded.url, dex_user=Dex.USER))
        list_runs(client)
    assert guarded.posted == [{"login": Dex.USER, "password": Dex.PASSWORD}]
    assert client.connection.credentials.name == f"as {Dex.USER}, through Dex"


def test_name_and_password_may_both_come_from_the_environment(kubeflow, monkeypatch):
    kubeflow.hinder("healthz", answer(200, HEALTHY))
    monkeypatch.setenv("DEX_USERNAME", Dex.USER)
    monkeypatch.setenv("DEX_PASSWORD", Dex.PASSWORD)
    with Dex(kubeflow.url) as guarded:
        connect(Endpoint(guarded.url))


def test_a_session_that_ends_is_renewed_once(kubeflow, monkeypatch):
    kubeflow.hinder("healthz", answer(200, HEALTHY))
    kubeflow.hinder("/runs", answer(200, "{}"))
    monkeypatch.setenv("DEX_PASSWORD", Dex.PASSWORD)
    with Dex(kubeflow.url) as guarded:
        client = connect(Endpoint(guarded.url, dex_user=Dex.USER))
        guarded.sessions.clear()
        list_runs(client)
        assert len(guarded.posted) == 2


def test_a_wrong_password_is_told_and_not_repeated(kubeflow, monkeypatch):
    monkeypatch.setenv("DEX_PASSWORD", "wrong-secret")
    with Dex(kubeflow.url) as guarded:
        with pytest.raises(errors.SignInNeededError, match="wrong name or password") as raised:
            connect(Endpoint(guarded.url, dex_user=Dex.USER))
        assert len(guarded.posted) == 1
    assert "wrong-secret" not in str(raised.value)


def test_without_a_name_dex_is_what_one_is_told_of(kubeflow):
    with Dex(kubeflow.url) as guarded, pytest.raises(errors.SignInNeededError, match="--dex-user"):
        connect(Endpoint(guarded.url))


def test_a_missing_password_without_a_terminal_is_wrong_use(kubeflow, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(UsageError, match="DEX_PASSWORD"):
        connect(Endpoint(kubeflow.url, dex_user=Dex.USER))


def test_a_login_form_that_sends_elsewhere_gets_nothing(kubeflow, monkeypatch):
    form = '<form method="post" action="http://192.0.2.1/"><input type=password name=p></form>'
    kubeflow.hinder(".", page(200, form))
    monkeypatch.setenv("DEX_PASSWORD", Dex.PASSWORD)
    with pytest.raises(FastkfError, match="sends to 192.0.2.1; nothing was sent"):
        connect(Endpoint(kubeflow.url, dex_user=Dex.USER))
    assert all(request.method == "GET" for request in kubeflow.seen)


def test_an_open_server_needs_no_login(kubeflow):
    kubeflow.hinder("healthz", answer(200, HEALTHY))
    assert dex.login(kubeflow.url, "me", "secret") == ""


@pytest.mark.parametrize("text", ["please use the badge reader", "<form>no password here</form>"])
def test_pages_without_a_login_form_come_to_an_end(kubeflow, text):
    kubeflow.hinder(".", page(403, text))
    with pytest.raises(FastkfError, match="no form for a name and a password"):
        dex.login(kubeflow.url, "me", "secret")
    assert len(kubeflow.seen) < 10


def test_a_token_and_a_user_are_too_much(kubeflow, tmp_path):
    with pytest.raises(UsageError, match="one of them"):
        connect(Endpoint(kubeflow.url, token_file=tmp_path, dex_user="me"))


def test_namespaces_are_for_servers_with_many_users(kubeflow):
    kubeflow.hinder("healthz", answer(200, HEALTHY))
    assert connect(Endpoint(kubeflow.url, namespace="mine")).namespace == ""


def test_the_namespace_is_found_where_it_is_known(kubeflow, monkeypatch, tmp_path):
    kubeflow.hinder("healthz", answer(200, SHARED))
    profiles = kubeflow.hinder("GET /api/workgroup/env-info", page(200, "no dashboard"))
    with pytest.raises(UsageError, match="--namespace$"):
        connect(Endpoint(kubeflow.url))

    two = [{"namespace": name, "role": "owner"} for name in ("one", "two")]
    profiles.do = answer(200, json.dumps({"namespaces": two}))
    with pytest.raises(UsageError, match=r"\(yours: one, two\)"):
        connect(Endpoint(kubeflow.url))

    one = [{"namespace": "mine", "role": "owner"}, {"namespace": "hers", "role": "contributor"}]
    profiles.do = answer(200, json.dumps({"namespaces": one}))
    assert connect(Endpoint(kubeflow.url)).namespace == "mine"

    (tmp_path / "context.json").write_text('{"namespace": "from-kfp"}')
    assert connect(Endpoint(kubeflow.url)).namespace == "from-kfp"
    (tmp_path / "namespace").write_text("from-pod")
    assert connect(Endpoint(kubeflow.url)).namespace == "from-pod"
    assert connect(Endpoint(kubeflow.url, namespace="named")).namespace == "named"


def test_links_lead_to_the_pages_that_kfp_is_told_of(kubeflow, monkeypatch):
    kubeflow.hinder("healthz", answer(200, HEALTHY))
    monkeypatch.setenv("KF_PIPELINES_UI_ENDPOINT", "https://kubeflow.example.org/pipeline/")
    link = connect(Endpoint(kubeflow.url)).link("r1")
    assert link == "https://kubeflow.example.org/pipeline/#/runs/details/r1"


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        (
            {"auth_type": "existing_bearer_token", "auth_config": {"file_path": "{file}"}},
            ("authorization", "Bearer in.file"),
        ),
        (
            {"auth_type": "existing_bearer_token", "auth_config": {"env_var": "KALE_TOKEN"}},
            ("authorization", "Bearer in.variable"),
        ),
        (
            {
                "auth_type": "kubernetes_service_account_token",
                "auth_config": {"token_path": "{file}"},
            },
            ("authorization", "Bearer in.file"),
        ),
        ({"auth_type": "dex", "auth_config": {"env_var": "KALE_TOKEN"}}, ("cookie", "in.variable")),
        ({"auth_type": "none", "auth_config": None}, ("authorization", None)),
    ],
)
def test_what_kale_is_told_of_its_server_holds_here_too(
    kubeflow, monkeypatch, tmp_path, settings, sent
):
    kubeflow.hinder("healthz", answer(200, SHARED))
    (tmp_path / "file").write_text("in.file")
    monkeypatch.setenv("KALE_TOKEN", "in.variable")
    content = json.dumps({"host": kubeflow.url, "namespace": "by-kale", **settings})
    (tmp_path / "kale.json").write_text(content.replace("{file}", str(tmp_path / "file")))
    client = connect(Endpoint())
    assert client.namespace == "by-kale"
    assert kubeflow.seen[0].headers.get(sent[0]) == sent[1]

    kubeflow.seen.clear()
    connect(Endpoint(kubeflow.url, namespace="other"))  # another server, as far as one can tell
    assert kubeflow.seen[0].headers.get(sent[0]) is None


def test_in_a_pod_the_pages_are_asked_for_what_only_they_know(monkeypatch):
    inside = connection.Connection(endpoint.POD_ENDPOINT, auth.Credentials())
    assert inside.host == endpoint.POD_ENDPOINT
    assert inside.pages == inside.root == endpoint.POD_PAGES
    client = target.Client(Endpoint(), inside, None, "")
    assert client.link("r1") == "/pipeline/#/runs/details/r1"


def make_certificate(folder):
    """A certificate for 127.0.0.1 that only its own file vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    plain = (PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, *plain))
    return folder / "ca.pem", folder / "key.pem"


def test_a_certificate_of_ones_own_is_trusted_when_it_is_named(kubeflow, tmp_path):
    ca, key = make_certificate(tmp_path)
    kubeflow.encrypt(ca, key)
    kubeflow.hinder("healthz", answer(200, HEALTHY))
    kubeflow.hinder("/runs", answer(200, "{}"))
    with pytest.raises(errors.UnansweredError, match="certificate is not trusted.*--ca-file"):
        connect(Endpoint(kubeflow.url))
    list_runs(connect(Endpoint(kubeflow.url, ca_file=ca)))
    for wrong in (key, tmp_path / "none.pem"):
        with pytest.raises(UsageError, match="no certificates can be read"):
            connect(Endpoint(kubeflow.url, ca_file=wrong))
