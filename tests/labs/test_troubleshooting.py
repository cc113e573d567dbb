"""The messages that the guide to troubleshooting quotes: the program is brought to say each."""

import errno
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from build import write_notebook
from conftest import fastkf, start
from experiments import write_experiment
from guides import read_text
from waiting import wait_for

from fastkf.base.errors import FastkfError
from fastkf.base.processes import Ending
from fastkf.cluster.errors import Response, explain_silence, find_error
from fastkf.course import data, places
from fastkf.engine.tasks import python
from fastkf.engine.tasks.python import read_failure
from fastkf.engine.warm.parent import python_for_steps
from fastkf.lab.session import choose_port
from fastkf.runs.compare import compare
from fastkf.runs.keeper import describe_unexpected
from fastkf.runs.model import Run
from fastkf.runs.problems import list_problems
from fastkf.storage import weed
from fastkf.storage.store import Store

GUIDE = places.PROJECT / "labs" / "troubleshooting.md"
ONE_TRIAL = {"maxTrialCount": 1, "parallelTrialCount": 1, "maxFailedTrialCount": 1}
HOST = "http://kubeflow.example"
PYTHON_WITHOUT_VENV = """#!/bin/sh
exec {python} -c 'import sys; sys.modules["ensurepip"] = None; exec(sys.argv[1])' "$2"
"""

# The message, and what brings the program to say it in an empty folder.
MESSAGES = []


def says(message):
    def note(provoke):
        MESSAGES.append(pytest.param(message, provoke, id=provoke.__name__))
        return provoke

    return note


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def find_python(path: Path) -> str:
    command = ["/bin/sh", places.PROJECT / "tools" / "find_python.sh"]
    environment = {"PATH": f"{path}"}
    return subprocess.run(command, env=environment, capture_output=True, text=True).stderr


@says("Fast-Kubeflow needs Python 3.11, 3.12 or 3.13")
def no_python(folder):
    return find_python(folder)


@says("has no module venv (on Debian and Ubuntu: apt install python")
def python_without_venv(folder):
    for program in ("grep", "head"):
        write_program(folder / program, "#!/bin/sh\n")
    text = PYTHON_WITHOUT_VENV.format(python=sys.executable)
    write_program(folder / "python3.12", text)
    return find_python(folder)


@says("pip could not install the packages")
def no_packages(folder):
    spec = importlib.util.spec_from_file_location("tool", places.PROJECT / "tools" / "set_up.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    (folder / "requirements.txt").write_bytes(places.LOCK.read_bytes())
    write_program(folder / ".venv" / "bin" / "python", "#!/bin/sh\nexit 1\n")
    with pytest.raises(tool.SetUpError) as caught:
        tool.install(folder)
    return caught.value


@says("this is not the file that the lab expects; it is damaged or was ")
def damaged_data(folder):
    source = data.read_sources()["titanic"]
    (folder / source.files[0].name).write_text("damaged")
    with pytest.raises(FastkfError) as caught:
        data.is_complete(source, folder)
    return caught.value


@says("not empty; name a new folder with --output")
def full_folder(folder):
    notebook = write_notebook(folder / "own.ipynb", [("step:load", "x = 1")])
    return fastkf("run", notebook, folder=folder).output


@says("look for a missing seed")
def other_metric(folder):
    run = Run(folder, "lab", "A lab", parity=compare({"accuracy": 0.75}, {"accuracy": 0.5}))
    return list_problems(run)


@says("no such lab or notebook")
def no_lab(folder):
    return fastkf("check", "no_such_lab", cwd=folder).output


@says("no Docker engine answers")
def no_docker(folder):
    package = places.PROJECT / "labs" / "custom_images" / "pipeline.yaml"
    environment = {**os.environ, "DOCKER_HOST": f"unix://{folder}/none.sock"}
    return fastkf("run", package, "--docker", folder=folder / "run", env=environment).output


@says("it printed no ")
def no_metric(folder):
    path = write_experiment(folder / "experiment", "print('other=1')", spec=ONE_TRIAL)
    return fastkf("tune", path, folder=folder / "run").output


@says("finished trials are kept. To go on: ")
def interrupted_search(folder):
    code = "open('started', 'w').close()\ntime.sleep(600)"
    path = write_experiment(folder / "experiment", code, spec=ONE_TRIAL)
    search = start("tune", path, "--output", folder / "run")
    wait_for((path.parent / "started").exists)
    search.send_signal(signal.SIGINT)
    return search.communicate(timeout=60)[0]


@says("no store runs here; start it: fastkf storage start")
def no_store(folder):
    with pytest.raises(FastkfError) as caught:
        Store(folder).environment()
    return caught.value


@says("other files are in it; name a new --folder")
def store_among_other_files(folder):
    (folder / "thesis.txt").write_text("mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weed, "find_program", lambda: "/bin/false")
        with pytest.raises(FastkfError) as caught:
            Store(folder).start()
    return caught.value


@says("another program listens there; leave --port out")
def taken_port(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(FastkfError) as caught:
        choose_port(taken.getsockname()[1])
    return caught.value


@says("was killed by SIGKILL; the machine was short of memory (exit code 137)")
def step_without_memory(folder):
    return Ending(137, short_of_memory=True)


@says("no space is left there")
def full_disk(folder):
    return describe_unexpected(OSError(errno.ENOSPC, "No space left on device", "run.json"))


@says("there is no space left in /tmp")
def full_folder_of_steps(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(python, "is_full", lambda _: True)
        patch.setattr("tempfile.tempdir", "/tmp")
        return read_failure(folder, Ending(1)).message


@says("no program can be started there")
def folder_without_programs(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        with pytest.raises(FastkfError) as caught, python_for_steps(folder, warm=False):
            pass
    return caught.value


@says("check the address and that the server is up")
def no_answer(folder):
    return explain_silence(HOST, "connection refused")


@says("not as the API of Kubeflow Pipelines does")
def another_page(folder):
    return find_error(HOST, Response(200, "<html>Welcome</html>"))


@says("does not know who you are (401")
def unknown_user(folder):
    return find_error(HOST, Response(401))


@says("shows a page to sign in")
def sign_in_page(folder):
    return find_error(HOST, Response(200, "<form>Password: <input></form>"))


@says("Kubeflow Pipelines is not up behind it")
def gateway_alone(folder):
    return find_error(HOST, Response(503))


@pytest.mark.parametrize(("message", "provoke"), MESSAGES)
def test_the_guide_quotes_what_is_said(message, provoke, tmp_path):
    said = re.sub(r"\s+", " ", str(provoke(tmp_path)))
    assert message in said
    assert message in read_text(GUIDE)
