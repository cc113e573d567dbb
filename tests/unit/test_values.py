"""What Kubeflow Pipelines does to values on their way, and what stands in place of placeholders."""

import math
from datetime import UTC, datetime

import pytest

from fastkf.base.masks import Mask
from fastkf.engine.job import OUTPUT_FILE, Job
from fastkf.engine.job_outputs import read_outputs
from fastkf.engine.pipeline import Component, Identity, Pipeline, Task
from fastkf.engine.placeholders import Placeholders, expand, local_path
from fastkf.engine.scope import Arguments, Surroundings
from fastkf.engine.values import as_items, as_passed, as_text, find_infinite, fit, read_text
from fastkf.engine.volumes import Volumes

MOMENT = datetime(2026, 11, 29, 5, 44, 5, 700_000, UTC)


@pytest.mark.parametrize(
    ("value", "passed"),
    [
        (1.0, "1"),
        (0.5, "0.5"),
        (True, "True"),
        (None, "None"),
        ({"rates": [1.0, {"deep": 2.0}], 3: ""}, "{'rates': [1, {'deep': 2}], '3': ''}"),
        ((1.0, "x"), "[1, 'x']"),
        (1e21, "1e+21"),
        (2**53 + 1, "9007199254740992"),
    ],
)
def test_whole_numbers_arrive_without_a_point(value, passed):
    assert repr(as_passed(value)) == passed


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"rate": 0.5, "loss": math.nan}, "loss is NaN"),
        ({"points": [{"x": 1}, {"x": math.inf}]}, "points[1].x is Infinity"),
        ([-math.inf], "[0] is -Infinity"),
        ({"loss": "NaN", "more": [1, None, True]}, None),
    ],
)
def test_where_a_number_is_not_finite(value, said):
    assert find_infinite(value) == said


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (
            '{"artifacts": {"metrics": {"artifacts": [{"metadata": {"loss": NaN}}]}}, '
            '"parameterValues": {"rates": []}}',
            "loss is NaN in the artifact metrics",
        ),
        ('{"parameterValues": {"rates": [1, -Infinity]}}', r"rates\[1\] is -Inf.* output rates"),
    ],
)
def test_a_number_that_a_kubeflow_cannot_record_is_named(tmp_path, said, named):
    """Its launcher reads what a step says as JSON (kubeflow/pipelines#12227, #10208)."""
    made = {"metrics": {"artifactType": {"schemaTitle": "system.Metrics"}}}
    identity = Identity.of("training")
    outputs = {"artifacts": made, "parameters": {"rates": {"parameterType": "LIST"}}}
    component = Component(Pipeline({}, identity), "comp-train", {"outputDefinitions": outputs})
    around = Surroundings(identity, tmp_path, "/work", Volumes(tmp_path), Mask())
    job = Job(Task("train", {}, component), Arguments({}, {}), "train", around)
    job.make_folders()
    (job.root / OUTPUT_FILE).write_text(said)
    with pytest.raises(ValueError, match=f"^{named}; .*put out a finite"):
        read_outputs(job)


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf], 10**400, {1, 2}])
def test_what_no_parameter_can_be(value):
    with pytest.raises(ValueError, match="no parameter can be"):
        as_passed(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (3, "3"), (1e-7, "0.0000001"), ({"a": "ä"}, '{"a": "ä"}'), ("x y", "x y")],
)
def test_values_as_words_of_a_command(value, text):
    assert as_text(value) == text
    assert fit("input text", value, "STRING") == text


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("3", "NUMBER_INTEGER"),
        (True, "NUMBER_DOUBLE"),
        (1, "BOOLEAN"),
        ([], "STRUCT"),
        ({}, "LIST"),
    ],
)
def test_a_value_of_another_kind_is_refused(value, kind):
    with pytest.raises(ValueError, match=f"input given is {kind}"):
        fit("input given", value, kind)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        (" 3\n", "NUMBER_INTEGER", 3),
        ("2.5", "NUMBER_DOUBLE", 2.5),
        ("True\n", "BOOLEAN", True),
        ("0", "BOOLEAN", False),
        ("[1.0]\n", "LIST", [1]),
        (" kept \n", "STRING", " kept \n"),
    ],
)
def test_the_text_of_an_output(text, kind, value):
    assert read_text("out", text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [("three", "NUMBER_INTEGER"), ("yes", "BOOLEAN"), ("{}", "LIST"), ("[", "LIST")],
)
def test_a_text_of_another_kind(text, kind):
    with pytest.raises(ValueError, match=f"output out is {kind}"):
        read_text("out", text, kind)


def test_what_a_loop_goes_over():
    assert as_items("[1.0, 2]") == [1, 2]
    for value in ("abc", 3, {"a": 1}):
        with pytest.raises(ValueError, match="goes over a list"):
            as_items(value)


@pytest.fixture
def words():
    identity = Identity("my run", "pipe-abcde", "the-id", MOMENT)
    return Placeholders(identity, "train", "7", "/artifacts", "/work space")


MESSAGE = {
    "inputs": {
        "parameterValues": {"n": 3, "odd": "{{$.pipeline_root}} {{$.inputs.parameters['n']}}"},
        "artifacts": {
            "data": {"artifacts": [{"uri": "s3://a/b", "metadata": {"size": 2, "of": "x"}}]}
        },
    },
    "outputs": {"parameters": {"out": {"outputFile": "/o/out"}}, "outputFile": "/o/all"},
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{$.pipeline_job_name}}/{{$.pipeline_job_resource_name}}", "my run/pipe-abcde"),
        ("{{$.pipeline_job_uuid}} {{$.pipeline_task_uuid}}", "the-id 7"),
        ("{{$.pipeline_task_name}} {{$.pipeline_root}}", "train /artifacts"),
        ("{{$.workspace_path}}/x", "/work space/x"),
        ("{{$.pipeline_job_create_time_utc}}", "2026-11-29T05:44:05Z"),
        ("{{$.pipeline_job_schedule_time_utc}}", "2026-11-29T05:44:05Z"),
        ("n={{$.inputs.parameters['n']}}, {{$.inputs.parameters[\"n\"]}}", "n=3, 3"),
        ("{{$.inputs.artifacts['data'].uri}}", "s3://a/b"),
        ("{{$.inputs.artifacts['data'].path}}", "/s3/a/b"),
        ("{{$.inputs.artifacts['data'].metadata['size']}}", "2"),
        ("{{$.outputs.parameters['out'].output_file}} {{$.outputs.output_file}}", "/o/out /o/all"),
        ("{{$.inputs.parameters['gone']}} {{$.unknown}} {{x}}", None),
        # What is put in is not looked at again.
        ("{{$.inputs.parameters['odd']}}", MESSAGE["inputs"]["parameterValues"]["odd"]),
    ],
)
def test_placeholders(words, text, filled):
    assert words.fill(text, MESSAGE) == (text if filled is None else filled)


def test_a_placeholder_alone_is_its_value_but_not_inside_of_another(words):
    n = "{{$.inputs.parameters['n']}}"
    assert words.fill_in(n, MESSAGE) == 3
    assert words.fill_in({"a": [n], "b": f"{n}!"}, MESSAGE) == {"a": ["3"], "b": "3!"}


def test_words_that_depend_on_what_is_given():
    concat = '{"Concat": ["--a=", "x", {"IfPresent": {"InputName": "b", "Then": "+b"}}]}'
    present = '{"IfPresent": {"InputName": "b", "Then": ["--b", "y"], "Else": ["--none"]}}'
    words = [concat, present, '{"Concat": no JSON', '{"other": 1}']
    given = [part for word in words for part in expand(word, {"b": 1})]
    missing = [part for word in words for part in expand(word, {"b": None})]
    assert given == ["--a=x+b", "--b", "y", *words[2:]]
    assert missing == ["--a=x", "--none", *words[2:]]


def test_a_path_of_its_own_comes_first():
    assert local_path({"uri": "gs://b/x"}) == "/gcs/b/x"
    assert local_path({"uri": "gs://b/x", "customPath": "/own"}) == "/own"
