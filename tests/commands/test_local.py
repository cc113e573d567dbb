"""Local runs: real steps, isolated from each other, ended with their processes."""

import json
import os
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from build import write_notebook
from conftest import fastkf, start
from local_runs import run_notebook_here, run_package_here
from waiting import wait_for

from fastkf.engine.tasks.python import PythonTasks
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.model import read
from fastkf.runs.model import State

pytestmark = pytest.mark.slow


def chain(tmp_path, name="chain", value="1", **changes):
    """A notebook of three steps whose variable `y` is made from `value`."""
    cells = {
        "imports": ("imports", "import time\nimport numpy"),
        "parameters": (["pipeline-parameters", "parameters"], "offset = 1"),
        "load": ("step:load", f"y = {value}"),
        "shift": (["step:shift", "prev:load"], "z = float(sum(y)) + offset"),
        "end": (["step:end", "prev:shift"], "total = z * 2"),
        "metrics": ("pipeline-metrics", "print(total)"),
    }
    for key, source in changes.items():
        cells[key] = (cells[key][0], source)
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    return write_notebook(folder / f"{name}.ipynb", cells.values(), pipeline_name=name)


def marshal_paths(folder):
    """Where the steps of a run have saved their variables, from the metadata of the artifacts."""
    outputs = [json.loads(path.read_text()) for path in folder.rglob("executor_output.json")]
    artifacts = [
        artifact
        for output in outputs
        for named in output["artifacts"].values()
        for artifact in named["artifacts"]
    ]
    return [a["metadata"]["marshal_path"] for a in artifacts if "marshal_path" in a["metadata"]]


def by_name(outcome):
    return {step.name: step for step in outcome.steps}


@pytest.fixture
def own_tmp():
    """A folder for temporary files, to see what a run leaves there; its path is short."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("warm", [True, False], ids=["forked", "fresh"])
def test_steps_pass_data_and_report_metrics(tmp_path, warm):
    path = write_notebook(
        tmp_path / "pair.ipynb",
        [
            ("imports", "import math"),
            (["pipeline-parameters", "parameters"], "offset = 1"),
            ("step:load", "y = [1, 2]"),
            (["step:add", "prev:load"], "total = math.fsum(y) + offset"),
            ("pipeline-metrics", "print(total)"),
        ],
    )
    run = run_notebook_here(path, tmp_path / "run", warm=warm)
    assert [step.state for step in run.steps] == [State.SUCCEEDED] * 2
    assert run.metrics == {"total": 4.0}
    assert (tmp_path / "run" / "outputs" / "load.html").exists()


def test_what_is_set_before_an_import_is_set_ahead_of_the_steps(tmp_path, monkeypatch):
    """A module that the warm parent imports sees the variable as it does in the notebook."""
    library = tmp_path / "library"
    library.mkdir()
    (library / "reads_level.py").write_text("import os\nLEVEL = os.environ.get('LEVEL')")
    monkeypatch.syspath_prepend(library)
    setting = "import os\nimport sys\n\nos.environ['LEVEL'] = '3'"
    path = chain(tmp_path, value="[int(sys.modules['reads_level'].LEVEL)]", imports=setting)
    run = run_notebook_here(path, tmp_path / "run", imports=f"{setting}\nimport reads_level")
    assert run.metrics == {"total": 8.0}


def test_two_runs_at_once_with_equal_names_keep_their_own_data(tmp_path, own_tmp):
    """Kale saves the list as .dillpkl and the array as .npy: together they break a plain run."""
    plain = chain(tmp_path, "plain", "[1, 2]")
    array = chain(tmp_path, "array", value="numpy.arange(5)")
    environment = {**os.environ, "TMPDIR": str(own_tmp)}
    with ThreadPoolExecutor() as pool:
        runs = pool.map(
            lambda path: fastkf(
                "run",
                path,
                "--only",
                "pipeline",
                folder=tmp_path / f"run-{path.stem}",
                env=environment,
            ),
            [plain, array],
        )
    runs = list(runs)
    results = [run.record["pipeline"]["metrics"] for run in runs]
    assert results == [{"total": 8.0}, {"total": 22.0}]
    assert list(own_tmp.iterdir()) == []
    saved_in = {str(Path(path).parents[3]) for run in runs for path in marshal_paths(run.folder)}
    assert saved_in
    assert all(folder.startswith(str(own_tmp)) for folder in saved_in)


def test_a_run_does_not_see_what_an_earlier_one_left(tmp_path):
    first = chain(tmp_path, "first", "[1, 2]")
    second = chain(tmp_path, "second", value="numpy.arange(5)")
    results = [
        run_notebook_here(path, tmp_path / f"run-{path.stem}").metrics for path in (first, second)
    ]
    assert results == [{"total": 8.0}, {"total": 22.0}]


def test_parallel_steps_with_equal_variable_names_keep_their_own(tmp_path):
    path = write_notebook(
        tmp_path / "parallel.ipynb",
        [
            ("step:load", "number = 3"),
            (["step:left", "prev:load"], "y = [number]"),
            (["step:right", "prev:load"], "import numpy\ny = numpy.array([number, number])"),
            (["step:after_left", "prev:left"], "one = float(sum(y))"),
            (["step:after_right", "prev:right"], "two = float(sum(y))"),
            (["step:end", "prev:after_left", "prev:after_right"], "total = one * 10 + two"),
            ("pipeline-metrics", "print(total)"),
        ],
    )
    assert run_notebook_here(path, tmp_path / "run").metrics == {"total": 36.0}


def test_independent_steps_run_at_the_same_time(tmp_path):
    wait = "import time\n{name} = number\ntime.sleep(4)"
    path = write_notebook(
        tmp_path / "parallel.ipynb",
        [
            ("step:load", "number = 3"),
            (["step:left", "prev:load"], wait.format(name="left")),
            (["step:right", "prev:load"], wait.format(name="right")),
            (["step:end", "prev:left", "prev:right"], "total = left + right"),
        ],
    )
    run = run_notebook_here(path, tmp_path / "run", parallel=2)
    left, right = by_name(run)["left"], by_name(run)["right"]
    assert left.started < right.started + timedelta(seconds=right.seconds)
    assert right.started < left.started + timedelta(seconds=left.seconds)


def test_a_failing_step_names_the_first_error_and_stops_what_depends_on_it(tmp_path, run):
    path = write_notebook(
        tmp_path / "failing.ipynb",
        [
            ("step:load", "number = 3"),
            (["step:other", "prev:load"], "other = number + 1"),
            (["step:divide", "prev:load"], "ratio = number\nratio = number / 0"),
            ("", "raise KeyError('a later error')"),
            (["step:end", "prev:divide", "prev:other"], "total = ratio + other"),
        ],
    )
    command = run(path, "--only", "pipeline")
    steps = {step["name"]: step for step in command.record["pipeline"]["steps"]}
    assert command.code == 1
    assert steps["divide"]["error"] == (
        "ZeroDivisionError: division by zero (cell 3, line 2: ratio = number / 0)"
    )
    assert [steps[name]["status"] for name in ("load", "other", "divide", "end")] == [
        "succeeded",
        "succeeded",
        "failed",
        "skipped",
    ]
    assert "step divide: ZeroDivisionError" in command.output
    assert "Traceback" not in command.output
    assert "ZeroDivisionError" in (command.folder / "logs" / "divide.log").read_text()
    assert "ZeroDivisionError" in (command.folder / "report.html").read_text()


def test_what_a_step_prints_is_in_its_log(tmp_path):
    path = write_notebook(
        tmp_path / "printing.ipynb",
        [("step:load", "print('before the failure')\nnumber = 1 / 0")],
    )
    run_notebook_here(path, tmp_path / "run")
    assert "before the failure" in (tmp_path / "run" / "logs" / "load.log").read_text()


def test_a_package_that_is_not_installed_is_one_message(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    notebook = read(chain(tmp_path, value="[1, 2]"))
    package = compile_notebook(notebook, tmp_path / "pipeline.yaml")
    text = package.read_text().replace("kubeflow-kale==", "no-such-package==1.0' 'kubeflow-kale==")
    package.write_text(text)
    run = run_package_here(package, tmp_path / "run", tmp_path, warm=False)
    assert not run.succeeded
    missing = by_name(run)["load"].failure.message
    assert "no-such-package==1.0 (here: not installed)" in missing


def test_forked_steps_draw_different_numbers_and_show_tables_as_fresh_ones(tmp_path):
    columns = "import pandas\ncolumns = float(pandas.get_option('display.max_columns'))"
    draw = "import numpy\n{name} = float(numpy.random.rand())"
    path = write_notebook(
        tmp_path / "random.ipynb",
        [
            ("step:load", f"number = 1\n{columns}"),
            (["step:left", "prev:load"], "number\n" + draw.format(name="left")),
            (["step:right", "prev:load"], "number\n" + draw.format(name="right")),
            (["step:end", "prev:left", "prev:right"], "difference = abs(left - right)"),
            ("pipeline-metrics", "print(difference)\nprint(columns)"),
        ],
    )
    run = run_notebook_here(path, tmp_path / "run", imports="import numpy.random, pandas")
    assert run.metrics["difference"] > 0
    assert run.metrics["columns"] == 20


def test_metrics_travel_in_a_file_of_the_steps_own(tmp_path):
    """The path that Kale would write to is every step's, and every run's, on this machine."""
    shared = Path("/tmp/mlpipeline-metrics.json")
    before = shared.stat().st_mtime_ns if shared.exists() else None
    where = "import os\nplace = os.environ['FASTKF_STEP_FOLDER']\n"
    path = write_notebook(
        tmp_path / "metrics.ipynb",
        [
            ("step:load", where + "own = float('/fastkf-' in place and '/load-' in place)"),
            ("pipeline-metrics", "print(own)"),
        ],
    )
    assert run_notebook_here(path, tmp_path / "run").metrics == {"own": 1.0}
    assert (shared.stat().st_mtime_ns if shared.exists() else None) == before


def test_a_cell_that_names_kales_folder_means_what_it_says(tmp_path, run):
    """Only Kale's own statements lead elsewhere; they are not looked for in a learner's code."""
    path = write_notebook(
        tmp_path / "words.ipynb",
        [
            ("step:load", "word = '/tmp/marshalled'\nparts = ['python3', '/tmp/marshal']"),
            (
                ["step:compare", "prev:load"],
                "same = float(word == '/tmp/' + 'marshalled' and len(parts[0] + parts[1]) == 19)",
            ),
            ("pipeline-metrics", "print(same)"),
        ],
    )
    record = run(path).record
    assert record["status"] == "succeeded"
    assert record["parity"]["same"] == {"notebook": 1.0, "pipeline": 1.0, "equal": True}


def test_what_the_toolkit_hides_is_not_hidden_from_a_step(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "rfc3987_syntax.py").write_text("def is_valid_syntax(term, value): return True")
    path = write_notebook(
        tmp_path / "importing.ipynb",
        [
            (
                "step:load",
                "import rfc3987_syntax, debugpy\nfound = float(callable(debugpy.listen))",
            ),
            ("pipeline-metrics", "print(found)"),
        ],
    )
    run = run_notebook_here(path, tmp_path / "run", imports="import rfc3987_syntax")
    assert run.metrics == {"found": 1.0}


def test_settings_made_before_an_import_still_hold(tmp_path, run):
    """Only imports up to the first other statement are imported ahead of the steps."""
    imports = "import os\nos.environ['MPLBACKEND'] = 'svg'\nimport matplotlib"
    path = write_notebook(
        tmp_path / "settings.ipynb",
        [
            ("imports", imports),
            ("step:load", "same = float(matplotlib.get_backend() == 'svg')"),
            ("pipeline-metrics", "print(same)"),
        ],
    )
    # In a process of its own: here another test may have imported matplotlib already.
    assert run(path, "--only", "pipeline").record["pipeline"]["metrics"] == {"same": 1.0}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_run_that_is_ended_takes_its_processes_with_it(tmp_path, own_tmp, number):
    started = tmp_path / "chain" / "started"  # beside the notebook, which steps see in /tmp too
    load = f"y = [1]\nopen({str(started)!r}, 'w').close()\ntime.sleep(60)"
    path = chain(tmp_path, load=load)
    environment = {**os.environ, "TMPDIR": str(own_tmp)}
    options = ["--only", "pipeline", "--output", tmp_path / "run"]
    process = start("run", path, *options, env=environment)
    wait_for(started.exists)
    processes = processes_with(own_tmp)
    assert len(processes) > 2
    process.send_signal(number)
    process.communicate(timeout=120)
    wait_for(lambda: not any(other.is_running() for other in processes))
    wait_for(lambda: not list(own_tmp.iterdir()))
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["status"] == "failed"
    if number != signal.SIGKILL:
        assert process.returncode == 1
        assert record["error"].startswith("interrupted")
        assert record["pipeline"]["steps"][0]["error"] == "interrupted"


def processes_with(folder: Path) -> list[psutil.Process]:
    """The processes whose working folder is below the folder: those of a run's steps."""
    found = []
    for process in psutil.process_iter(["cwd"]):
        if process.pid != os.getpid() and (process.info["cwd"] or "").startswith(str(folder)):
            found.append(process)
    return found


def test_what_kfp_cannot_start_fails_its_step(tmp_path, monkeypatch):
    notebook = read(chain(tmp_path, value="[1, 2]"))
    package = compile_notebook(notebook, tmp_path / "pipeline.yaml")
    monkeypatch.setattr(PythonTasks, "execute", lambda *_: 1 / 0)
    run = run_package_here(package, tmp_path / "run", tmp_path, warm=False)
    assert not run.succeeded
    load, shift = by_name(run)["load"], by_name(run)["shift"]
    assert load.state is State.FAILED
    assert load.failure.name == "ZeroDivisionError"
    assert shift.state is State.SKIPPED
