"""Starts `fastkf server` for tests, and makes small packages for it.

with Server(folder) as server:
    server.client().list_runs()
    server.call("GET", "/runs")
"""

import contextlib
import json
import os
import signal
import urllib.error
import urllib.request
import warnings
from pathlib import Path

import yaml
from commands import launch
from waiting import wait_for

API = "/apis/v2beta1"
SECONDS = 60
EXECUTOR = (
    'program_path=$(mktemp -d)\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "
    '"$program_path/ephemeral_component.py" "$@"\n'
)


class Server:
    """A server in a process of its own, on a free port."""

    def __init__(self, folder: Path, *options, command=(), fresh=False, **environment):
        self.folder = Path(folder)
        self.output: str | None = None  # after the first line, when it has ended
        words = ["server", "--folder", self.folder, "--port", "0", *options]
        self.process = launch(
            words, command=command, fresh=fresh, env={**os.environ, **environment}
        )
        line = self.process.stdout.readline()
        self.url = line.split()[-1] if line else None
        assert self.url, self.process.stderr.read()
        self.token = (self.seen_folder / "token").read_text().strip()
        self.link = f"{self.url}/?token={self.token}"  # for a browser

    @property
    def seen_folder(self) -> Path:
        """Its folder, which may be on a disk that only the server sees."""
        root = Path(f"/proc/{self.process.pid}/root")
        return root / self.folder.absolute().relative_to("/") if root.exists() else self.folder

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends the server, if it has not ended, and returns its exit code."""
        if self.process.returncode is not None:
            return self.process.returncode
        self.process.send_signal(number)
        if self.output is None:
            self.output = "".join(self.process.communicate(timeout=SECONDS))
        assert "Traceback" not in self.output, self.output
        return self.process.returncode

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def client(self, **options):
        """The SDK's client."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import kfp

            return kfp.Client(host=self.url, **{"existing_token": self.token, **options})

    def call(self, method: str, path: str, body=None, headers=None) -> tuple[int, dict]:
        """HTTP status and JSON of one request; a body that is not bytes is sent as JSON.

        It carries the token, unless `headers` has another `Authorization`, or None for none.
        """
        own = {"Content-Type": "application/json", **self.authorization}
        headers = {k: v for k, v in {**own, **(headers or {})}.items() if v is not None}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + API + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def upload(
        self, content: bytes, name="package.yaml", query="name=uploaded"
    ) -> tuple[int, dict]:
        """Uploads a file as a browser's form does."""
        head = f'Content-Disposition: form-data; name="uploadfile"; filename="{name}"'
        body = b"--limit\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n--limit--\r\n"
        kind = {"Content-Type": "multipart/form-data; boundary=limit"}
        return self.call("POST", f"/pipelines/upload?{query}", body, kind)

    def run(self, package: dict, name="run", **fields) -> str:
        """Submits a package and returns the run's id."""
        status, answer = self.call(
            "POST", "/runs", {"display_name": name, "pipeline_spec": package, **fields}
        )
        assert status == 200, answer
        return answer["run_id"]

    def state(self, run_id: str) -> str:
        return self.call("GET", f"/runs/{run_id}")[1]["state_history"][-1]["state"]

    def wait(self, run_id: str, *states: str) -> dict:
        """Waits until the run is in one of the states (by default: has ended); its answer."""
        states = states or ("SUCCEEDED", "FAILED", "CANCELED")
        wait_for(lambda: self.state(run_id) in states)
        return self.call("GET", f"/runs/{run_id}")[1]

    def record(self, run_id: str) -> dict:
        return json.loads((self.folder / "runs" / run_id / "run.json").read_text())


def component(source: str, inputs: dict | None = None) -> dict:
    """The executor of a Python component `step` with this body; inputs are names and types."""
    taken = ", ".join(f"{name}: {kind}" for name, kind in (inputs or {}).items())
    lines = [f"    {line}" for line in source.splitlines()]
    program = "\n".join(["from kfp.dsl import *", f"def step({taken}) -> int:", *lines])
    return {
        "container": {
            "image": "python:3.11",
            "command": ["sh", "-ec", EXECUTOR, program],
            "args": ["--executor_input", "{{$}}", "--function_to_execute", "step"],
        }
    }


def chain(*sources: str, name="chain", parameters: dict | None = None) -> dict:
    """A package whose steps, one after the other, are Python functions of the parameters.

    Args:
        sources: the body of each function, which returns an int.
        parameters: name to default (int or str).
    """
    kinds = {int: ("NUMBER_INTEGER", "int"), str: ("STRING", "str")}
    declared = {
        key: {"parameterType": kinds[type(value)][0], "defaultValue": value, "isOptional": True}
        for key, value in (parameters or {}).items()
    }
    inputs = {key: kinds[type(value)][1] for key, value in (parameters or {}).items()}
    tasks, components, executors = {}, {}, {}
    for number, source in enumerate(sources, start=1):
        task = f"step-{number}"
        tasks[task] = {
            "componentRef": {"name": f"comp-{number}"},
            "taskInfo": {"name": task},
            "inputs": {"parameters": {key: {"componentInputParameter": key} for key in inputs}},
            "dependentTasks": [f"step-{number - 1}"] if number > 1 else [],
        }
        components[f"comp-{number}"] = {
            "executorLabel": f"exec-{number}",
            "inputDefinitions": {"parameters": declared},
            "outputDefinitions": {"parameters": {"Output": {"parameterType": "NUMBER_INTEGER"}}},
        }
        executors[f"exec-{number}"] = component(source, inputs)
    return {
        "pipelineInfo": {"name": name},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
        "root": {"dag": {"tasks": tasks}, "inputDefinitions": {"parameters": declared}},
        "components": components,
        "deploymentSpec": {"executors": executors},
    }


def at(place: Path) -> dict:
    """What to submit a package with for its steps to see this place, in /tmp too."""
    return {"runtime_config": {"parameters": {"place": str(place)}}}


def write(package: dict, path: Path) -> Path:
    path.write_text(yaml.safe_dump(package))
    return path


@contextlib.contextmanager
def sleeping(server: Server, name="sleeping"):
    """A run that takes a place until the end of the block."""
    run_id = server.run(chain("import time\ntime.sleep(600)\nreturn 1"), name)
    try:
        yield run_id
    finally:
        server.call("POST", f"/runs/{run_id}:terminate")
        server.wait(run_id)
