"""Stands in for the server of Kubeflow Hub: keeps models, versions and artifacts in memory.

No real one was seen. What is asked and answered is checked by the models of its own client, so it
has their fields; errors and limits of a real server it does not have.
"""

import json
import re
from urllib.parse import parse_qs, urlsplit

import mr_openapi as models
from faulty import Proxy, answer

ROOT = re.compile(r"/api/model_registry/v\w+/")
KINDS = {
    "registered_model": (models.RegisteredModelCreate, models.RegisteredModel),
    "model_version": (models.ModelVersionCreate, models.ModelVersion),
    "model_artifact": (models.ModelArtifact, models.ModelArtifact),
}


class Hub(Proxy):
    """A registry that is empty at first.

    Attributes:
        kept: its resources of each kind, as JSON, by their ids.
    """

    def __init__(self):
        super().__init__()
        self.kept: dict[str, dict[str, dict]] = {kind: {} for kind in KINDS}

    def choose(self, request):
        place = urlsplit(request.path)
        words = ROOT.sub("", place.path).strip("/").split("/")
        query = {name: values[0] for name, values in parse_qs(place.query).items()}
        body = json.loads(request.body) if request.body else {}
        if request.method == "POST":
            return self.create(words, body)
        if request.method == "PATCH":
            return self.change(words, body)
        return self.find(words, query)

    def create(self, words: list[str], body: dict):
        kind = words[-1].removesuffix("s").replace("artifact", "model_artifact")
        kind = kind.replace("model_model_", "model_")
        asked, known = KINDS[kind]
        asked.from_dict(body)
        one = {**body, "id": str(sum(map(len, self.kept.values())) + 1)}
        one |= {"parent": words[1] if len(words) == 3 else body.get("registeredModelId")}
        self.kept[kind][one["id"]] = one
        return told(known.from_dict(one), 201)

    def change(self, words: list[str], body: dict):
        kind = words[0].removesuffix("s")
        self.kept[kind][words[1]].update(body)
        return told(KINDS[kind][1].from_dict(self.kept[kind][words[1]]))

    def find(self, words: list[str], query: dict[str, str]):
        if words[0] in KINDS:
            for one in self.kept[words[0]].values():
                if one["name"] == query["name"] and one["parent"] == query.get("parentResourceId"):
                    return told(KINDS[words[0]][1].from_dict(one))
            return as_json({"code": "", "message": "not found"}, 404)
        kind = "model_version" if words[-1] == "versions" else "registered_model"
        items = [
            {name: value for name, value in one.items() if name != "parent"}
            for one in self.kept[kind].values()
            if len(words) == 1 or one["parent"] == words[1]
        ]
        return as_json({"items": items, "nextPageToken": "", "pageSize": 100, "size": len(items)})


def told(model, status: int = 200):
    return as_json(json.loads(model.to_json()), status)


def as_json(value, status: int = 200):
    return answer(status, json.dumps(value), content_type="application/json")
