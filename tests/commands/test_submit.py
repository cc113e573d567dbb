"""`fastkf submit` against the local server, over real HTTP, with and without faults on the way."""

import io
import json
import re
import signal
import time
from pathlib import Path

import kfp_server_api
import pytest
from build import write_notebook
from conftest import fastkf, start
from faulty import Proxy, answer, cut, drop, page, slow
from kfp import compiler, dsl
from rich.console import Console
from servers import Server

from fastkf.base import endpoint
from fastkf.base.errors import FastkfError, UsageError
from fastkf.cli.display import Display
from fastkf.cluster import auth, follow, submit
from fastkf.cluster.errors import ClusterError, RejectedError
from fastkf.cluster.source import read_source
from fastkf.cluster.target import Endpoint, connect
from fastkf.cluster.upload import find_experiment, name_version, upload
from fastkf.course.step_image import has_data
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.model import read
from fastkf.package.errors import PackageError
from fastkf.runs.model import Run

pytestmark = pytest.mark.slow

ADDING = [
    ("markdown", "# Adding"),
    ("imports", "import time"),
    (
        ["pipeline-parameters", "parameters"],
        'count = 3\nPause = 0.0\nfast = True\ndata_dir = "../data/none"',
    ),
    ("step:load", "number = float(count)\ntime.sleep(Pause)"),
    (["step:double", "prev:load"], "total_value = number * 2"),
    ("pipeline-metrics", "print(total_value)"),
]
HOME = Path("runs")
DIGEST = f"sha256:{12:064x}"
OURS = "localhost/fast-kubeflow/step:1.0"
HEALTH = json.dumps({"tag_name": "2.17.0", "multi_user": False})
SHARED = json.dumps({"tag_name": "2.17.0", "multi_user": True})


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """No endpoint and no credentials but the test's."""
    for name in (endpoint.ENDPOINT_VARIABLE, auth.TOKEN_VARIABLE, auth.POD_TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(endpoint.KALE_CONFIG_VARIABLE, str(tmp_path / "kale.json"))
    monkeypatch.setenv("FASTKF_SERVER", str(tmp_path / "no-server"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A local server, a process of its own."""
    with Server(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


@pytest.fixture
def local(server, monkeypatch):
    """The address of a local server, whose note is found."""
    monkeypatch.setenv("FASTKF_SERVER", str(server.folder))
    return server.url


@pytest.fixture(scope="module")
def adding(tmp_path_factory) -> Path:
    cells = [(tags, text.replace("../data/none", "/tmp")) for tags, text in ADDING]
    return write_notebook(tmp_path_factory.mktemp("nb") / "adding.ipynb", cells, "adding")


@pytest.fixture(scope="module")
def package(adding) -> Path:
    return compile_notebook(read(adding), adding.parent / "adding.yaml")


@pytest.fixture
def proxy(server):
    """What stands before the server knows its token; whoever asks the proxy need not."""
    headers = {"authorization": f"Bearer {server.token}"}
    with Proxy(server.url, headers) as proxy:
        yield proxy


class Shown:
    """A display, and what it has shown."""

    def __init__(self, terminal: bool = False):
        self.file = io.StringIO()
        console = Console(file=self.file, width=200, highlight=False, force_terminal=terminal)
        self.display = Display(console)

    @property
    def text(self) -> str:
        return self.file.getvalue()


@pytest.fixture
def shown():
    return Shown()


def send(package, host, shown, folder=None, server=None, **options) -> Run | None:
    """Submits a package in this process."""
    source = read_source(package, shown.display, given=options.pop("given", {}))
    options = submit.Options(HOME, output=folder, **options)
    return submit.submit(source, server or Endpoint(host), options, shown.display)


def runs_of(host) -> list:
    service = kfp_server_api.RunServiceApi(connect(Endpoint(host)).connection)
    return service.run_service_list_runs(page_size=50, sort_by="created_at desc").runs or []


def test_a_notebook_is_checked_compiled_uploaded_run_and_followed(local, adding, tmp_path):
    words = ["submit", adding, "--host", local, "-p", "count=5", "-p", "fast=no"]
    result = fastkf(*words, "--experiment", "mine", folder=tmp_path / "run")
    assert result.code == 0, result.output
    run = runs_of(local)[0]
    for told in (
        "✓ adding: 2 steps, tags checked",
        "with the token in ",
        "✓ compiled",
        "✓ uploaded adding: a new pipeline",
        "in the experiment mine",
        "✓ load",
        "✓ double",
        f"Run: {local}/#/runs/details/{run.run_id}",
    ):
        assert told in result.output
    record = result.record
    assert record["status"] == "succeeded"
    assert record["pipeline"]["metrics"] == {"total_value": 10.0}
    assert record["parameters"] == {"count": 5, "Pause": 0.0, "fast": False, "data_dir": "/tmp"}
    assert run.runtime_config.parameters == {"count": 5, "fast": False}
    assert [step["status"] for step in record["pipeline"]["steps"]] == ["succeeded"] * 2
    assert "Ran on Kubeflow Pipelines" in (tmp_path / "run" / "report.html").read_text()
    assert (tmp_path / "run" / "pipeline.yaml").exists()


def test_a_step_that_fails_is_explained(local, tmp_path):
    cells = [
        ("imports", "import math"),
        ("step:load", "number = 3"),
        (["step:divide", "prev:load"], "whole = number\nratio = whole / 0"),
    ]
    path = write_notebook(tmp_path / "failing.ipynb", cells, "failing")
    result = fastkf("submit", path, "--host", local, folder=tmp_path / "run")
    assert result.code == 1
    assert "✗ divide" in result.output
    assert "Traceback (most recent" not in result.output.split("The end")[0]
    error = "ZeroDivisionError: division by zero (cell 3, line 2: ratio = whole / 0)"
    assert f"step divide: {error}" in result.output
    assert "The end of the log of divide:" in result.output
    assert "----> 2 ratio = whole / 0" in result.output
    assert "ZeroDivisionError" in (tmp_path / "run" / "logs" / "divide.log").read_text()
    assert result.record["pipeline"]["steps"][1]["error"] == error


def test_a_connection_lost_on_the_way_is_taken_up_again(proxy, package, tmp_path, shown):
    one_run = r"GET /apis/v2beta1/runs/[\w-]+$"
    for do in (drop, answer(502, "bad gateway"), cut, slow(1), answer(500, '{"message":"locked"}')):
        proxy.hinder(one_run, do, times=1)
    run = send(package, proxy.url, shown, tmp_path, given={"count": "4"})
    assert run.state == "succeeded", shown.text
    assert run.pipeline.metrics == {"total_value": 8.0}
    assert all(rule.times == 0 for rule in proxy.rules)
    assert "no answer" in shown.text
    assert "trying again for up to 10 minutes" in shown.text
    assert "connected again" in shown.text


def test_a_run_can_be_left_followed_and_ended(local, package, tmp_path):
    """Ctrl-C ends the following; the commands that it prints do the rest."""
    words = ["submit", package, "--host", local, "-p", "pause=60"]
    process = start(*words, "--output", tmp_path / "first")
    lines = []
    while not any(line.startswith("Run:") for line in lines):
        lines.append(process.stdout.readline())
        assert lines[-1], "".join(lines)
    while runs_of(local)[0].state == "PENDING":
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=30)
    run_id = runs_of(local)[0].run_id
    assert process.returncode == 1
    assert "Traceback" not in rest
    assert f"the run {run_id} goes on; it is not followed any more" in rest
    assert f"follow it again: fastkf submit --follow {run_id} --host {local}" in rest
    assert json.loads((tmp_path / "first" / "run.json").read_text())["status"] == "running"
    assert runs_of(local)[0].state in ("RUNNING", "PENDING")

    ended = fastkf("submit", "--terminate", run_id, "--host", local)
    assert ended.code == 0
    assert "told to end" in ended.output
    followed = fastkf("submit", "--follow", run_id, "--host", local, folder=tmp_path / "second")
    assert followed.code == 1
    assert followed.record["status"] == "failed"
    assert followed.record["parameters"] == {
        "pause": 60,
        "count": 3,
        "data_dir": "/tmp",
        "fast": True,
    }
    assert "terminated" in followed.output


def test_patience_ends_and_says_how_to_go_on(proxy, package, tmp_path, shown):
    proxy.hinder(r"GET /apis/v2beta1/runs/", drop)
    with pytest.raises(follow.DetachedError) as raised:
        send(package, proxy.url, shown, tmp_path, patience=1.0)
    told = str(raised.value)
    assert "given up after 1 seconds" in told
    assert "fastkf submit --follow" in told
    assert raised.value.exit_code == 1
    proxy.rules.clear()
    run_id = told.split("--follow ")[1].split()[0]
    options = submit.Options(HOME, output=tmp_path / "again")
    on_terminal = Shown(terminal=True)
    run = submit.follow_run(run_id, Endpoint(proxy.url), options, on_terminal.display)
    assert "pipeline, steps" in on_terminal.text  # the bar
    assert run.state == "succeeded"
    assert run.pipeline.metrics == {"total_value": 6.0}


def test_a_run_that_is_not_waited_for(local, package, tmp_path):
    result = fastkf("submit", package, "--host", local, "--no-wait", "-p", "pause=30", cwd=tmp_path)
    assert result.code == 0
    run = runs_of(local)[0]
    assert f"fastkf submit --follow {run.run_id}" in result.output
    assert list(tmp_path.iterdir()) == []
    assert fastkf("submit", "--terminate", run.run_id, "--host", local).code == 0


def test_versions_are_new_each_time_and_say_what_they_are(local, package):
    client = connect(Endpoint(local))
    first = upload(client.connection, package, "versions", None, "")
    second = upload(client.connection, package, "versions", None, "")
    assert first.is_new_pipeline
    assert not second.is_new_pipeline
    assert first.pipeline_id == second.pipeline_id
    assert first.id != second.id
    assert re.fullmatch(r"versions-\d{8}-\d{6}\.\d{3}-[0-9a-f]{8}", second.name)
    assert name_version("versions", package)[-8:] == second.name[-8:]


def test_a_version_of_the_same_name_is_a_conflict(local, package):
    connection_ = connect(Endpoint(local)).connection
    upload(connection_, package, "conflicts", "v1", "")
    with pytest.raises(
        ClusterError, match="a version named v1 already; give another with --version"
    ):
        upload(connection_, package, "conflicts", "v1", "")


def test_an_experiment_is_made_once(local):
    connection_ = connect(Endpoint(local)).connection
    assert find_experiment(connection_, "once", "") == find_experiment(connection_, "once", "")


def test_a_name_that_someone_else_has_is_a_conflict(proxy, package, shown):
    proxy.hinder(r"GET .*/pipelines\?", answer(200, "{}"))
    taken = answer(409, '{"error_message":"already exists","error_details":"long"}')
    proxy.hinder(r"POST .*/pipelines/upload\?", taken)
    with pytest.raises(ClusterError, match="a pipeline named adding exists already.*pipeline_name"):
        send(package, proxy.url, shown, wait=False)


def test_what_the_server_rejects_comes_with_its_reason(local, package, tmp_path, shown):
    send(package, local, shown, folder=tmp_path / "run")
    run_id = runs_of(local)[0].run_id
    with pytest.raises(RejectedError, match=r"rejects it \(400\).*ended already"):
        submit.terminate_run(run_id, Endpoint(local), shown.display)


def test_a_package_with_a_hole_is_not_sent(local, package, tmp_path, shown):
    broken = tmp_path / "broken.yaml"
    text = package.read_text()
    broken.write_text(text.replace("name: comp-load-step", "name: comp-gone"))
    with pytest.raises(PackageError, match="comp-gone"):
        send(broken, local, shown, wait=False)
    names = kfp_server_api.PipelineServiceApi(connect(Endpoint(local)).connection)
    before = names.pipeline_service_list_pipelines(page_size=50).pipelines
    assert "broken" not in [one.name for one in before]


@pytest.mark.parametrize(
    ("pattern", "do", "told"),
    [
        ("healthz", drop, "no answer"),
        ("healthz", page(200, "dashboard"), "web page"),
        (r"GET .*/pipelines\?", answer(302, location="/dex/auth"), "sends you to sign in"),
        (r"GET .*/pipelines\?", answer(401, "{}"), "does not know who you are"),
        (r"POST .*/upload", answer(403, '{"message":"not authorized"}'), "not authorized"),
        (r"POST .*/upload", answer(400, '{"error_message":"bad spec"}'), "bad spec"),
        (r"POST .*/experiments", answer(503, ""), "not up behind it"),
        (r"POST .*/runs", answer(400, '{"message":"no such parameter"}'), "no such parameter"),
        (r"POST .*/runs", drop, "Whether the run was created is not known"),
    ],
)
def test_each_fault_on_the_way_is_one_message(proxy, package, tmp_path, shown, pattern, do, told):
    proxy.hinder(pattern, do)
    with pytest.raises(FastkfError, match=told) as raised:
        send(package, proxy.url, shown, tmp_path / "run", experiment=f"new {pattern}")
    assert raised.value.exit_code == 1
    assert proxy.url in str(raised.value)


def test_a_refusal_while_waiting_ends_the_following_only(proxy, package, tmp_path, shown):
    proxy.hinder(r"GET /apis/v2beta1/runs/", answer(403, '{"message":"no more"}'))
    with pytest.raises(follow.DetachedError, match="no more(.|\n)*fastkf submit --follow"):
        send(package, proxy.url, shown, tmp_path)


def test_a_token_goes_with_every_request_and_into_no_output(proxy, package, tmp_path, shown):
    (tmp_path / "token").write_text("very.secret.token")
    proxy.hinder(r"POST .*/runs", answer(400, '{"message":"stop here"}'))
    server = Endpoint(proxy.url, token_file=tmp_path / "token")
    with pytest.raises(RejectedError):
        send(package, None, shown, tmp_path / "run", server=server)
    assert len(proxy.seen) >= 4
    tokens = {request.headers.get("authorization") for request in proxy.seen}
    assert tokens == {"Bearer very.secret.token"}
    assert "secret" not in shown.text
    assert "with the token in" in shown.text


def test_a_namespace_goes_with_all_that_is_made(proxy, package, shown):
    proxy.hinder("healthz", answer(200, SHARED))
    proxy.hinder(r"GET .*/(pipelines|experiments)\?", answer(200, "{}"))
    proxy.hinder(r"POST .*/(upload|experiments)", answer(400, '{"message":"stop here"}'))
    server = Endpoint(proxy.url, namespace="team-a")
    with pytest.raises(RejectedError):
        send(package, None, shown, wait=False, server=server)
    with pytest.raises(RejectedError):
        find_experiment(connect(server).connection, "new", "team-a")
    lists = [one for one in proxy.seen if one.method == "GET" and "healthz" not in one.path]
    uploads = [one for one in proxy.seen if "/upload?" in one.path]
    assert len(lists) == 2
    assert len(uploads) == 1
    assert all("namespace=team-a" in one.path for one in [*lists, *uploads])
    assert json.loads(proxy.seen[-1].body) == {"display_name": "new", "namespace": "team-a"}


@pytest.mark.parametrize(
    ("given", "warned"),
    [
        ({}, True),
        ({"data_dir": "s3://data/titanic"}, False),
        ({"data_dir": "/data"}, False),
        ({"image": OURS}, True),
        ({"image": OURS, "data_dir": "../data/titanic"}, False),
        ({"image": f"ghcr.io/ada/fast-kubeflow/step@{DIGEST}", "data_dir": "../data"}, False),
        ({"image": "localhost/my-fast-kubeflow/step:1.0", "data_dir": "../data/titanic"}, True),
        ({"image": OURS, "data_dir": "../../data/titanic"}, True),
    ],
)
def test_relative_data_on_a_cluster_are_warned_of(proxy, tmp_path, shown, given, warned):
    path = write_notebook(tmp_path / "n.ipynb", ADDING, "warned")
    proxy.hinder("healthz", answer(200, HEALTH))
    proxy.hinder(r"GET .*/pipelines\?", answer(403, "stop here"))
    options = submit.Options(HOME, wait=False, has_data=has_data)
    source = read_source(path, shown.display, given={}, **given)
    with pytest.raises(ClusterError, match="stop here"):
        submit.submit(source, Endpoint(proxy.url), options, shown.display)
    assert ("data_dir is ../" in shown.text) is warned
    assert warned is ("--data-dir s3://" in shown.text)


def test_parameters_image_and_data_are_those_that_are_named(proxy, tmp_path, shown):
    path = write_notebook(tmp_path / "n.ipynb", ADDING, "imaged")
    proxy.hinder(r"POST .*/runs", answer(400, '{"message":"stop here"}'))
    options = submit.Options(HOME, output=tmp_path / "r")
    source = read_source(
        path,
        shown.display,
        given={"Pause": "1"},
        data_dir="s3://here/there",
        image="registry.example.org/steps:3",
    )
    with pytest.raises(RejectedError):
        submit.submit(source, Endpoint(proxy.url), options, shown.display)
    assert "image: registry.example.org/steps:3" in (tmp_path / "r" / "pipeline.yaml").read_text()
    run = json.loads(proxy.seen[-1].body)
    # Kale writes the names of parameters in lower case.
    assert run["runtime_config"]["parameters"] == {"data_dir": "s3://here/there", "pause": 1.0}
    assert run["pipeline_version_reference"]["pipeline_version_id"]


def test_the_local_server_is_not_warned_of_relative_data(local, tmp_path, shown):
    path = write_notebook(tmp_path / "n.ipynb", ADDING, "local-data")
    options = submit.Options(HOME, wait=False)
    source = read_source(path, shown.display, given={})
    submit.submit(source, Endpoint(local), options, shown.display)
    assert "data_dir" not in shown.text


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def ask_with_a_table() -> str:
    import os

    import pandas

    return f"{os.environ['OWN_API_KEY']}{pandas.__version__}"


@dsl.pipeline
def asking():
    ask_with_a_table()


def test_what_the_containers_of_a_package_lack_is_told_before_it_is_sent(
    local, tmp_path, shown, monkeypatch
):
    monkeypatch.setenv("OWN_API_KEY", "of the terminal")
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "asking.yaml"
    compiler.Compiler().compile(asking, str(path))
    text = path.read_text()
    assert text.count("import pandas") == 1
    path.write_text(text.replace("import pandas", f"import pandas; str('{tmp_path}/asking.yaml')"))
    send(path, local, shown, wait=False)
    told = " ".join(shown.text.partition("started the run")[0].split())
    assert "ask-with-a-table imports pandas, and its container has no such module" in told
    assert "ask-with-a-table reads OWN_API_KEY of your terminal" in told
    assert f"ask-with-a-table names {path}, and no pod has your home folder" in told


def test_a_notebook_that_the_checks_reject_is_not_sent(proxy, tmp_path):
    path = write_notebook(tmp_path / "bad.ipynb", [("step:load", "x = 1"), ("wrong", "y = 2")])
    result = fastkf("submit", path, "--host", proxy.url, cwd=tmp_path)
    assert result.code == 1
    assert "unknown-tag" in result.output
    assert "fix what is listed above" in result.output
    assert proxy.seen == []
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "name a notebook or a package"),
        (["{package}", "--follow", "r1"], "name a notebook or a package"),
        (["{package}"], "`fastkf server` starts one"),
        (["{package}", "--host", "http://a b"], "not an address"),
        (["{package}", "--host", "http://a..b"], "not an address"),
        (["{package}", "--host", f"http://{'x' * 64}.com"], "not an address"),
        (["{package}", "--host", "http://xn--/"], "not an address"),
        (["{package}", "--host", "{host}", "-p", "colour=red"], "no parameter colour"),
        (["{package}", "--host", "{host}", "-p", "count=many"], "takes int"),
        (["{package}", "--host", "{host}", "--image", "x"], "--image is for notebooks"),
        (["{package}", "--host", "{host}", "--data-dir", "x", "-p", "data_dir=y"], "one of them"),
        (["none.yaml", "--host", "{host}"], "no such file"),
        (["no_such_lab", "--host", "{host}"], "no such lab"),
    ],
)
def test_wrong_use_exits_2_and_asks_nobody(
    proxy, package, tmp_path, words, told, capsys, monkeypatch
):
    from fastkf import cli

    given = [word.format(package=package, host=proxy.url) for word in words]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["fastkf", "submit", *given])
    with pytest.raises(SystemExit) as raised:
        cli.main()
    assert raised.value.code == 2
    assert told in capsys.readouterr().err
    assert proxy.seen == []


def test_a_pipeline_without_data_takes_no_data_dir(tmp_path, shown):
    path = write_notebook(tmp_path / "n.ipynb", [("step:load", "x = 1")])
    with pytest.raises(UsageError, match="no parameter data_dir for --data-dir"):
        read_source(path, shown.display, given={}, data_dir="s3://x")


def test_a_run_that_is_not_there_is_told(local, tmp_path):
    for option in ("--follow", "--terminate"):
        result = fastkf("submit", option, "no-such-run", "--host", local, cwd=tmp_path)
        assert result.code == 1
        assert "(404)" in result.output
        assert "no-such-run" in result.output
        assert "Traceback" not in result.output
