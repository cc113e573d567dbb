"""Stands in for the server of a real Kubeflow Pipelines 2.17: answers what one has answered.

`tests/fixtures/kubeflow/` has its answers about a run of each kind, with other names, ids and
times: the run as the API tells it, what ML Metadata has of it, its package, logs, pods and events.
Of the runs `image_not_found` and `terminated`, metadata are put together after those of the others.
"""

import json
from copy import deepcopy
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import kfp_server_api
from faulty import Proxy, answer

from fastkf.cluster import grpc_web
from fastkf.package.model import Package

FIXTURES = Path(__file__).parents[1] / "fixtures" / "kubeflow"
STATES = ["UNKNOWN", "NEW", "RUNNING", "COMPLETE", "FAILED", "CACHED", "CANCELED"]
EVENTS = ["UNKNOWN", "DECLARED_OUTPUT", "DECLARED_INPUT", "INPUT", "OUTPUT"]
HTML = {"content_type": "text/html; charset=utf-8"}


def load(name: str) -> dict:
    """What a server has answered of a run of this kind."""
    return json.loads((FIXTURES / f"{name}.json").read_text())


class Kubeflow(Proxy):
    """A server with one run, which a test may change while it goes.

    Attributes:
        case: what it answers: run, metadata (None: it has no such store), logs, pods, events.
    """

    def __init__(self, case: dict | str):
        super().__init__()
        self.case = load(case) if isinstance(case, str) else deepcopy(case)

    @property
    def run_id(self) -> str:
        return self.case["run"]["run_id"]

    @property
    def package(self) -> Package:
        return Package(self.case["package"])

    @property
    def run(self):
        """The run as the API's client reads it."""
        return as_model(self.case["run"])

    def choose(self, request):
        if any(rule.times > 0 and rule.pattern.search(request.path) for rule in self.rules):
            return super().choose(request)
        place = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(place.query).items()}
        if place.path.endswith(f"/apis/v2beta1/runs/{self.run_id}"):
            return as_json(self.case["run"])
        if place.path.startswith(grpc_web.METADATA) and self.case.get("metadata"):
            return grpc_answer(place.path.rpartition("/")[2], self.case["metadata"])
        kind = {"/k8s/pod/logs": "logs", "/k8s/pod": "pods", "/k8s/pod/events": "events"}
        if kept := kind.get(place.path.removeprefix("/pipeline")):
            return self._answer_pod(kept, query)
        if place.path.endswith("/artifacts/get"):
            found = self.case.get("files", {}).get(f"{query.get('bucket')}/{query.get('key')}")
            return answer(200, found) if found else answer(404, "No objects found", **HTML)
        return super().choose(request)

    def _answer_pod(self, kind: str, query: dict[str, str]):
        if not query.get("podnamespace"):
            return answer(422, "podnamespace argument is required", **HTML)
        found = self.case.get(kind, {}).get(query.get("podname"))
        if found is None:
            return answer(500, "Could not get pod: not found", **HTML)
        # A log comes without a content type, JSON as a page.
        return answer(200, found) if kind == "logs" else answer(200, json.dumps(found), **HTML)


def as_model(run: dict):
    class Response:
        data = json.dumps(run)

    return kfp_server_api.ApiClient().deserialize(Response, "V2beta1Run")


def as_json(content: dict):
    return answer(200, json.dumps(content), content_type="application/json")


def grpc_answer(method: str, metadata: dict):
    """The answer of ML Metadata, as Envoy gives it."""
    messages = grpc_web.make_messages()
    if method == "GetContextByTypeAndName":
        message = messages["ContextAnswer"]()
        _fill(message.context, metadata["context"])
    elif method == "GetExecutionsByContext":
        message = messages["ExecutionsAnswer"]()
        for one in metadata["executions"]:
            _fill(message.executions.add(), one)
    elif method == "GetArtifactsByContext":
        message = messages["ArtifactsAnswer"]()
        for one in metadata["artifacts"]:
            _fill(message.artifacts.add(), one)
    elif method == "GetEventsByExecutionIDs":
        message = messages["EventsAnswer"]()
        for one in metadata["events"]:
            event = message.events.add(type=EVENTS.index(one["type"]))
            event.artifact_id = int(one["artifact_id"])
            event.execution_id = int(one["execution_id"])
            for step in one["path"]["steps"]:
                event.path.steps.add(**step)
    else:
        return answer(404, "no such method")
    return grpc_web_answer(message)


def grpc_web_answer(message=None, status=0, text=""):
    """A frame with the message, and one with the trailers."""
    trailers = f"grpc-status: {status}\r\ngrpc-message: {text}\r\n".encode()
    content = grpc_web.FRAME.pack(grpc_web.TRAILERS, len(trailers)) + trailers
    if message is not None:
        body = message.SerializeToString()
        content = grpc_web.FRAME.pack(grpc_web.DATA, len(body)) + body + content
    return answer(200, content, content_type="application/grpc-web+proto")


def _fill(message, told: dict) -> None:
    fields = {field.name for field in message.DESCRIPTOR.fields}
    for name, value in told.items():
        if name == "custom_properties":
            for key, one in value.items():
                _fill_value(message.custom_properties.add(key=key).value, one)
        elif name == "last_known_state":
            message.last_known_state = STATES.index(value)
        elif name in fields:
            setattr(message, name, value if name in ("type", "uri") else int(value))


def _fill_value(message, value: dict) -> None:
    for kind, content in value.items():
        if kind == "struct_value":
            _fill_any(message, content)
        else:
            setattr(message, kind, int(content) if kind == "int_value" else content)


def _fill_any(message, value) -> None:
    """Fills a message that has struct_value, number_value and the like."""
    if isinstance(value, dict):
        message.struct_value.SetInParent()
        for key, one in value.items():
            _fill_any(message.struct_value.fields.add(key=key).value, one)
    elif isinstance(value, list):
        message.list_value.SetInParent()
        for one in value:
            _fill_any(message.list_value.values.add(), one)
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, bool):
        message.bool_value = value
    else:
        message.number_value = value
