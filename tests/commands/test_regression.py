"""The regression suite catches each kind of rot, planted in a copy of a small sound lab."""

import json
import re
import shutil

import pytest
from build import write_notebook
from conftest import fastkf, run_fresh, run_pytest_fresh

from fastkf.base.errors import FastkfError
from fastkf.course.regression import checks, green, once
from fastkf.engine.notebook import execute_notebook
from fastkf.notebook.model import read

pytestmark = pytest.mark.slow

QUESTION = [
    "### Exercise 1 (easy)",
    "answer = None",
    "print('Right' if answer == 4 else 'Not yet')",
]
# By NumPy, not pandas: most of the processes here would do little else than import it.
READ = 'table = np.genfromtxt("table.csv", delimiter=",", names=True)[:rows]'
CELLS = [
    ("markdown", "# A small lab"),
    ("imports", "import os\nimport numpy as np"),
    (["pipeline-parameters", "parameters"], "rows = 3\nseed = 1"),
    ("step:load", f"{READ}\nprint(len(table))"),
    (
        ["step:draw", "prev:load"],
        "np.random.seed(seed)\nnoise = float(np.random.rand())\nsize = len(table)",
    ),
    (["step:sum", "prev:load", "prev:draw"], 'total = float(table["x"].sum()) + noise * size'),
    ("pipeline-metrics", "print(total)"),
    ("markdown", QUESTION[0]),
    ("skip", QUESTION[1]),
    ("skip", QUESTION[2]),
]
COURSE = {"files": ["table.csv"], "quick": {"rows": 2}}


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """A folder with the executed lab, its data, its golden pipeline and its solution."""
    folder = tmp_path_factory.mktemp("sound")
    for place, answer in ((folder, "None"), (folder / "solutions", "4")):
        path = write_notebook(place / "small.ipynb", CELLS)
        (place / "table.csv").write_text("x\n1\n2\n3\n")
        change(path, "answer = None", f"answer = {answer}")
        content = json.loads(path.read_text())
        content["metadata"]["fastkf"] = COURSE
        path.write_text(json.dumps(content))
        assert execute_notebook(read(path), path, {}, lambda done, total: None).error is None
        remove_papermill_marks(path)
    checks.write_golden(read(folder / "small.ipynb"))
    return folder


@pytest.fixture
def copy(sound, tmp_path):
    shutil.copytree(sound, tmp_path / "copy")
    return tmp_path / "copy" / "small.ipynb"


def change(path, old, new):
    """Replaces text in the source of the notebook's cells, leaving the outputs as they are."""
    content = json.loads(path.read_text())
    for cell in content["cells"]:
        source = "".join(cell["source"])
        cell["source"] = source.replace(old, new)
    path.write_text(json.dumps(content))


def remove_papermill_marks(path):
    content = json.loads(path.read_text())
    content["metadata"].pop("papermill")
    for cell in content["cells"]:
        cell["metadata"] = {"tags": cell["metadata"].get("tags", [])}
    path.write_text(json.dumps(content))


def failure(check, path, folder):
    """What the check says of the notebook; None when it passes."""
    folder = folder / check.__name__
    folder.mkdir(parents=True)
    try:
        check(read(path), folder)
    except checks.CheckError as error:
        return str(error)
    return None


def test_the_sound_lab_passes_every_check(copy, tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "run_command", run_fresh)
    monkeypatch.setattr(once, "run_pytest", run_pytest_fresh)
    every = {*checks.FULL.values(), *checks.QUICK.values()}
    assert len(every) == 8
    assert {check: failure(check, copy, tmp_path) for check in every} == dict.fromkeys(every)


@pytest.mark.parametrize(
    ("check", "old", "new", "says"),
    [
        ("run", 'delimiter=","', 'separator=","', "unexpected keyword argument 'separator'"),
        ("execution", 'delimiter=","', 'separator=","', "unexpected keyword argument 'separator'"),
        ("pipeline", "noise * size", "noise * size + 1", "metric total is committed as"),
        ("rules", "import numpy as np", "", "undefined-name"),
        ("run", "np.random.seed(seed)\n", "", "metric total: the notebook gives"),
        ("pipeline", "np.random.seed(seed)\n", "", "metric total is committed as"),
        ("execution", "print(len(table))", "print(len(table) + 1)", "mismatch"),
        (
            "run",
            "size = len(table)",
            'size = len(table) if "FASTKF_STEP_FOLDER" not in os.environ else 1 / 0',
            "step draw: ZeroDivisionError: division by zero (cell 5, line 3",
        ),
        ("package", "rows = 3", "rows = 3.5", "parameters was"),
    ],
    ids=[
        "removed keyword argument, as pipeline",
        "removed keyword argument, as notebook",
        "changed metric",
        "missing import",
        "removed seed, notebook against pipeline",
        "removed seed, committed against now",
        "output that no longer matches",
        "exception only in the pipeline",
        "changed parameter",
    ],
)
def test_rot_is_caught(copy, tmp_path, check, old, new, says):
    change(copy, old, new)
    assert says in failure(getattr(checks, check), copy, tmp_path)


@pytest.mark.parametrize("check", [checks.exercises, checks.quick_exercises])
def test_a_wrong_answer_is_caught(copy, tmp_path, check):
    change(copy.parent / "solutions" / copy.name, "answer = 4", "answer = 5")
    assert "0 of 1 exercises are right" in failure(check, copy, tmp_path)


def test_an_answer_that_raises_is_told_and_changes_nothing_of_the_execution(copy, tmp_path):
    change(copy.parent / "solutions" / copy.name, "answer = 4", "answer = 4 / 0")
    told = failure(checks.exercises, copy, tmp_path)
    assert "0 of 1 exercises are right\nZeroDivisionError: division by zero\nNot yet" in told
    assert failure(checks.execution, copy, tmp_path) is None


def test_a_solution_that_cannot_be_read_is_no_fault_of_the_lab(copy, tmp_path):
    (copy.parent / "solutions" / copy.name).write_text("{")
    assert failure(checks.execution, copy, tmp_path) is None
    with pytest.raises(FastkfError, match="not a readable notebook"):
        checks.exercises(read(copy), tmp_path / "exercises")


def test_a_folder_that_cannot_be_written_forgets_what_passed_and_no_more(
    copy, tmp_path, monkeypatch, capsys
):
    (tmp_path / "file").touch()
    monkeypatch.setattr(green.places, "RUNS", tmp_path / "file" / "runs")
    green.keep({copy: True}, quick=True)
    assert "not remembered for --changed: " in capsys.readouterr().out


def test_an_output_that_is_a_file_is_wrong_use(copy, tmp_path):
    (tmp_path / "file").touch()
    command = fastkf("test", copy, "--output", tmp_path / "file")
    assert command.code == 2
    assert f"{tmp_path / 'file'}: cannot be written" in command.output


def test_a_lab_that_gives_other_outputs_fails_by_itself(copy, tmp_path):
    change(copy, "print(len(table))", "print(len(table) + 1)")
    assert failure(checks.exercises, copy, tmp_path) is None
    assert "mismatch" in failure(checks.execution, copy, tmp_path)


def test_a_kernel_that_dies_is_told_at_once(copy, tmp_path):
    """By itself nbval waits 2,000 seconds for its answer, which is longer than a test may take."""
    change(copy, "print(len(table))", "os._exit(3)")
    said = "the notebook's kernel has died: it ended with exit code 3"
    assert said in once.execute_once(read(copy), tmp_path / "none", tmp_path / "executed").told
    assert "it ended with exit code 3 (cell 4)" in failure(checks.execution, copy, tmp_path)


def test_two_checks_share_one_execution(copy, tmp_path):
    change(copy, "print(len(table))", 'open("times.txt", "a").write("once ");print(len(table))')
    assert failure(checks.execution, copy, tmp_path) is None
    assert failure(checks.exercises, copy, tmp_path) is None
    assert (copy.parent / "times.txt").read_text() == "once "


def test_an_exercise_solved_in_the_lab_is_caught(copy, tmp_path):
    solution = copy.parent / "solutions" / copy.name
    copy.write_bytes(solution.read_bytes())
    assert "an exercise is solved in the lab itself" in failure(checks.exercises, copy, tmp_path)


@pytest.mark.parametrize(
    ("tolerance", "says"), [(0.01, "metric total is committed as"), (0.2, None)]
)
def test_metrics_are_compared_within_the_tolerance(copy, tmp_path, tolerance, says):
    content = json.loads(copy.read_text())
    content["metadata"]["fastkf"]["tolerance"] = tolerance
    output = content["cells"][6]["outputs"][0]
    output["text"] = [f"{float(''.join(output['text'])) * 1.1}\n"]
    copy.write_text(json.dumps(content))
    found = failure(checks.execution, copy, tmp_path)
    assert found is None if says is None else says in found


def test_a_broken_tag_is_caught(copy, tmp_path):
    content = json.loads(copy.read_text())
    content["cells"][4]["metadata"]["tags"] = ["step:draw", "previous:load"]
    copy.write_text(json.dumps(content))
    assert "unknown-tag" in failure(checks.rules, copy, tmp_path)


def test_a_moved_edge_is_caught(copy, tmp_path):
    change(copy, "size = len(table)", "size = rows")
    assert "tasks was" in failure(checks.package, copy, tmp_path)


def test_changed_data_are_caught(copy, tmp_path):
    (copy.parent / "table.csv").write_text("x\n1\n2\n4\n")
    assert "metric total is committed as" in failure(checks.pipeline, copy, tmp_path)


def test_a_progress_bar_is_no_warning(copy, tmp_path):
    def committed(text):
        content = json.loads(copy.read_text())
        cell = next(one for one in content["cells"] if one["cell_type"] == "code")
        cell["outputs"] = [{"output_type": "stream", "name": "stderr", "text": text}]
        copy.write_text(json.dumps(content))

    committed("\r  0%|     | 0/3 [00:00<?, ?it/s]\r100%|█████| 3/3 [00:00<00:00, 25784.66it/s]\n")
    checks.outputs(read(copy), tmp_path)
    committed("\r100%|█████| 3/3 [00:00<00:00, 9.1it/s]\nUserWarning: odd\n")
    assert "a warning is among" in failure(checks.outputs, copy, tmp_path)


@pytest.mark.parametrize(
    ("tags", "source", "says"),
    [
        (["skip"], "1 / 0", "an error or a warning is among"),
        (["skip", "raises-exception"], "1 / 0", None),
        (["skip", "nbval-raises-exception"], "1 / 0", None),
        (["skip"], "# NBVAL_RAISES_EXCEPTION\n1 / 0", None),
    ],
)
def test_an_exception_that_is_meant_is_no_error(copy, tmp_path, tags, source, says):
    content = json.loads(copy.read_text())
    error = {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "", "traceback": []}
    cell = {**content["cells"][-1], "source": source, "outputs": [error], "id": "raises"}
    content["cells"].append({**cell, "metadata": {"tags": tags}})
    copy.write_text(json.dumps(content))
    found = failure(checks.outputs, copy, tmp_path)
    assert found is None if says is None else says in found


def test_progress_bars_of_two_executions_are_alike():
    bars = ["100%|██| 3/3 [00:00<00:00, 9.1it/s]\n", "100%|██| 3/3 [00:01<00:00, 2.7it/s]\n"]
    assert sanitise(bars[0]) == sanitise(bars[1]) == "PROGRESS-BAR\n"


def test_the_time_of_a_training_step_may_differ():
    assert sanitise("1/8 - 1s 12.5ms/step - loss: 0.25") == "1/8 - 1s TIME - loss: 0.25"


@pytest.mark.parametrize("piece", ["x", "1", "1%|", "1it [", "| 1"])
def test_a_long_line_is_compared_as_it_is(piece):
    """A pattern that tries each of its characters anew takes hours for a line of a million."""
    line = piece * 300_000
    assert sanitise(f"before\n{line}\n")[-10:] == f"{line}\n"[-10:]


def sanitise(text: str) -> str:
    rules = re.findall(r"^regex: (.*)$\n^replace: (.*)$", once.SANITISING.read_text(), re.M)
    for pattern, replacement in rules:
        text = re.sub(pattern, replacement, text)
    return text


def test_missing_outputs_are_caught(copy, tmp_path):
    content = json.loads(copy.read_text())
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    copy.write_text(json.dumps(content))
    assert "committed without outputs" in failure(checks.outputs, copy, tmp_path)


def test_command_runs_the_suite_and_writes_its_reports(copy, tmp_path):
    change(copy, "noise * size", "noise * size / 0")
    result = fastkf("test", copy.parent, "--quick", folder=tmp_path / "out", cwd=tmp_path)
    assert result.code == 1
    assert "FAILED copy/small.ipynb::run" in result.output
    assert "PASSED copy/small.ipynb::rules" in result.output
    assert "ZeroDivisionError" in (tmp_path / "out" / "junit.xml").read_text()
    assert "ZeroDivisionError" in (tmp_path / "out" / "summary.html").read_text()
    kept = tmp_path / "out" / "copy" / "small" / "run" / "run"
    assert "ZeroDivisionError" in (kept / "notebook.ipynb").read_text()
    known = json.loads((tmp_path / "runs" / green.GREEN).read_text())
    assert list(known) == [f"quick {copy.parent / 'solutions' / copy.name}"]


def test_the_suite_remembers_what_passed(copy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not green.is_green(copy, quick=True)
    green.keep({copy: True}, quick=True)
    assert green.is_green(copy, quick=True)
    assert not green.is_green(copy, quick=False)
    green.keep({copy: True}, quick=False)
    assert green.is_green(copy, quick=False)
    green.keep({copy: False}, quick=False)
    assert not green.is_green(copy, quick=False)
    assert green.is_green(copy, quick=True)


def test_what_passed_in_full_passed_in_short(copy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    green.keep({copy: True}, quick=False)
    assert green.is_green(copy, quick=True)


@pytest.mark.parametrize("name", ["small.ipynb", "solutions/small.ipynb", "golden/small.json"])
def test_a_changed_file_is_tested_again(copy, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    green.keep({copy: True}, quick=False)
    changed = copy.parent / name
    changed.write_text(changed.read_text() + "\n")
    assert not green.is_green(copy, quick=False)


def test_only_what_changed_is_tested_again(copy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solution = copy.parent / "solutions" / copy.name
    green.keep({copy: True, solution: True}, quick=True)
    change(solution, QUESTION[0], f"{QUESTION[0]} ")
    green.keep({copy: True}, quick=True)  # whose exercises are executed with the solution
    again = fastkf("test", copy.parent, "--quick", "--changed", cwd=tmp_path)
    assert again.code == 0
    assert "copy/small.ipynb" not in again.output
    assert "PASSED copy/solutions/small.ipynb::rules" in again.output
    assert green.is_green(solution, quick=True)


def test_a_folder_without_notebooks_is_no_success(tmp_path):
    result = fastkf("test", tmp_path, cwd=tmp_path)
    assert result.code == 2
    assert f"{tmp_path}: no notebook (.ipynb) is in this folder" in result.output
    assert not (tmp_path / "runs").exists()
