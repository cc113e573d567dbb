"""`fastkf run PACKAGE.yaml --docker` against a stand-in for the Docker engine.

No Docker engine runs here. The stand-in speaks as much of its protocol as a run needs, and runs a
container's command as a process in the component's folder: what is asked of the engine is tested,
and what it answers; not the engine, and not the images.
"""

import json
import os
import re
import signal
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from conftest import fastkf, start
from test_custom_images import LAB
from waiting import wait_for

from fastkf.base.errors import FastkfError
from fastkf.engine.limits import Limits
from fastkf.engine.tasks.docker import describe_limits, judge
from fastkf.engine.tasks.engines import Engine

pytestmark = pytest.mark.slow

pytest.importorskip("docker", reason="Docker's Python package is not installed")


class StandIn(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The stand-in: which images it has, and the containers that were made."""

    daemon_threads = True

    def __init__(self, address: str, components: Path):
        super().__init__(address, Handler)
        self.components = components
        self.images: set[str] | None = None  # all
        self.created: dict[str, dict] = {}
        self.processes: dict[str, subprocess.Popen] = {}
        self.removed: set[str] = set()
        self.lacks_memory = False

    def start(self, name: str) -> None:
        made = self.created[name]
        component = re.search(r"([\w.-]+):", made["Image"]).group(1)
        environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        environment |= dict(word.split("=", 1) for word in made["Env"])
        self.processes[name] = subprocess.Popen(
            [*(made["Entrypoint"] or []), *(made["Cmd"] or [])],
            cwd=self.components / component,
            env={**environment, "PYTHONPATH": str(self.components)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def remove(self, name: str) -> None:
        self.removed.add(name)
        if name in self.processes:
            self.processes[name].kill()


class Handler(BaseHTTPRequestHandler):
    """Answers as the engine's HTTP API does."""

    def do_GET(self):
        engine, path = self.server, unquote_plus(self.path)
        if path == "/version":
            return self.answer({"ApiVersion": "1.44", "MinAPIVersion": "1.24"})
        if path.endswith("/_ping"):
            return self.answer("OK")
        if path.endswith("/info"):
            return self.answer({"SecurityOptions": []})
        if image := re.search(r"/images/(.+)/json", path):
            known = engine.images is None or image.group(1) in engine.images
            return self.answer({"Id": "sha256:1"} if known else None, "no such image")
        if "/containers/json" in path:
            label = re.search(r'"label": ?\["(.+?)=(.+?)"\]', path).groups()
            alive = set(engine.created) - engine.removed
            mine = [n for n in alive if engine.created[n]["Labels"].get(label[0]) == label[1]]
            return self.answer([{"Id": name} for name in mine])
        name, what = re.search(r"/containers/(\w+)/(\w+)", path).groups()
        if what == "json":
            state = {"Running": False, "OOMKilled": engine.lacks_memory}
            return self.answer({"Id": name, "Config": {"Tty": False}, "State": state})
        return self.stream(engine.processes[name])

    def do_POST(self):
        engine = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "/images/create" in self.path:
            return self.answer(None, "pull access denied")
        if "/containers/create" in self.path:
            name = f"c{len(engine.created)}"
            engine.created[name] = json.loads(body)
            return self.answer({"Id": name})
        name, what = re.search(r"/containers/(\w+)/(\w+)", self.path).groups()
        if what == "start":
            engine.start(name)
            return self.answer("")
        code = -signal.SIGKILL if engine.lacks_memory else engine.processes[name].wait()
        return self.answer({"StatusCode": code if code >= 0 else 128 - code})

    def do_DELETE(self):
        self.server.remove(re.search(r"/containers/(\w+)", self.path).group(1))
        return self.answer("")

    def answer(self, content, problem: str = "") -> None:
        text = json.dumps(content if content is not None else {"message": problem})
        data = (content if isinstance(content, str) else text).encode()
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, process: subprocess.Popen) -> None:
        self.send_response(200)
        self.end_headers()
        for line in process.stdout:
            self.wfile.write(struct.pack(">BxxxL", 1, len(line)) + line)

    def log_message(self, *_):
        pass


@pytest.fixture
def engine():
    with tempfile.TemporaryDirectory() as folder:  # the path of a socket must be short
        address = f"{folder}/docker.sock"
        with StandIn(address, LAB) as server:
            server.environment = {**os.environ, "DOCKER_HOST": f"unix://{address}"}
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            yield server
            server.shutdown()


def run_in_docker(engine, folder, *options):
    words = [LAB / "pipeline.yaml", "--docker", *options]
    return fastkf("run", *words, folder=folder, env=engine.environment)


def test_each_container_is_asked_for_as_kubernetes_would_run_it(engine, tmp_path):
    command = run_in_docker(engine, tmp_path / "run", "-p", "max_depth=2")
    assert command.code == 0, command.output
    record = command.record
    assert "Each container ran in its image, with Docker." in record["note"]
    assert "The images were not used" not in command.output
    made = {one["Image"].split("/")[-1]: one for one in engine.created.values()}
    assert sorted(made) == [
        *("compare:1.0", "decision_tree:1.0", "fetch_data:1.0", "logistic_regression:1.0")
    ]
    tree = made["decision_tree:1.0"]
    assert tree["Entrypoint"] == ["python3"]
    assert tree["Cmd"][0] == "decision_tree.py"
    assert tree["Cmd"][-2:] == ["--max-depth", "2"]
    assert tree["User"] == f"{os.getuid()}:{os.getgid()}"
    assert "HOME=/tmp" in tree["Env"]
    artifacts = tmp_path / "run" / "artifacts"
    assert f"{artifacts}:{artifacts}:rw" in tree["HostConfig"]["Binds"]
    assert engine.removed == set(engine.created)
    log = (tmp_path / "run" / "logs" / "decision-tree.log").read_text()
    assert log.startswith("426 rows, accuracy in cross-validation")
    assert record["pipeline"]["metrics"]["logistic-regression.cv_accuracy"] == 0.9718
    assert record["pipeline"]["steps"][0]["image"] == "localhost/fast-kubeflow/fetch_data:1.0"


def test_a_container_that_fails_fails_its_step(engine, tmp_path):
    command = run_in_docker(engine, tmp_path / "run", "-p", "max_depth=0")
    steps = {step["name"]: step for step in command.record["pipeline"]["steps"]}
    assert command.code == 1
    assert "exit code 2" in steps["decision-tree"]["error"]
    assert "--max-depth: invalid positive_int value: '0'" in steps["decision-tree"]["error"]
    assert steps["logistic-regression"]["status"] == "succeeded"
    assert steps["compare"]["status"] == "skipped"
    assert engine.removed == set(engine.created)


@pytest.mark.security
def test_a_container_that_was_short_of_memory_says_so(engine, tmp_path):
    engine.lacks_memory = True
    command = run_in_docker(engine, tmp_path / "run")
    assert command.code == 1
    error = command.record["pipeline"]["steps"][0]["error"]
    assert "killed by SIGKILL; the machine was short of memory (exit code 137)" in error


def test_an_image_that_cannot_be_pulled_is_named(engine, tmp_path):
    engine.images = set()
    command = run_in_docker(engine, tmp_path / "run")
    assert command.code == 1
    error = command.record["pipeline"]["steps"][0]["error"]
    assert "pulling localhost/fast-kubeflow/fetch_data:1.0" in error
    assert "pull access denied" in error
    assert engine.created == {}


def test_an_interrupted_run_removes_its_containers(engine, tmp_path):
    components = tmp_path / "components"
    (components / "fetch_data").mkdir(parents=True)
    (components / "fetch_data" / "fetch_data.py").write_text("import time\ntime.sleep(60)")
    engine.components = components
    words = [LAB / "pipeline.yaml", "--docker", "--output", tmp_path / "run"]
    process = start("run", *words, env=engine.environment)
    wait_for(lambda: engine.processes)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in output
    assert engine.removed == set(engine.created)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["pipeline"]["steps"][0]["error"] == "interrupted"


PODMAN = """\
#!/bin/sh
[ "$1 $2 $3" = "system service --time=0" ] || exit 2
ln -s {socket} "${{4#unix://}}"
exec sleep 600
"""


@pytest.fixture
def podman(tmp_path, monkeypatch):
    """`podman(script)` is the program of that name, and no Docker answers."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")

    def write(script: str) -> None:
        (tmp_path / "bin" / "podman").write_text(script)
        (tmp_path / "bin" / "podman").chmod(0o700)

    return write


def test_podman_takes_the_place_of_an_engine_that_is_not_there(engine, podman):
    podman(PODMAN.format(socket=engine.environment["DOCKER_HOST"].removeprefix("unix://")))
    with Engine() as found:
        client = found.connect()
        assert client.ping()
        client.close()


def test_podman_that_does_not_start_says_why(podman):
    podman("#!/bin/sh\necho no user namespace for you; exit 125\n")
    with pytest.raises(FastkfError, match="Podman does not start: no user namespace for you"):
        Engine().__enter__()


def test_the_limits_of_a_container():
    limits = Limits(memory="1Gi", cpu="500m")
    assert describe_limits(limits) == {
        "nano_cpus": 500_000_000,
        "mem_limit": 2**30,
        "memswap_limit": 2**30,
    }
    ending = judge(137, {"OOMKilled": True}, 10**9)
    assert str(ending) == (
        "was killed, as it held more memory than its limit of 1.0 GB (OOMKilled) (exit code 137)"
    )
    assert "OOMKilled" not in str(judge(137, {"OOMKilled": False}, 10**9))


def test_without_an_engine_the_remedy_is_named(tmp_path):
    environment = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    words = [LAB / "pipeline.yaml", "--docker"]
    command = fastkf("run", *words, folder=tmp_path / "run", env=environment)
    assert command.code == 1
    assert command.output.startswith("fastkf: no Docker engine answers (")
    assert "leave --docker out" in command.output
    assert not (tmp_path / "run").exists()
