"""The toolkit outside of this repository: a wheel, the core's packages, an empty folder."""

import json
import shutil
from importlib import metadata

import pytest
from build import write_notebook
from wheel import InstallError, install_wheel

pytestmark = pytest.mark.slow

MEGABYTES = 250
NOTEBOOK = "sums.ipynb"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    try:
        yield install_wheel(folder)
    except InstallError as error:
        pytest.skip(f"the packages are neither in uv's cache nor on an index: {error}")
    finally:
        shutil.rmtree(folder / "environment", ignore_errors=True)


@pytest.fixture
def call(installed):
    """Runs a command in the folder, in which there is nothing but a notebook of nobody's course."""
    shutil.rmtree(installed.folder)
    write_notebook(
        installed.folder / NOTEBOOK,
        [
            ("imports", "import json"),
            (["pipeline-parameters", "parameters"], "start = 2"),
            ("step:load", "numbers = [start, start + 1]"),
            (["step:add", "prev:load"], "total = sum(json.loads(json.dumps(numbers)))"),
            ("pipeline-metrics", "print(total)"),
        ],
        pipeline_name="sums",
    )
    return installed


def test_the_packages_are_few(installed):
    assert installed.count_bytes() < MEGABYTES * 1e6


def test_a_foreign_notebook_is_checked_compiled_and_run(call):
    checked = call("check", NOTEBOOK)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "no findings" in checked.stdout

    compiled = call("compile", NOTEBOOK)
    assert (compiled.returncode, compiled.stderr) == (0, "")
    assert "sums" in (call.folder / "sums.yaml").read_text()

    ran = call("run", NOTEBOOK, "-p", "start=5", "--output", "out")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    record = json.loads((call.folder / "out" / "run.json").read_text())
    assert record["status"] == "succeeded"
    assert record["notebook"]["metrics"] == record["pipeline"]["metrics"] == {"total": 11}
    assert (call.folder / "out" / "report.html").exists()

    package = call("run", "sums.yaml", "--output", "again")
    assert package.returncode == 0, package.stdout + package.stderr
    assert json.loads((call.folder / "again" / "run.json").read_text())["status"] == "succeeded"


def test_a_foreign_notebook_is_drawn_and_migrated(call):
    assert call("draw", NOTEBOOK).returncode == 0
    assert "<svg" in (call.folder / "images" / "sums.svg").read_text()

    migrated = call("migrate", NOTEBOOK)
    assert migrated.returncode == 0, migrated.stdout + migrated.stderr
    assert "nothing to change" in migrated.stdout


def test_steps_install_what_is_installed_here(call):
    assert call("compile", NOTEBOOK).returncode == 0
    version = metadata.version("kubeflow-kale")
    assert f"kubeflow-kale=={version}" in (call.folder / "sums.yaml").read_text()


def test_where_there_is_no_course(call):
    listed = call("list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "no course here" in listed.stdout

    version = call("--version")
    assert version.stdout == f"fastkf {metadata.version('fastkf')} (no course here)\n"

    diagnosis = call("doctor")
    assert diagnosis.returncode == 0, diagnosis.stdout + diagnosis.stderr
    assert "– Course: not here" in diagnosis.stdout
    assert "✓ Packages: all" in diagnosis.stdout
    assert "Data" not in diagnosis.stdout

    for words in (["check"], ["draw"], ["data"], ["compile", "titanic"]):
        refused = call(*words)
        assert refused.returncode in (1, 2)
        assert "there is no course here" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert call("check").returncode == 2


@pytest.mark.parametrize(
    ("words", "typed", "extra"),
    [
        (["submit", NOTEBOOK], "submit", "submit"),
        (["train", "job.yaml"], "train", "train"),
        (["tune", NOTEBOOK], "tune", "tune"),
        (["serve", "model"], "serve", "serve"),
        (["server"], "server", "server"),
        (["lab"], "lab", "lab"),
        (["test", NOTEBOOK], "test", "test"),
        (["storage", "start"], "storage start", "storage"),
        (["run", "sums.yaml", "--docker"], "run --docker", "docker"),
        (["doctor", "--cluster"], "doctor --cluster", "submit"),
    ],
)
def test_a_missing_extra_is_one_line(call, words, typed, extra):
    refused = call(*words)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == f"fastkf {typed} needs: pip install 'fastkf[{extra}]'\n"
