"""Four points for the service: its manifest, an answer of it, and what load it bears."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from fastkf.course.project.folder import Refused, as_list, as_number, as_table
from fastkf.course.project.project import Found, Project
from fastkf.package.quantities import read_quantity

STATS = "*_stats.csv"
FEWEST_REQUESTS = 300
MOST_FAILED = 0.01
MOST_MANIFESTS = 100  # YAML files that are looked at, since each may take seconds
ADDRESS = re.compile(
    r"/v[12]/models/([^/:]+)(?::predict|/infer)$|/openai/v1/|/v1/chat/completions$"
)
NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
PLACE = re.compile(r"(s3|gs|pvc|https|hf|hdfs|oci)://[^<>\s]+")
TOTAL = "Aggregated"
PERCENTILES = ("50%", "66%", "75%", "80%", "90%", "95%", "98%", "99%", "99.9%", "99.99%", "100%")
LOAD_IT = "locust --headless --csv evidence/load ... (labs/kserve/locustfile.py is an example)"


def manifest(project: Project) -> Found:
    """An InferenceService with what each needs: format, place of the model, resources."""
    where, service = find_service(project)
    name = str(as_table(service.get("metadata")).get("name"))
    model = as_table(as_table(as_table(service.get("spec")).get("predictor")).get("model"))
    resources = as_table(model.get("resources"))
    needed = {
        "metadata.name (small letters, digits and -)": NAME.fullmatch(name),
        "modelFormat.name": as_table(model.get("modelFormat")).get("name"),
        "storageUri (s3://..., pvc://..., https://...)": PLACE.fullmatch(
            str(model.get("storageUri"))
        ),
        "resources.requests": as_table(resources.get("requests")),
        "resources.limits": as_table(resources.get("limits")),
    }
    for field, value in needed.items():
        if not value:
            raise Refused(where, f"{field} is missing or not right", "see labs/kserve/manifests/")
    for field in ("requests", "limits"):
        _check_amounts(where, f"resources.{field}", as_table(resources.get(field)))
    return Found(where, f"InferenceService {name}")


def _check_amounts(where: str, field: str, amounts: Mapping[str, Any]) -> None:
    for name, amount in amounts.items():
        try:
            read_quantity(str(amount))
        except ValueError as error:
            raise Refused(
                where, f"{field}.{name}: {error}", "see labs/kserve/manifests/"
            ) from error


def answer(project: Project) -> Found:
    """A request to the served model, and the answer: a prediction for each instance."""
    folder = project.folder
    remedy = "serve the model (fastkf serve), ask it with curl, keep both as JSON files"
    asked = folder.find("request.json", remedy, "request.json")
    told = folder.find("answer.json", remedy, "answer.json")
    request, response = as_table(folder.read_json(asked)), as_table(folder.read_json(told))
    if "inputs" in request:
        return _check_second_protocol(asked, told, request, response, project)
    instances, predictions = as_list(request.get("instances")), response.get("predictions")
    if not instances or not isinstance(predictions, list) or len(predictions) != len(instances):
        raise Refused(
            told,
            f"{len(instances)} instances were asked about, {len(as_list(predictions))} predicted",
            remedy,
        )
    if any(one in (None, "", [], {}) for one in (*instances, *predictions)):
        raise Refused(told, "an instance or a prediction is empty", remedy)
    for known in (set(one) for one in instances if isinstance(one, dict)):
        if known == project.features:
            continue
        differing = sorted(map(str, known ^ project.features))
        raise _other_columns(asked, differing)
    return Found(told, f"{len(predictions)} predictions for {len(instances)} instances")


def _check_second_protocol(
    asked: str, told: str, request: dict[str, Any], response: dict[str, Any], project: Project
) -> Found:
    inputs, outputs = (
        [as_table(one) for one in as_list(part)]
        for part in (request["inputs"], response.get("outputs"))
    )
    counted = [
        _count_rows(where, one)
        for where, tensors in ((asked, inputs), (told, outputs))
        for one in (tensors or [{}])
    ]
    names = {str(one.get("name")) for one in inputs}
    if len(inputs) > 1 and (differing := sorted(names ^ project.features)):
        raise _other_columns(asked, differing)
    rows = counted[0]
    if other := [count for count in counted if count != rows]:
        said = f"{rows} rows were asked about, {other[0]} predicted"
        raise Refused(told, said, f"keep the answer to {asked}")
    return Found(told, f"outputs for {rows} rows")


def _count_rows(where: str, tensor: dict[str, Any]) -> int:
    """The rows of a tensor whose data fit its shape."""
    name, shape = str(tensor.get("name") or "a tensor"), as_list(tensor.get("shape"))
    values = list(_flatten(tensor.get("data")))
    if not values:
        raise Refused(where, f"{name} has no data", "keep both as they were sent and answered")
    sizes = [size for size in shape if isinstance(size, int)]
    if sizes != shape or not sizes or math.prod(sizes) != len(values):
        said = f"{name}: {len(values)} values do not fit the shape {shape}"
        raise Refused(where, said, "keep both as they were sent and answered")
    return sizes[0]


def _flatten(data: Any) -> Iterator[Any]:
    for one in as_list(data):
        if isinstance(one, list):
            yield from _flatten(one)
        else:
            yield one


def _other_columns(asked: str, differing: list[str]) -> Refused:
    return Refused(
        asked,
        f"its columns are not the features of the model ({', '.join(differing[:3])})",
        "ask with the columns that the model has learned from",
    )


def find_service(project: Project) -> tuple[str, dict[str, Any]]:
    """The first InferenceService among the folder's first YAML files, and its file."""
    problem: Refused | None = None
    for name in project.folder.named("*.yaml", "*.yml")[:MOST_MANIFESTS]:
        try:
            documents = map(as_table, project.folder.read_documents(name))
            kinds = [one for one in documents if one.get("kind") == "InferenceService"]
        except Refused as error:
            problem = error
            continue
        if kinds and kinds[0].get("apiVersion") == "serving.kserve.io/v1beta1":
            return name, kinds[0]
    raise problem or Refused(
        "*.yaml",
        "there is no InferenceService (serving.kserve.io/v1beta1)",
        "write serve/inference-service.yaml; labs/kserve/manifests/ has examples",
    )


def loaded(project: Project) -> Found:
    """Locust has asked the model often enough, and its table agrees with itself."""
    where, rows, total = read_load(project)
    asked = [row for row in rows if ADDRESS.search(row["Name"])]
    requests = sum(as_number(row["Request Count"]) or 0 for row in asked)
    if requests < FEWEST_REQUESTS:
        raise Refused(
            where,
            f"{requests:g} requests to a model's :predict or /infer",
            f"at least {FEWEST_REQUESTS}: {LOAD_IT}",
        )
    counted = sum(as_number(row["Request Count"]) or 0 for row in rows if row is not total)
    times = [as_number(total[name]) for name in PERCENTILES]
    grows = [one for one in times if one is not None]
    mean = as_number(total["Average Response Time"])
    least, most = as_number(total["Min Response Time"]), as_number(total["Max Response Time"])
    is_sound = (
        counted == as_number(total["Request Count"])
        and len(grows) == len(times)
        and grows == sorted(grows)
        and None not in (mean, least, most)
        and (least or 0) <= (mean or 0) <= (most or 0)
        and (as_number(total["Requests/s"]) or 0) > 0
    )
    if not is_sound:
        raise Refused(
            where,
            "its numbers do not agree with each other (sum of requests, order of percentiles)",
            f"hand in the table as Locust wrote it: {LOAD_IT}",
        )
    rate = as_number(total["Requests/s"])
    return Found(where, f"{requests:,.0f} requests, {rate:.0f} a second")


def borne(project: Project) -> Found:
    """At most one request in a hundred failed, and the promise of project.toml was kept."""
    where, _, total = read_load(project)
    requests, failed = as_number(total["Request Count"]), as_number(total["Failure Count"])
    slow, promised = as_number(total["95%"]), project.settings.p95_milliseconds
    if not requests or failed is None or slow is None or failed < 0 or slow < 0:
        raise Refused(where, "counts or times are missing", LOAD_IT)
    if failed > MOST_FAILED * requests:
        raise Refused(where, f"{failed:g} of {requests:g} requests failed", "find out why")
    if slow > promised:
        raise Refused(
            where,
            f"95 % are answered in {slow:g} ms, and project.toml promises {promised:g} ms",
            "make the service faster, or promise less",
        )
    return Found(where, f"{failed:g} failed; 95 % within {slow:g} ms, {promised:g} promised")


def read_load(project: Project) -> tuple[str, list[dict[str, str]], dict[str, str]]:
    """Locust's table, its rows, and the row of them all."""
    where = project.folder.find("table of Locust (..._stats.csv)", LOAD_IT, STATS)
    rows = project.folder.read_table(where)
    needed = {
        "Name", "Request Count", "Failure Count", "Average Response Time", "Min Response Time",
        "Max Response Time", "Requests/s", *PERCENTILES,
    }  # fmt: skip
    if missing := sorted(needed - rows[0].keys()):
        raise Refused(where, f"no column {missing[0]}", LOAD_IT)
    total = next((row for row in rows if row["Name"] == TOTAL), None)
    if total is None:
        raise Refused(where, f"no row {TOTAL}", LOAD_IT)
    return where, rows, total
