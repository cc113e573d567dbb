"""Files that a run's own processes write: nothing else is read, and a large one costs no memory."""

import base64
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from asked import Asked, run_of
from servers import API, chain

from fastkf.base.files import BYTES_OF_AN_END, open_inside, read_ends
from fastkf.runs.model import Artifact, PipelineResult, Run, State, Step, Values
from fastkf.runs.record import write_run
from fastkf.runs.report.page import render_report

pytestmark = pytest.mark.security
SECRET = "the owner's secret"
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    with Asked(tmp_path_factory.mktemp("data") / "server") as asked:
        yield asked


@pytest.fixture
def beside(asked):
    """A secret file beside the server's folder."""
    path = asked.settings.folder.parent / "secret.log"
    path.write_text(SECRET)
    return path


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret.log"
    path.write_text(SECRET)
    return path


def make_run(asked, *steps: str) -> tuple[str, object]:
    """The id and the folder of a run whose record has steps of these names."""
    id = run_of(asked, chain("return 1", name="small"))
    folder = asked.settings.run_folder(id)
    made = Values(artifacts={"model": Artifact("system.Model", "artifacts/a/task/model")})
    listed = tuple(Step(name, "step-1", state=State.SUCCEEDED, outputs=made) for name in steps)
    pipeline = PipelineResult(State.SUCCEEDED, datetime.now(UTC), steps=listed)
    write_run(Run(folder, "small", "small", state=State.SUCCEEDED, pipeline=pipeline))
    (folder / "logs").mkdir(exist_ok=True)
    (folder / "outputs").mkdir()
    (folder / "artifacts" / "a" / "task").mkdir(parents=True)
    return id, folder


def everything(asked, id: str, step: str) -> str:
    """All that the server shows of a run's files, as one text."""
    pages = f"/files/runs/{id}"
    addresses = [
        f"/apis/v1alpha1/runs/{id}/nodes/step-1/log",
        f"{API}/runs/{id}/nodes/step-1/artifacts/model:read",
        f"{pages}/log?step={step}",
        f"{pages}/report?step={step}",
        f"{pages}/logs/{step}.log",
        f"{pages}/artifacts/a/task/model",
        f"/fragments/runs/details/{id}?step={step}",
    ]
    answers = [asked.client.get(address) for address in addresses]
    assert {answer.status_code for answer in answers} <= {200, 400, 404}
    texts = [answer.text for answer in answers]
    with_data = answers[1]
    if with_data.status_code == 200:
        texts.append(base64.b64decode(with_data.json()["data"]).decode())
    return "\n".join(texts)


FILES = ["logs/train.log", "outputs/train.html", "artifacts/a/task/model"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["link", "link of the folder", "hard path"])
def test_no_link_leads_out_of_a_run(asked, beside, name, kind):
    id, folder = make_run(asked, "train")
    place = folder / name
    outside = folder.parents[2] / "outside"
    outside.mkdir(exist_ok=True)
    (outside / place.name).write_text(SECRET)
    if kind == "link":
        place.symlink_to(beside)
    elif kind == "link of the folder":
        place.parent.rmdir()
        place.parent.symlink_to(outside)
    else:
        place.symlink_to(os.path.relpath(beside, place.parent))
    assert SECRET not in everything(asked, id, "train")


@pytest.mark.parametrize("step", ["../../../../secret", "../mine/train", "a/../../../../../secret"])
def test_no_name_of_a_step_leads_out_of_the_logs(asked, beside, step):
    id, folder = make_run(asked, step)
    assert (folder / "logs" / f"{step}.log").resolve() in (beside, folder / "mine" / "train.log")
    (folder / "mine").mkdir()
    (folder / "mine" / "train.log").write_text(SECRET)
    assert SECRET not in everything(asked, id, step)
    failed = (Step(step, "step-1", state=State.FAILED),)
    run = Run(folder, "a", "a", pipeline=PipelineResult(State.FAILED, steps=failed))
    assert SECRET not in render_report(run)


def test_a_pipe_is_not_waited_for(asked):
    id, folder = make_run(asked, "train")
    for name in FILES:
        os.mkfifo(folder / name)
    assert everything(asked, id, "train")


def test_what_is_there_is_sent(asked):
    id, folder = make_run(asked, "train")
    for name in FILES:
        (folder / name).write_text(f"the content of {name}")
    for name in FILES:
        assert f"the content of {name}" in everything(asked, id, "train")


def test_a_file_whose_name_is_not_utf8_breaks_no_page(asked):
    id, folder = make_run(asked, "train")
    for place in ("logs", "artifacts/a/task"):
        (folder / place / os.fsdecode(b"bad\xff.log")).write_text("x")
    assert asked.client.get(f"/fragments/runs/details/{id}").status_code == 200
    assert "bad" in render_report(Run(folder, "a", "a"))


@pytest.mark.parametrize(
    "parts", [("..", "secret.log"), ("a", "", "b"), ("a/b/c",), ("\0",), ("x" * 5000,)]
)
def test_a_name_that_is_none_opens_nothing(tmp_path, secret, parts):
    (tmp_path / "run").mkdir()
    assert open_inside(tmp_path / "run", *parts) is None


def test_a_file_below_a_folder_is_opened(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("whole")
    for parts in (("a", "b", "c"), ("a/b", "c"), ("a/b/c",)):
        with open_inside(tmp_path, *parts) as file:
            assert file.read() == b"whole"


@pytest.mark.parametrize("size", [0, 1, 19, 20, 21, 1000])
def test_the_ends_of_a_file(tmp_path, size):
    content = bytes(number % 251 for number in range(size))
    (tmp_path / "file").write_bytes(content)
    with (tmp_path / "file").open("rb") as file:
        head, left_out, tail = read_ends(file, 10)
    assert len(head) + left_out + len(tail) == size
    assert left_out == max(0, size - 20)
    assert content.startswith(head)
    assert content.endswith(tail)


# Large logs. The size is a tenth of the issue's, and so is what it may cost.

LONG = 60 * MEGABYTE
MOST = 12 * MEGABYTE
LINES = {
    "short lines": b"1\n",
    "one line": b"x" * 1000,
    "bars": b"10%\r",
    "colours": b"\x1b[32mgreen\x1b[0m\n",
    "no text": b"\xff\x00",
}


@pytest.fixture(params=LINES)
def long_log(request, tmp_path):
    (tmp_path / "logs").mkdir()
    with (tmp_path / "logs" / "train.log").open("wb") as file:
        file.write(b"the first line\n")
        chunk = LINES[request.param] * (MEGABYTE // len(LINES[request.param]))
        for _ in range(LONG // MEGABYTE):
            file.write(chunk)
        file.write(b"\nthe last line\n")
    return tmp_path


REPORT = """
import resource, sys
from pathlib import Path
from fastkf.runs.model import Run
from fastkf.runs.report.page import render_report
small, large = Path(sys.argv[1]), Path(sys.argv[2])
render_report(Run(small, "a", "a"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
page = render_report(Run(large, "a", "a"))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert "the first line" in page and "the last line" in page and "logs/train.log" in page
print((after - before) * 1024)
"""


def test_a_report_of_a_long_log_costs_little_memory(long_log, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    command = [sys.executable, "-c", REPORT, small, long_log]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < MOST


def test_an_answer_with_a_long_log_has_its_ends_and_names_the_file(asked):
    id, folder = make_run(asked, "train")
    with (folder / "logs" / "train.log").open("wb") as file:
        file.write(b"the first line\n")
        file.seek(LONG)
        file.write(b"\nthe last line\n")
    answer = asked.client.get(f"/apis/v1alpha1/runs/{id}/nodes/step-1/log")
    assert answer.text.startswith("the first line\n")
    assert answer.text.endswith("\nthe last line\n")
    assert f"the whole: {folder}/logs/train.log" in answer.text
    assert len(answer.content) < 2 * BYTES_OF_AN_END + 500
    page = asked.client.get(f"/files/runs/{id}/log?step=train").json()
    assert page["text"].endswith("the last line\n")
    assert len(page["text"]) <= BYTES_OF_AN_END


def test_a_download_is_whole_and_never_in_memory(asked, monkeypatch):
    id, folder = make_run(asked, "train")
    with (folder / "logs" / "train.log").open("wb") as file:
        file.truncate(5 * MEGABYTE)
    with asked.client.stream("GET", f"/files/runs/{id}/logs/train.log") as answer:
        pieces = list(answer.iter_raw())
    assert sum(map(len, pieces)) == 5 * MEGABYTE == int(answer.headers["content-length"])
    assert "attachment" in answer.headers["content-disposition"]
