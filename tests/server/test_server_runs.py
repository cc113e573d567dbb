"""Runs on the local server: queued, executed, ended, taken up again; each in its own folder."""

import os
import signal
from pathlib import Path

import psutil
import pytest
from build import write_notebook
from servers import Server, at, chain, sleeping
from waiting import is_alive, wait_for

from fastkf.course import places
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.model import read
from fastkf.package.model import Package

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(place, "w").write(str(os.getpid()))
time.sleep(600)
return 1"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server"), "--parallel-runs", 1) as server:
        yield server


def run_stubborn(server, pids: Path) -> str:
    """Runs a step that does not want to end; its pid goes into the file."""
    return server.run(chain(STUBBORN, parameters={"place": ""}), **at(pids))


def kale_package(folder: Path, *cells) -> dict:
    notebook = read(write_notebook(folder / "kale.ipynb", cells))
    content = compile_notebook(notebook, folder / "kale.yaml").read_bytes()
    return Package.from_upload(content).as_answer()


def test_a_kale_notebook_runs_and_its_metrics_can_be_read(server, tmp_path):
    package = kale_package(
        tmp_path,
        (["pipeline-parameters", "parameters"], "start = 1"),
        ("step:load", "first = start + 1"),
        (["step:add", "prev:load"], "total_sum = float(first + 2)\nprint('adding')"),
        ("pipeline-metrics", "print(total_sum)"),
    )
    run_id = server.run(package, runtime_config={"parameters": {"start": 5}})
    seen = set()

    def ended():
        answer = server.call("GET", f"/runs/{run_id}")[1]
        seen.add(answer.get("state"))
        return answer["state_history"][-1]["state"] == "SUCCEEDED"

    wait_for(ended)
    answer = server.call("GET", f"/runs/{run_id}")[1]
    assert {"RUNNING", "SUCCEEDED"} <= seen <= {"PENDING", "RUNNING", "SUCCEEDED"}
    assert [one["state"] for one in answer["state_history"]] == ["PENDING", "RUNNING", "SUCCEEDED"]
    tasks = tasks_of(answer)
    load, add = tasks["load-step"], tasks["add-step"]
    assert (load["display_name"], load["state"]) == ("load-step", "SUCCEEDED")
    assert load["end_time"] <= add["start_time"] < add["end_time"] <= answer["finished_at"]
    (metric_id,) = add["outputs"]["kale_metrics_artifact"]["artifact_ids"]
    metric = server.call("GET", f"/artifacts/{metric_id}")[1]
    assert (metric["type"], metric["name"], metric["number_value"]) == ("Metric", "total-sum", 8.0)
    record = server.record(run_id)
    assert record["pipeline"]["metrics"] == {"total_sum": 8.0}
    assert record["parameters"] == {"start": 5}
    assert "adding" in (server.folder / "runs" / run_id / "logs" / "add.log").read_text()
    assert (server.folder / "runs" / run_id / "outputs" / "add.html").exists()


def tasks_of(answer: dict) -> dict[str, dict]:
    return {task["display_name"]: task for task in answer["run_details"]["task_details"]}


def test_a_failing_step_says_the_learners_own_exception(server, tmp_path):
    package = kale_package(
        tmp_path,
        ("imports", "import math"),
        ("step:load", "number = 1"),
        (["step:divide", "prev:load"], "ratio = number\nratio = number / 0"),
        (["step:end", "prev:divide"], "total = ratio"),
    )
    answer = server.wait(server.run(package))
    reason = "ZeroDivisionError: division by zero (line 2 of the step's cell: ratio = number / 0)"
    assert answer["state"] == "FAILED"
    assert answer["error"]["message"] == f"step divide: {reason}"
    assert answer["state_history"][-1]["error"]["message"] == f"step divide: {reason}"
    tasks = tasks_of(answer)
    assert {name: task["state"] for name, task in tasks.items() if name.endswith("-step")} == {
        "load-step": "SUCCEEDED",
        "divide-step": "FAILED",
        "end-step": "SKIPPED",
    }
    assert (tasks["root"]["state"], tasks["root-driver"]["state"]) == ("FAILED", "SUCCEEDED")
    assert {"divide-step-driver", "executor(0)", "divide-step(0)"} <= set(tasks)
    assert "end-step-driver" not in tasks
    assert tasks["divide-step"]["error"]["message"] == reason


def test_runs_go_one_after_the_other_in_their_order(server):
    with sleeping(server) as first:
        server.wait(first, "RUNNING")
        later = [server.run(chain("return 1"), f"later {n}") for n in range(3)]
        assert [server.state(one) for one in later] == ["PENDING"] * 3
        assert server.call("GET", f"/runs/{later[0]}")[1]["state"] == "PENDING"
        assert server.call("POST", f"/runs/{later[1]}:terminate") == (200, {})
        assert server.state(later[1]) == "FAILED"
        assert server.record(later[1])["status"] == "canceled"
        assert server.call("DELETE", f"/runs/{later[2]}") == (200, {})
    assert server.wait(later[0])["state"] == "SUCCEEDED"
    assert server.call("GET", f"/runs/{later[2]}")[0] == 404
    answers = [server.call("GET", f"/runs/{one}")[1] for one in (first, later[0])]
    assert answers[0]["finished_at"] <= answers[1]["state_history"][1]["update_time"]


def test_terminate_ends_processes_that_do_not_want_to_end(server, tmp_path):
    pids = tmp_path / "pids"
    run_id = run_stubborn(server, pids)
    wait_for(lambda: pids.exists() and pids.read_text())
    assert server.call("POST", f"/runs/{run_id}:terminate") == (200, {})
    answer = server.wait(run_id)
    assert answer["state"] == "FAILED"
    assert not is_alive(int(pids.read_text()))
    states = [one["state"] for one in answer["state_history"]]
    assert states == ["PENDING", "RUNNING", "CANCELING", "FAILED"]
    assert server.record(run_id)["status"] == "canceled"
    status, refused = server.call("POST", f"/runs/{run_id}:terminate")
    assert (status, refused["code"]) == (400, 3)


def test_a_run_whose_process_is_killed_has_failed(server, tmp_path):
    pids = tmp_path / "pids"
    run_id = run_stubborn(server, pids)
    wait_for(lambda: pids.exists() and pids.read_text())
    (leash,) = psutil.Process(server.process.pid).children()
    (process,) = leash.children()
    process.kill()
    answer = server.wait(run_id)
    assert answer["state"] == "FAILED"
    assert "was killed" in answer["error"]["message"]
    assert [task["state"] for task in task_details(answer)] == ["FAILED"]
    wait_for(lambda: not is_alive(int(pids.read_text())), seconds=15)


def test_deleting_a_run_ends_it_and_removes_its_folder(server, tmp_path):
    pids = tmp_path / "pids"
    run_id = run_stubborn(server, pids)
    wait_for(lambda: pids.exists() and pids.read_text())
    pid = int(pids.read_text())
    assert server.call("DELETE", f"/runs/{run_id}") == (200, {})
    assert not is_alive(pid)
    assert not (server.folder / "runs" / run_id).exists()


def test_retry_leaves_out_what_has_succeeded(server, tmp_path):
    """The step that runs again gets its data from the first attempt, whose processes are gone."""
    flag, count = tmp_path / "flag", tmp_path / "count"
    package = kale_package(
        tmp_path,
        ("imports", "import os\nimport numpy"),
        (["pipeline-parameters", "parameters"], "place = ''"),
        ("step:load", "print('x', file=open(f'{place}/count', 'a'))\ny = numpy.array([1, 2])"),
        (
            ["step:shift", "prev:load"],
            "assert os.path.exists(f'{place}/flag')\ntotal = float(sum(y))",
        ),
        ("pipeline-metrics", "print(total)"),
    )
    run_id = server.run(package, **at(tmp_path))
    first = server.wait(run_id)
    assert "step shift: AssertionError" in first["error"]["message"]
    flag.touch()
    assert server.call("POST", f"/runs/{run_id}:retry") == (200, {})
    answer = server.wait(run_id, "SUCCEEDED", "FAILED")
    assert "error" not in answer
    states = [one["state"] for one in answer["state_history"]]
    assert states == ["PENDING", "RUNNING", "FAILED", "PENDING", "RUNNING", "SUCCEEDED"]
    assert count.read_text() == "x\n"
    assert task_details(answer)[0] == task_details(first)[0]
    assert server.record(run_id)["pipeline"]["metrics"] == {"total": 3.0}
    assert server.call("POST", f"/runs/{run_id}:retry")[1]["code"] == 10


def test_each_step_sees_the_courses_data_and_works_in_a_folder_of_its_own(server):
    source = "import os\nprint(os.listdir('../data'))\nopen('made', 'x').close()\nreturn 1"
    run_id = server.run(chain(source, source, parameters={"data_dir": "../data"}))
    assert server.wait(run_id)["state"] == "SUCCEEDED"
    folder = server.folder / "runs" / run_id
    assert not list(folder.rglob("made"))
    assert (folder / "data").resolve() == places.DATA
    assert "sources.toml" in (folder / "logs" / "step-1.log").read_text()


def test_steps_of_no_notebook_do_not_wait_for_what_notebooks_need(server):
    source = (
        "import sys\nprint({'kfp', 'kubernetes', 'kale', 'ipykernel'} & {*sys.modules})\nreturn 1"
    )
    run_id = server.run(chain(source))
    assert server.wait(run_id)["state"] == "SUCCEEDED"
    assert "{'kfp'}" in (server.folder / "runs" / run_id / "logs" / "step-1.log").read_text()


def test_data_that_are_missing_are_named_before_anything_runs(server):
    package = chain("return 1", parameters={"data_dir": "../data/no_such_data"})
    message = server.wait(server.run(package))["error"]["message"]
    assert "data_dir = ../data/no_such_data: there is no such folder" in message
    assert "fastkf data" in message


def test_container_components_are_refused_with_what_runs_them(server):
    package = chain("return 1")
    container = package["deploymentSpec"]["executors"]["exec-1"]["container"]
    container |= {"image": "registry/tree:1.0", "command": ["python", "train.py"], "args": []}
    message = server.wait(server.run(package))["error"]["message"]
    assert "registry/tree:1.0" in message
    assert "fastkf server --docker" in message
    assert "--components FOLDER" in message


def test_a_condition_that_does_not_hold_leaves_its_step_out(server, tmp_path):
    answer = server.wait(server.run(conditional(tmp_path)))
    states = {task["display_name"]: task["state"] for task in task_details(answer)}
    assert (answer["state"], states) == ("SUCCEEDED", {"one": "SUCCEEDED", "one-2": "SKIPPED"})


def conditional(folder: Path) -> dict:
    from kfp import compiler, dsl

    def one() -> int:
        return 1

    component = dsl.component(one, base_image="python:3.11", install_kfp_package=False)

    @dsl.pipeline(name="conditional")
    def pipeline():
        number = component()
        with dsl.If(number.output > 5):
            component()

    compiler.Compiler().compile(pipeline, str(folder / "conditional.yaml"))
    return Package.from_upload((folder / "conditional.yaml").read_bytes()).spec


def task_details(answer: dict) -> list[dict]:
    """Those of the steps, which alone have a log, without drivers, executors and attempts."""
    return [task for task in answer["run_details"]["task_details"] if "pod_name" in task]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_the_servers_end_is_the_end_of_its_runs(tmp_path, number):
    """Also what stays: the run that was going has failed, the one that waited is done next time."""
    server = Server(tmp_path, "--parallel-runs", 1)
    pids = tmp_path / "pids"
    going, waiting = run_stubborn(server, pids), server.run(chain("return 1"))
    experiment = server.call("POST", "/experiments", {"display_name": "kept"})[1]
    wait_for(lambda: pids.exists() and pids.read_text())
    code = server.stop(number)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    wait_for(lambda: not is_alive(int(pids.read_text())), seconds=15)
    with Server(tmp_path) as server:
        answer = server.call("GET", f"/runs/{going}")[1]
        assert answer["state"] == "FAILED"
        assert "while the run was going" in answer["error"]["message"]
        assert server.record(going)["status"] == "failed"
        assert [task["state"] for task in task_details(answer)] == ["FAILED"]
        assert server.wait(waiting)["state"] == "SUCCEEDED"
        found = server.call("GET", f"/experiments/{experiment['experiment_id']}")[1]
        assert found == experiment


def test_nothing_is_left_of_the_runs_processes(server):
    """After the tests above: the server has no children but those of runs that go."""
    wait_for(lambda: not psutil.Process(server.process.pid).children(recursive=True), seconds=15)
    assert not [p for p in os.listdir(server.folder / "runs") if p.startswith(".")]
