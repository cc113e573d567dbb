"""`fastkf lab`: what starts, what it is told, who gets in, and that all of it ends."""

import contextlib
import http.server
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import browser
import psutil
import pytest
import urllib3
from build import write_notebook
from conftest import fastkf
from filelock import FileLock
from guides import fastkf_commands
from kale_panel import NotebookPage, start_lab
from notes import compute_proof, write_note

from fastkf.base import endpoint, local_server, processes, proof
from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.iri import GRAMMAR
from fastkf.cli import app
from fastkf.cli.display import Display
from fastkf.cli.lab import fetch_data
from fastkf.cluster.auth import TOKEN_VARIABLE, Credentials, FileToken, VariableToken
from fastkf.cluster.target import PAGES_VARIABLE, Endpoint
from fastkf.course import data, places
from fastkf.lab import pipelines, session
from fastkf.lab.jupyter import MODULE
from fastkf.lab.services import Service, answers
from fastkf.notebook.model import read

pytestmark = pytest.mark.slow

BASE_URL = "/notebook/me/mine/"
KALE = "jupyterlab-kubeflow-kale:kale-settings"
IMAGE = f"python:{sys.version_info.major}.{sys.version_info.minor}"
SHARED_SETTINGS = Path(sys.prefix, "share", "jupyter", "lab", "settings")
CELLS = [
    ("step:load", "first = 1"),
    (["step:add", "prev:load"], "total = first + 2"),
    ("pipeline-metrics", "print(total)"),
]


def write_notebooks(folder: Path) -> Path:
    write_notebook(folder / "notebooks" / "add.ipynb", CELLS)
    return folder / "notebooks"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """One behind a base URL, as in Kubeflow Notebooks, for the tests that do not end it."""
    folder = tmp_path_factory.mktemp("lab")
    variables = {"NB_PREFIX": BASE_URL[:-1], "FASTKF_SERVER": str(folder / "server")}
    with start_lab(write_notebooks(folder), **variables) as lab:
        yield lab


@pytest.fixture
def own(tmp_path):
    """`own(*words, **variables)`: one that the test may end."""

    def start(*words, **variables):
        variables = {"FASTKF_SERVER": str(tmp_path / "server"), **variables}
        return start_lab(write_notebooks(tmp_path), *words, **variables)

    return start


def ask(lab, path: str, method: str = "GET", token: bool = True, **settings):
    headers = settings.pop("headers", {})
    if token:
        headers = {"Authorization": f"token {lab.token}", **headers}
    settings = {"redirect": False, "retries": False, "timeout": 60, **settings}
    return urllib3.request(method, lab.address + path, headers=headers, **settings)


def log_in(lab) -> str:
    """The cookie that a browser has after it has opened the address with the token."""
    answer = ask(lab, f"lab?token={lab.token}", token=False)
    cookies = answer.headers.getlist("set-cookie")
    return "; ".join(cookie.split(";")[0] for cookie in cookies)


def processes_of(lab) -> list[psutil.Process]:
    return psutil.Process(lab.process.pid).children(recursive=True)


def modules_of(lab) -> dict[str, psutil.Process]:
    """Its processes that run `python -m MODULE`, by the module."""
    found = {}
    for process in processes_of(lab):
        with contextlib.suppress(psutil.NoSuchProcess):
            line = process.cmdline()
            if line[1:2] == ["-m"]:
                found[line[2]] = process
    return found


def wait_until_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive, [process.cmdline() for process in alive]


def test_kale_is_switched_on_and_nobody_asks_for_news(lab):
    settings = json.loads(ask(lab, f"lab/api/settings/{KALE}").data)
    defaults = {name: one["default"] for name, one in settings["schema"]["properties"].items()}
    assert defaults["enableKaleByDefault"]
    assert defaults["autoSaveOnCompileOrRun"]
    page = ask(lab, "lab").data.decode()
    config = json.loads(re.search(r'"jupyter-config-data"[^>]*>(.*?)</script>', page, re.S)[1])
    assert config["news"] == {"disabled": True}
    assert config["extensionManager"]["can_install"] is False


def test_notebooks_find_the_server(lab):
    """What kfp's client and `fastkf submit` read in a kernel or a terminal of JupyterLab."""
    variables = modules_of(lab)[MODULE].environ()
    host, _ = endpoint.find_endpoint(variables)
    token = {"Authorization": f"Bearer {variables['KF_PIPELINES_TOKEN']}"}
    health = urllib3.request("GET", host + endpoint.HEALTH, headers=token)
    assert health.status == 200
    assert urllib3.request("GET", host + endpoint.HEALTH).status == 401
    assert endpoint.read_kale_config(variables)["host"] == host


@pytest.mark.security
def test_kfp_kale_and_fastkf_need_no_more_than_the_variables_of_a_kernel(lab):
    """As the guide shows it; each in a process that has these variables alone."""
    variables = modules_of(lab)[MODULE].environ()
    guide = (places.PROJECT / "labs" / "one_click.md").read_text()
    [shown] = re.findall(r"^```python\n(.*?)^```", guide, re.M | re.S)
    kale = "from kale.common.kfp_client_factory import get_kfp_client\nclient = get_kfp_client()\n"
    for program in (shown, kale):
        program += "print('multi-user:', client.get_kfp_healthz().multi_user)"
        command = [sys.executable, "-W", "ignore", "-c", program]
        result = subprocess.run(command, env=variables, capture_output=True, text=True)
        assert "multi-user: False" in result.stdout, result.stderr
    result = fastkf("submit", "--terminate", "none", env=variables)
    assert "run none not found" in result.output
    assert fastkf("doctor", env=variables).output.count("Pipelines fastkf-") == 1


def test_only_this_machine_and_only_with_the_token(lab):
    listening = [
        connection.laddr.ip
        for process in modules_of(lab).values()
        for connection in process.connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert set(listening) == {"127.0.0.1"}
    assert ask(lab, "api/contents", token=False).status == 403
    assert ask(lab, "lab", token=False).status == 302
    assert ask(lab, "pipelines/", token=False).status == 302
    assert ask(lab, "pipelines/apis/v2beta1/runs", "POST", token=False).status == 403
    assert ask(lab, "api/contents").status == 200
    words = [word for process in modules_of(lab).values() for word in process.cmdline()]
    assert not [word for word in words if lab.token in word]  # other users can read them
    assert stat.S_IMODE(lab.logs.stat().st_mode) == 0o700


def test_a_gateway_has_a_name_of_its_own(lab):
    assert ask(lab, "api/contents", headers={"Host": "kubeflow.example.com"}).status == 200


def test_the_pages_of_the_runs_are_behind_the_base_url(lab):
    assert lab.pipelines == f"{lab.address}pipelines/"
    assert modules_of(lab)[MODULE].environ()[PAGES_VARIABLE] == f"{BASE_URL}pipelines"
    page = ask(lab, "pipelines/")
    assert page.status == 200
    assert b"<html" in page.data
    assert ask(lab, "pipelines").headers["location"] == f"{BASE_URL}pipelines/"
    assert json.loads(ask(lab, "pipelines/apis/v2beta1/experiments?page_size=1").data)
    missing = ask(lab, "pipelines/apis/v2beta1/runs/none")
    assert missing.status == 404
    assert "none" in json.loads(missing.data)["message"]


@pytest.mark.parametrize(
    ("origin", "status"),
    [("{own}", 200), ("http://elsewhere.example.com", 403), ("null", 403), (None, 403)],
)
def test_a_foreign_page_cannot_use_the_cookie(lab, origin, status):
    """What a browser sends for a form or a script of a page, with the reader's cookie."""
    own = lab.address.removesuffix(BASE_URL)
    headers = {"Cookie": log_in(lab), "Content-Type": "application/json"}
    if origin:
        headers["Origin"] = origin.format(own=own)
    body = json.dumps({"display_name": f"of {origin}"})
    path = "pipelines/apis/v2beta1/experiments"
    answer = ask(lab, path, "POST", token=False, headers=headers, body=body)
    assert answer.status == status


def test_one_click_behind_a_base_url(lab, chromium):
    """All that the browser needs comes through JupyterLab's own address."""
    with browser.open_page(chromium) as page:
        in_lab = NotebookPage(page, lab)
        in_lab.open("add.ipynb")
        notebooks = Path(modules_of(lab)[MODULE].cwd())
        in_lab.wait_for_panel(read(notebooks / "add.ipynb"))
        in_lab.press_run_above_the_notebook()
        link = in_lab.wait_for_run()
        assert link.get_attribute("href").startswith(f"{BASE_URL}pipelines/#/runs/details/")
        with page.context.expect_page() as opened:
            link.click()
        run = browser.WatchedPage(opened.value)
        run.wait_for_selector(".verdict strong")
        assert run.inner_text(".verdict strong").strip() == "Succeeded"
        assert run.inner_text(".metrics dd") == "3"
        assert run.requested_elsewhere(lab.address) == page.requested_elsewhere(lab.address) == []
        package = (notebooks / ".kale" / "example.pipeline.yaml").read_text()
        assert f"image: {IMAGE}" in package


def test_they_end_with_their_parent_however_it_ends(lab):
    """The last test that uses the lab of the module: another would take ten seconds to start."""
    processes = processes_of(lab)
    assert modules_of(lab).keys() >= {MODULE, "fastkf.cli"}  # and kernels of other tests
    assert lab.end(signal.SIGKILL)[0] == -signal.SIGKILL
    wait_until_gone(processes)


class Upstream(http.server.BaseHTTPRequestHandler):
    """In the place of the pipelines server: says what it was asked, and streams."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer is sent in two parts

    def do_GET(self):
        if self.path == "/redirect":
            self.answer(303, b"", {"Location": f"http://{self.headers['Host']}/there?a=b"})
        elif self.path == "/stream":
            self.stream()
        elif self.path.startswith(proof.PATH):
            self.answer(200, compute_proof(self, self.server.note.secret).encode())
        elif self.path == "/silent":
            self.close_connection = True
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            asked = {"path": self.path, "headers": dict(self.headers), "body": body}
            self.answer(200, json.dumps(asked).encode())

    do_POST = do_GET

    def answer(self, status: int, body: bytes, headers: dict | None = None):
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": len(body)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def stream(self):
        """Sends one piece and no end; notes when the reader has gone."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"6\r\nfirst\n\r\n")
        self.wfile.flush()
        self.connection.settimeout(60)
        if self.connection.recv(1) == b"":
            self.server.is_left.set()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    """A fake server that notes itself in a data folder, as `fastkf server` does."""
    folder = tmp_path_factory.mktemp("upstream")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        server.folder, server.is_left = folder, threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        server.note = write_note(folder, server.url)
        (folder / "token").write_text("secret-of-the-server\n")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def passing(upstream):
    """A lab that uses the server that runs already."""
    notebooks = write_notebooks(upstream.folder)
    variables = {"FASTKF_SERVER": str(upstream.folder), "PYTHONPROFILEIMPORTTIME": "1"}
    with start_lab(notebooks, **variables) as lab:
        yield lab


def test_a_server_that_runs_already_is_used(passing, upstream):
    assert passing.pipelines == f"{passing.address}pipelines/"
    variables = modules_of(passing)[MODULE].environ()
    assert variables[PAGES_VARIABLE] == f"{passing.address}pipelines"
    assert variables["KF_PIPELINES_ENDPOINT"] == upstream.url
    assert modules_of(passing).keys() == {MODULE}


def test_jupyterlab_starts_without_the_grammar_of_iris(passing):
    """Half of the time that importing JupyterLab would take."""
    log = (passing.logs / "jupyterlab.log").read_text()
    imported = re.findall(r"^import time: .*\| +(\S+)$", log, re.M)
    assert {"jsonschema._format", "jupyterlab"} <= set(imported)
    assert not [name for name in imported if name.startswith(GRAMMAR)]


def test_the_note_of_a_server_that_was_killed_is_not_taken(upstream, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTKF_SERVER", str(tmp_path))
    started = write_note(tmp_path, upstream.url)
    local_server.write(tmp_path, replace(started, started=0.0))  # its id is another process's now
    monkeypatch.setattr(upstream, "note", started)

    class Starting:
        def wait(self, is_ready, *_):
            assert not is_ready()
            local_server.write(tmp_path, started)
            assert is_ready()

        def has(self, pid):
            return pid == started.pid

    running = []
    assert session.find_server(lambda *_: Starting(), running) == started
    assert len(running) == 1


def test_of_two_servers_that_start_together_the_one_that_has_the_folder_is_used(
    upstream, tmp_path, monkeypatch
):
    """The other ends at once; that is no end of the lab's."""
    folder = tmp_path / "server"
    folder.mkdir()
    monkeypatch.setenv("FASTKF_SERVER", str(folder))
    lock = FileLock(folder / local_server.LOCK)
    lock.acquire()  # it starts, and has not said yet where it is
    services, running = [], []

    def start(name, command):
        with (tmp_path / "log").open("wb") as log:
            services.append(Service(name, processes.start(["false"], log), tmp_path / "log"))
        services[0].process.wait()
        return services[0]

    def is_taken(folder):
        taken = look(folder)
        monkeypatch.setattr(upstream, "note", write_note(folder, upstream.url))
        return taken

    look = local_server.is_taken
    monkeypatch.setattr(local_server, "is_taken", is_taken)
    try:
        assert session.find_server(start, running).url == upstream.url
        assert running == []
    finally:
        lock.release()
    with pytest.raises(FastkfError, match="has ended"):
        services[0].wait(lambda: False, lambda: look(folder))


@pytest.mark.security
def test_the_pages_of_a_foreign_program_are_not_shown(upstream, tmp_path, monkeypatch):
    """It listens where the server was: it gets no token, and JupyterLab is not even started."""
    monkeypatch.setenv("FASTKF_SERVER", str(tmp_path))
    write_note(tmp_path, upstream.url)  # with another secret than the one that listens there
    with pytest.raises(FastkfError, match="another program answers there"):
        session.find_server(None, [])


def test_the_own_server_is_known_by_its_address(upstream, monkeypatch):
    """Its pages are shown through JupyterLab then too: a browser has no cookie for it."""
    monkeypatch.setenv("FASTKF_SERVER", str(upstream.folder))
    assert session.is_own(Endpoint(upstream.url))
    assert session.is_own(Endpoint(upstream.url.replace("127.0.0.1", "localhost")))
    assert not session.is_own(Endpoint("http://127.0.0.1:9"))
    assert not session.is_own(Endpoint(upstream.url, token_file=upstream.folder / "token"))


@pytest.mark.security
def test_a_foreign_program_on_the_port_of_jupyterlab_is_not_taken_for_it(upstream, tmp_path):
    """Its address is shown with a token, and a browser is sent there."""
    port, command = upstream.server_port, ["sleep", "600"]
    with (tmp_path / "log").open("wb") as log:
        silent = Service("JupyterLab", processes.start(command, log), tmp_path / "log")
        try:
            assert answers(f"{upstream.url}/api")
            assert not silent.listens_on(port)
        finally:
            processes.end([silent.process])


@pytest.mark.security
def test_a_foreign_program_that_takes_the_port_meanwhile_is_not_shown(
    passing, upstream, monkeypatch
):
    assert ask(passing, "pipelines/").status == 200
    asked = []

    def answer_as_another(handler):
        asked.extend(name.lower() for name in handler.headers)
        handler.answer(200, b"<script>evil()</script>")

    monkeypatch.setattr(Upstream, "do_GET", answer_as_another)
    answer = ask(passing, "pipelines/")
    assert answer.status == 502
    assert b"another program answers there" in answer.data
    assert b"evil" not in answer.data
    assert "host" in asked
    assert "authorization" not in asked


def test_requests_are_passed_on_whole_but_without_the_secrets_of_jupyter(passing, upstream):
    headers = {"Cookie": log_in(passing), "Accept": "text/x-test", "X-Forwarded-For": "1.2.3.4"}
    headers["Origin"] = passing.address.rstrip("/")
    answer = ask(
        passing, "pipelines/a%2Fb/c?d=%20e", "POST", token=False, headers=headers, body="f" * 10
    )
    asked = json.loads(answer.data)
    got = {name.lower(): value for name, value in asked["headers"].items()}
    assert asked["path"] == "/a%2Fb/c?d=%20e"
    assert asked["body"] == "f" * 10
    assert got["host"] == upstream.url.removeprefix("http://")
    assert got["accept"] == "text/x-test"
    assert got["authorization"] == "Bearer secret-of-the-server"
    assert not got.keys() & {"cookie", "origin", "referer"}


def test_a_redirect_stays_behind_the_base_url(passing):
    answer = ask(passing, "pipelines/redirect")
    assert (answer.status, answer.headers["location"]) == (303, "/pipelines/there?a=b")


def test_a_server_that_does_not_answer_is_named(passing):
    answer = ask(passing, "pipelines/silent")
    assert answer.status == 502
    assert b"The pipelines server does not answer" in answer.data


def test_an_answer_comes_as_it_is_written_and_ends_with_its_reader(passing, upstream):
    answer = ask(passing, "pipelines/stream", preload_content=False)
    assert answer.read1() == b"first\n"
    answer.close()
    assert upstream.is_left.wait(60)


def test_ctrl_c_ends_all_and_leaves_the_settings_of_the_user_alone(own, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    shared = {path: path.read_bytes() for path in SHARED_SETTINGS.rglob("*") if path.is_file()}
    with own(HOME=str(home), XDG_DATA_HOME=str(tmp_path / "data")) as lab:
        processes = processes_of(lab)
        code, output = lab.end(signal.SIGINT)
        assert code == 0
        assert output.endswith("ended\n")
        wait_until_gone(processes)
        assert not lab.logs.exists()
    written = [path.relative_to(home) for path in home.rglob("*") if path.is_file()]
    assert not [path for path in written if path.parts[0] == ".config"]
    assert {path.parts[:2] for path in written if path.parts[0] == ".jupyter"} <= {
        (".jupyter", "migrated")  # of every Jupyter's first start
    }
    assert shared == {p: p.read_bytes() for p in SHARED_SETTINGS.rglob("*") if p.is_file()}


def test_a_kubeflow_that_does_not_answer_is_named_and_jupyterlab_works(own):
    """A container that starts before the cluster is up must not end. SIGTERM ends it."""
    with own("--host", "http://127.0.0.1:9") as lab:
        assert modules_of(lab).keys() == {MODULE}
        processes = processes_of(lab)
        code, output = lab.end(signal.SIGTERM)
        assert code == 0
        assert "http://127.0.0.1:9: no answer (Connection refused)" in output
        wait_until_gone(processes)


@pytest.mark.parametrize(
    ("module", "name"),
    [("fastkf.cli", "The pipelines server"), (MODULE, "JupyterLab")],
)
def test_one_that_dies_ends_the_other_and_is_named(own, module, name):
    with own() as lab:
        processes = processes_of(lab)
        modules_of(lab)[module].kill()
        assert lab.process.wait(60) == 1
        wait_until_gone(processes)
        output = lab.output.read_text()
        assert f"fastkf: {name} has ended (exit code 137)" in output
        [log] = re.findall(r"its log, (\S+):", output)
        assert Path(log).parent == lab.logs
        assert Path(log).exists()


def test_a_jupyterlab_that_does_not_start_says_why(tmp_path):
    options = ("--host", "http://127.0.0.1:9", "--", "--ServerApp.ip=256.0.0.1")
    variables = {**os.environ, "TMPDIR": str(tmp_path)}
    command = fastkf("lab", "--no-browser", write_notebooks(tmp_path), *options, env=variables)
    assert command.code == 1
    assert "fastkf: JupyterLab has ended (exit code 1)" in command.output
    assert "Traceback" not in command.output.split("The end of its log")[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing_such"], "no such lab or notebook"),
        (["README.md"], "give a notebook (.ipynb) or a folder of notebooks"),
        (["--token-file", "token"], "give its --host"),
        (["--host", "not an address"], "not an address"),
        (["--port", "{taken}"], "another program listens there"),
    ],
)
def test_wrong_use(words, message, upstream, monkeypatch, capsys):
    monkeypatch.chdir(places.PROJECT)
    words = [word.format(taken=upstream.server_port) for word in words]
    code = app(["lab", "--no-browser", *words], standalone_mode=False)
    assert code == UsageError.exit_code
    assert message in capsys.readouterr().err


def test_the_commands_of_the_guide(tmp_path, monkeypatch):
    """They are taken; what they start is what the other tests start."""
    asked = []
    monkeypatch.setattr(session, "work", lambda options, ready: asked.append(options))
    monkeypatch.setattr(places, "WORKBOOK", tmp_path / "workbook")
    monkeypatch.delenv("NB_PREFIX", raising=False)
    monkeypatch.chdir(tmp_path)
    write_notebook(tmp_path / "my_folder" / "my.ipynb", CELLS)
    for words in fastkf_commands(places.PROJECT / "labs" / "one_click.md"):
        if words[0] == "lab":
            app(words, standalone_mode=False)
    assert [options.place.name for options in asked][:2] == ["my_folder", "my.ipynb"]
    assert asked[2].server.host == "http://127.0.0.1:8080"
    assert (asked[3].base_url, asked[3].browser) == ("/my/path/", False)
    assert asked[4].jupyter == ["--ServerApp.ip=0.0.0.0", "--IdentityProvider.token="]


def test_data_of_the_labs_are_fetched_where_they_are_missing(tmp_path, monkeypatch, capsys):
    fetched = []

    def fetch(names, *_):
        fetched.append(names)
        raise FastkfError("the network is down")

    monkeypatch.setattr(data, "fetch", fetch)
    fetch_data(places.NOTEBOOKS, Display())
    assert fetched == []
    fetch_data(tmp_path, Display())
    monkeypatch.setattr(places, "DATA", tmp_path)
    fetch_data(tmp_path, Display())
    assert fetched == []
    fetch_data(places.NOTEBOOKS / "02_titanic.ipynb", Display())
    assert fetched == [list(data.read_sources())]
    assert "the network is down" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("base_url", "options", "variables", "far"),
    [
        ("/", [], {}, False),
        ("/my/path/", [], {}, True),
        ("/", ["--ServerApp.ip=0.0.0.0"], {}, True),
        ("/", ["--LabApp.collaborative=True"], {"SSH_CONNECTION": "10.0.0.1 5 10.0.0.2 22"}, True),
    ],
)
def test_links_lead_through_jupyterlab_where_the_browser_may_be_far(
    base_url, options, variables, far
):
    assert pipelines.is_browser_far(base_url, options, variables) is far


def test_kale_is_told_where_the_credentials_are_and_not_what_they_are(tmp_path):
    token = tmp_path / "token"
    token.write_text("secret")
    kind = "existing_bearer_token"
    assert pipelines.describe(Credentials()) == {"auth_type": "none"}
    assert pipelines.describe(VariableToken(TOKEN_VARIABLE, "secret")) == {
        "auth_type": kind,
        "auth_config": {"env_var": TOKEN_VARIABLE},
    }
    assert pipelines.describe(FileToken(token)) == {
        "auth_type": kind,
        "auth_config": {"file_path": str(token)},
    }

    class Session(Credentials):
        def headers(self):
            return {"cookie": "authservice_session=secret"}

    assert pipelines.describe(Session(), tmp_path) == {
        "auth_type": "dex",
        "auth_config": {"file_path": str(tmp_path / "cookies")},
    }
    assert (tmp_path / "cookies").read_text() == "authservice_session=secret"


def test_a_kubeflow_is_used_in_the_place_of_the_server(upstream, tmp_path, monkeypatch):
    monkeypatch.delenv(PAGES_VARIABLE, raising=False)
    token = upstream.folder / "token"
    server = Endpoint(upstream.url, token_file=token, namespace="mine")
    found = pipelines.cluster_pipelines(server, tmp_path, "/")
    assert found.kale == {
        "host": upstream.url,
        "namespace": "mine",
        "auth_type": "existing_bearer_token",
        "auth_config": {"file_path": str(token)},
    }
    assert found.variables == {"KF_PIPELINES_ENDPOINT": upstream.url}
    assert not found.pages
    assert "not as Kubeflow Pipelines does" in found.warning
