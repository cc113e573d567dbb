"""Requests made from the server's own OpenAPI document, and from KFP's: each gets a clear answer.

By hand, for longer: `EXAMPLES=200 pytest -n 0 tests/server/test_generated_requests.py`.
"""

import contextlib
import os

import pytest
import requests
from asked import API, Asked, run_of
from forms import check_form
from fuzz import bounded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import FailedHealthCheck, Unsatisfiable
from kfp_swagger import make_document
from servers import chain

pytestmark = pytest.mark.security
# Of each operation, of requests that fit the document, and of those that do not.
EXAMPLES = int(os.environ.get("EXAMPLES", "3"))
EXAMPLES_OF_KFP = int(os.environ.get("EXAMPLES", "1"))
PACKAGE = chain("return 1", name="small")
# Where fifty tries make nothing, there is nothing to make: hypothesis would try a thousand times.
GIVES_UP = set(HealthCheck) - {HealthCheck.filter_too_much}


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    with Asked(tmp_path_factory.mktemp("data") / "server") as asked:
        yield asked


# What the API answers, by method and path, in the words of kfp-server-api.
FORMS = {
    ("GET", "/experiments"): "V2beta1ListExperimentsResponse",
    ("POST", "/experiments"): "V2beta1Experiment",
    ("GET", "/experiments/{experiment_id}"): "V2beta1Experiment",
    ("GET", "/pipelines"): "V2beta1ListPipelinesResponse",
    ("POST", "/pipelines"): "V2beta1Pipeline",
    ("POST", "/pipelines/create"): "V2beta1Pipeline",
    ("POST", "/pipelines/upload"): "V2beta1Pipeline",
    ("POST", "/pipelines/upload_version"): "V2beta1PipelineVersion",
    ("GET", "/pipelines/names/{name}"): "V2beta1Pipeline",
    ("GET", "/pipelines/{pipeline_id}"): "V2beta1Pipeline",
    ("PATCH", "/pipelines/{pipeline_id}"): "V2beta1Pipeline",
    ("GET", "/pipelines/{pipeline_id}/versions"): "V2beta1ListPipelineVersionsResponse",
    ("POST", "/pipelines/{pipeline_id}/versions"): "V2beta1PipelineVersion",
    ("GET", "/pipelines/{pipeline_id}/versions/{version_id}"): "V2beta1PipelineVersion",
    ("PATCH", "/pipelines/{pipeline_id}/versions/{version_id}"): "V2beta1PipelineVersion",
    ("GET", "/runs"): "V2beta1ListRunsResponse",
    ("POST", "/runs"): "V2beta1Run",
    ("GET", "/recurringruns"): "V2beta1ListRecurringRunsResponse",
    ("POST", "/recurringruns"): "V2beta1RecurringRun",
    ("GET", "/recurringruns/{recurring_run_id}"): "V2beta1RecurringRun",
}


def make_one_of_each(asked) -> dict[str, str]:
    """The ids of things that are there, by the names of the document's parameters."""
    name = f"pipeline-{len(asked.client.get('/apis/v2beta1/pipelines').text)}"
    body = {
        "pipeline": {"display_name": name},
        "pipeline_version": {"display_name": "first", "pipeline_spec": PACKAGE},
    }
    status, pipeline = asked.ask("POST", "/pipelines/create", body)
    assert status in (200, 409)
    pipelines = asked.ask("GET", "/pipelines?sort_by=created_at%20desc")[1]["pipelines"]
    id = pipelines[0]["pipeline_id"]
    versions = asked.ask("GET", f"/pipelines/{id}/versions")[1].get("pipeline_versions") or [{}]
    experiments = asked.ask("GET", "/experiments")[1]["experiments"]
    return {
        "run_id": run_of(asked, PACKAGE),
        "pipeline_id": id,
        "version_id": versions[0].get("pipeline_version_id", "none"),
        "experiment_id": experiments[0]["experiment_id"],
    }


def send(asked, case, forms) -> None:
    """Sends a case, and sees that its answer is one; forms: of answers, by method and path."""
    made = requests.Request(**case.as_transport_kwargs(base_url="http://localhost")).prepare()
    content = made.body.encode() if isinstance(made.body, str) else made.body
    answer = asked.client.request(made.method, made.url, content=content, headers=made.headers)
    assert answer.status_code < 500, (case.method, case.path, answer.text)
    if answer.status_code >= 400:
        said = answer.json()
        assert said.get("message") or said["error_message"]  # the one form, or that of uploads
        if "message" in said:
            check_form(said, "GoogleRpcStatus")
    elif form := forms.get((case.method.upper(), case.path.removeprefix(API))):
        check_form(answer.json(), form)


def ask_operation(asked, operation, mode: str, forms=FORMS, examples: int = EXAMPLES) -> int:
    """How many requests were made."""
    from schemathesis import GenerationMode

    kind = GenerationMode(mode)
    ids, count = make_one_of_each(asked), 0

    @settings(bounded(examples), suppress_health_check=GIVES_UP)
    @given(operation.as_strategy(generation_mode=kind), st.booleans())
    def ask(case, real: bool) -> None:
        nonlocal count
        count += 1
        if real:
            for name in set(case.path_parameters or {}) & set(ids):
                case.path_parameters[name] = ids[name]
        send(asked, case, forms)

    # Nothing can be wrong where nothing is asked for.
    with contextlib.suppress(Unsatisfiable, FailedHealthCheck):
        ask()
    return count


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_no_request_made_from_the_document_gets_no_clear_answer(asked, mode):
    import schemathesis

    schema = schemathesis.openapi.from_dict(asked.app.openapi())
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 30
    assert sum(ask_operation(asked, operation, mode) for operation in operations) > 30
    for path in ("/runs", "/pipelines", "/experiments"):
        assert asked.ask("GET", path)[0] == 200


# What the table in the guide to the server names: there is nobody here who would ask for it.
UNANSWERED = {"/auth", "/filters", "/workflows", "/scheduledworkflows"}


# What does not fit is sent too when it is run by hand: it takes minutes to think of.
MODES = ["positive", "negative"] if "EXAMPLES" in os.environ else ["positive"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_requests_made_from_kfps_own_swagger_get_answers_of_its_forms(asked, mode):
    import schemathesis

    document = make_document()
    forms = {
        (method.upper(), path.removeprefix(API)): one["responses"]["200"]["description"]
        for path, operations in document["paths"].items()
        for method, one in operations.items()
    }
    del forms["GET", "/healthz"]  # a real server answers more than the swagger says (seen)
    schema = schemathesis.openapi.from_dict(document)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 35
    answered = [one for one in operations if one.path.removeprefix(API) not in UNANSWERED]
    made = [ask_operation(asked, one, mode, forms, EXAMPLES_OF_KFP) for one in answered]
    assert sum(made) > 30
