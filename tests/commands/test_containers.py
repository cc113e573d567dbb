"""`fastkf run PACKAGE.yaml`: container components whose commands run as processes."""

import importlib.util
import json
import os
import signal
import sys
import zipfile
from pathlib import Path

import pytest
from build import write_notebook
from conftest import fastkf, start
from kfp import compiler, dsl
from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Output
from test_local import processes_with
from waiting import wait_for

from fastkf.base.errors import FastkfError
from fastkf.cli.display import Display
from fastkf.course import places
from fastkf.run.package import Options, run_package

pytestmark = pytest.mark.slow

PACKAGE = places.PROJECT / "labs" / "custom_images" / "pipeline.yaml"

MAKE = """
import json, os, sys
from pathlib import Path
import helper
data, number, message, words = sys.argv[1:5]
Path(data).write_text(helper.shout(words))
Path(number).write_text("7")
output = json.loads(message)["outputs"]
output["artifacts"]["metrics"]["artifacts"][0]["metadata"] = {"size": len(words), "depth": 0.5}
Path(output["outputFile"]).write_text(json.dumps({"artifacts": output["artifacts"]}))
print("HOME", os.environ["HOME"], "COLOUR", os.environ["COLOUR"])
"""
SHOW = """
import sys
from pathlib import Path
data, page, *rest = sys.argv[1:]
Path(page).write_text(f"<p>{Path(data).read_text()} {rest}</p>")
"""


@dsl.container_component
def make(
    words: list,
    data: Output[Dataset],
    metrics: Output[Metrics],
    number: dsl.OutputPath(int),
):
    return dsl.ContainerSpec(
        image="registry.example.com:5000/team/make:1.0",
        command=["python3", "make.py"],
        args=[data.path, number, "{{$}}", words],
    )


@dsl.container_component
def show(
    data: Input[Dataset],
    number: int,
    share: float,
    sure: bool,
    page: Output[HTML],
    note: str = None,
):
    note_words = dsl.IfPresentPlaceholder(
        input_name="note", then=["--note", note], else_=["no note"]
    )
    return dsl.ContainerSpec(
        image="show@sha256:" + 64 * "0",
        command=["python3", "show.py"],
        args=[data.path, page.path, number, share, sure, note_words],
    )


def write_package(folder: Path, pipeline, **programs: str) -> Path:
    """Compiles a pipeline, beside a folder NAME/NAME.py for each program."""
    for name, source in programs.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{name}.py").write_text(source)
    path = folder / "package.yaml"
    compiler.Compiler().compile(pipeline_func=pipeline, package_path=str(path))
    return path


def refuse(package: Path, given: dict | None = None, output: Path | None = None) -> FastkfError:
    """What `fastkf run` says of a package before anything runs."""
    with pytest.raises(FastkfError) as caught:
        run_package(package, given or {}, Options(package.parent / "runs", output), Display())
    return caught.value


def container(name: str, *arguments, image=None) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(
        image=image or f"test/{name}", command=["python3", f"{name}.py"], args=list(arguments)
    )


def steps_of(command) -> dict:
    return {step["name"]: step for step in command.record["pipeline"]["steps"]}


@pytest.fixture
def words_package(tmp_path):
    @dsl.pipeline(name="words", description="Words are made and shown")
    def words(share: float, words: list = ["a", "b"], sure: bool = True) -> int:  # noqa: B006
        made = make(words=words).set_env_variable("COLOUR", "blue")
        shown = show(
            data=made.outputs["data"], number=made.outputs["number"], share=share, sure=sure
        )
        shown.set_display_name("show the words")
        again = make(words=["other"]).set_env_variable("COLOUR", "red")
        show(data=again.outputs["data"], number=1, share=0.5, sure=False, note="it's {{odd}}")
        return made.outputs["number"]

    folder = tmp_path / "words"
    folder.mkdir()
    (folder / "helper.py").write_text("def shout(words):\n    return words.upper()\n")
    return write_package(folder, words, make=MAKE, show=SHOW)


def test_artifacts_and_parameters_are_passed_as_kubeflow_pipelines_passes_them(words_package, run):
    command = run(words_package, "-p", "share=0.25", "-p", 'words=["x"]', "-p", "sure=no")
    assert command.code == 0, command.output
    pages = {path.stem: path.read_text() for path in (command.folder / "outputs").iterdir()}
    assert pages == {
        "show": """<p>["X"] ['7', '0.25', 'false', 'no note']</p>""",
        "show-2": """<p>["OTHER"] ['1', '0.5', 'false', '--note', "it's {{odd}}"]</p>""",
    }
    record = command.record
    assert record["parameters"] == {"share": 0.25, "words": ["x"], "sure": False}
    assert record["notebook"] is None
    assert record["parity"] == {}
    assert record["pipeline"]["outputs"] == {"Output": 7}
    assert record["pipeline"]["metrics"] == {
        "make.depth": 0.5,
        "make.size": 5,
        "make-2.depth": 0.5,
        "make-2.size": 9,
    }
    assert [step["name"] for step in record["pipeline"]["steps"]] == [
        *("make", "make-2", "show", "show-2")
    ]


def test_the_run_folder_holds_what_ran_and_says_that_images_did_not(words_package, run):
    command = run(words_package, "-p", "share=1")
    said = "The images were not used: each container's command ran as a process"
    assert said in command.output
    assert said in command.record["note"]
    assert said in (command.folder / "report.html").read_text().replace("&#39;", "'")
    assert (command.folder / "pipeline.yaml").read_bytes() == words_package.read_bytes()
    step = steps_of(command)["make"]
    assert step["image"] == "registry.example.com:5000/team/make:1.0"
    assert step["command"][:2] == ["python3", "make.py"]
    data = step["outputs"]["artifacts"]["data"]
    assert data["type"] == "system.Dataset"
    assert (command.folder / data["uri"]).read_text() == '["A", "B"]'
    assert step["outputs"]["parameters"] == {"number": 7}
    assert steps_of(command)["show"]["inputs"]["artifacts"] == {"data": data}
    assert steps_of(command)["show"]["inputs"]["parameters"]["share"] == 1.0


def test_a_container_has_the_packages_environment_and_a_home_of_its_own(words_package, run):
    command = run(words_package, "-p", "share=1")
    logs = [(command.folder / "logs" / f"{n}.log").read_text().split() for n in ("make", "make-2")]
    assert [log[3] for log in logs] == ["blue", "red"]
    homes = {log[1] for log in logs}
    assert len(homes) == 2
    assert os.environ["HOME"] not in homes
    assert not any(Path(home).exists() for home in homes)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "import sys\nprint('working')\nsys.exit('no such colour')",
            "exit code 1\nworking\nno such",
        ),
        ("raise ValueError('a bad value')", "ValueError: a bad value"),
        ("import os\nos.kill(os.getpid(), 9)", "exit code 137"),
        ("pass", "it has not written its output parameter number"),
    ],
    ids=["exit", "exception", "killed", "no-output"],
)
def test_a_failing_component_is_explained_by_the_end_of_its_log(
    words_package, run, source, message
):
    (words_package.parent / "make" / "make.py").write_text(source)
    command = run(words_package, "-p", "share=1")
    steps = steps_of(command)
    assert command.code == 1
    assert message in steps["make"]["error"]
    assert message in command.output
    assert steps["show"]["status"] == "skipped"
    assert "fastkf/" not in command.output.replace(str(words_package), "")


def test_the_components_may_be_elsewhere(words_package, tmp_path, run):
    package = words_package.rename(tmp_path / "elsewhere.yaml")
    command = run(package, "-p", "share=1", "--components", words_package.parent)
    assert command.code == 0, command.output


def test_a_command_that_is_not_there_is_named(tmp_path, run):
    @dsl.container_component
    def odd():
        return dsl.ContainerSpec(image="test/odd", command=["no-such-program"], args=["x"])

    @dsl.pipeline
    def pipeline():
        odd()

    command = run(write_package(tmp_path, pipeline, odd=""))
    assert command.code == 1
    assert "no-such-program: No such file or directory" in command.output


def test_an_artifact_that_was_not_written_fails_the_step_that_reads_it(tmp_path, run):
    @dsl.container_component
    def forget(data: Output[Dataset]):
        return container("forget", data.path)

    @dsl.container_component
    def use(data: Input[Dataset]):
        return container("use", data.path)

    @dsl.pipeline
    def pipeline():
        use(data=forget().outputs["data"])

    command = run(write_package(tmp_path, pipeline, forget="", use="import sys\nopen(sys.argv[1])"))
    assert [step["status"] for step in steps_of(command).values()] == ["succeeded", "failed"]
    assert "No such file or directory" in steps_of(command)["use"]["error"]


def test_python_components_run_beside_containers(tmp_path, run):
    @dsl.component(base_image="python:3.12")
    def double(number: int) -> int:
        return 2 * number

    @dsl.container_component
    def write(number: int, data: Output[Dataset]):
        return container("write", data.path, number)

    @dsl.pipeline
    def pipeline(number: int = 4):
        write(number=double(number=number).output)

    source = "import sys\nopen(sys.argv[1], 'w').write(sys.argv[2])"
    command = run(write_package(tmp_path, pipeline, write=source))
    assert command.code == 0, command.output
    data = steps_of(command)["write"]["outputs"]["artifacts"]["data"]
    assert (command.folder / data["uri"]).read_text() == "8"


def test_a_package_that_kale_made_runs_too(tmp_path, run):
    notebook = write_notebook(
        tmp_path / "own.ipynb",
        [
            (["pipeline-parameters", "parameters"], "count = 3"),
            ("step:load", "total = float(count)"),
            ("pipeline-metrics", "print(total)"),
        ],
    )
    package = tmp_path / "own.yaml"
    assert fastkf("compile", notebook, "-o", package).code == 0
    command = run(package, "-p", "count=5")
    assert command.code == 0, command.output
    assert command.record["pipeline"]["metrics"] == {"total": 5.0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a readable YAML file"),
        ("\x89PNG\x00", "not a readable YAML file"),
        ("", "not a pipeline package of KFP v2 but another YAML file"),
        ("- a\n- b\n", "not a pipeline package"),
        ("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n", "a manifest of kind Workflow"),
        ("pipelineInfo: {name: x}\nroot: {dag: 3}\n", "not a readable package"),
        ("pipelineInfo: {name: x}\n", "not a readable package"),
    ],
)
def test_what_is_no_package_is_one_message(tmp_path, content, message):
    path = tmp_path / "odd.yaml"
    path.write_text(content)
    error = refuse(path)
    assert str(error).startswith(f"{path}: ")
    assert "\n" not in str(error)
    assert message in str(error)
    assert error.exit_code == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "parameter share has no default; give -p share=..."),
        ({"colour": "red"}, "no parameter colour; its parameters: share, sure, words"),
        ({"share": "much"}, "parameter share takes float, not 'much'"),
        ({"share": "1", "sure": "perhaps"}, "parameter sure takes bool, not 'perhaps'"),
        ({"share": "1", "words": "a"}, "parameter words takes list, not 'a'"),
        ({"share": "1", "words": '{"a": 1}'}, "parameter words takes list"),
    ],
)
def test_parameters_that_do_not_fit_are_wrong_use(words_package, tmp_path, given, message):
    error = refuse(words_package, given, output=tmp_path / "run")
    assert message in str(error)
    assert error.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_a_missing_file_and_options_that_do_not_fit_are_wrong_use(tmp_path):
    missing = fastkf("run", tmp_path / "none.yaml")
    assert (missing.code, missing.output) == (2, f"fastkf: {tmp_path}/none.yaml: no such file\n")
    notebook = fastkf("run", "01_first_pipeline", "--docker")
    assert notebook.code == 2
    assert "--docker is for packages" in notebook.output
    package = fastkf("run", PACKAGE, "--only", "pipeline")
    assert package.code == 2
    assert "--only is for notebooks" in package.output


def test_a_package_that_cannot_run_is_one_line(tmp_path):
    (tmp_path / "other.yaml").write_text(PACKAGE.read_text())
    command = fastkf("run", tmp_path / "other.yaml", cwd=tmp_path)
    assert command.code == 1
    assert command.output.startswith(f"fastkf: {tmp_path}/other.yaml: task ")
    assert command.output.count("\n") == 1


def test_a_component_without_a_folder_or_a_command_is_named(tmp_path):
    @dsl.container_component
    def plain():
        return dsl.ContainerSpec(image="test/plain:2")

    @dsl.pipeline
    def pipeline():
        plain()

    package, folder = write_package(tmp_path, pipeline), tmp_path / "plain"
    missing = f"task plain: no folder 'plain' in {tmp_path} for the image test/plain:2"
    assert missing in str(refuse(package))
    folder.mkdir()
    assert "task plain has no command of its own" in str(refuse(package))


@dsl.container_component
def work(number: int):
    return container("work", number)


@dsl.pipeline
def inner():
    work(number=1)


@dsl.pipeline
def nested():
    inner()


@dsl.pipeline
def conditional(number: int = 1):
    with dsl.If(number == 1):
        work(number=number)


@dsl.pipeline
def looping():
    with dsl.ParallelFor([1, 2]) as number:
        work(number=number)


@dsl.pipeline
def taking(data: Input[Artifact]):
    work(number=1)


@pytest.mark.parametrize("pipeline", [nested, conditional, looping], ids=lambda one: one.name)
def test_containers_in_groups_run(tmp_path, pipeline):
    """Loops, conditions, pipelines inside pipelines: `fastkf run` walks them as the server does."""
    package = write_package(tmp_path, pipeline, work="")
    run = run_package(package, {}, Options(tmp_path, tmp_path / "run"), Display())
    assert run.has_succeeded, run
    assert {step.state.value for step in run.steps} == {"succeeded"}


def test_a_pipeline_that_takes_an_artifact_is_refused(tmp_path):
    message = "the pipeline takes artifacts (data)"
    assert message in str(refuse(write_package(tmp_path, taking, work="")))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_takes_its_processes_with_it(tmp_path, number):
    @dsl.pipeline
    def pipeline():
        work(number=1)

    source = "import time\nopen('started', 'w').close()\ntime.sleep(60)"
    package = write_package(tmp_path, pipeline, work=source)
    process = start("run", package, "--output", tmp_path / "run")
    wait_for(lambda: (tmp_path / "work" / "started").exists())
    processes = processes_with(tmp_path / "work")
    assert processes
    process.send_signal(number)
    process.communicate(timeout=30)
    wait_for(lambda: not any(other.is_running() for other in processes))
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["status"] == "failed"
    if number != signal.SIGKILL:
        assert process.returncode == 1
        assert record["pipeline"]["steps"][0]["error"] == "interrupted"


def test_the_processes_use_the_packages_of_this_environment(tmp_path, run):
    @dsl.pipeline
    def pipeline():
        work(number=1)

    source = "import packaging\nprint(packaging.__file__)"
    command = run(write_package(tmp_path, pipeline, work=source))
    log = (command.folder / "logs" / "work.log").read_text()
    assert log.startswith(sys.prefix)


def test_what_a_container_installs_is_its_own(tmp_path, run):
    @dsl.pipeline
    def pipeline():
        work(number=1)

    wheel = tmp_path / "fastkf_probe-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("fastkf_probe.py", "")
        about = "fastkf_probe-1.dist-info"
        archive.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: fastkf_probe\nVersion: 1\n"
        )
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{about}/WHEEL", tags)
        archive.writestr(f"{about}/RECORD", "")
    source = f"""
import subprocess
subprocess.run(["pip", "install", "--no-index", {str(wheel)!r}], check=True)
print(subprocess.run(["python3", "-c", "import fastkf_probe; print(fastkf_probe.__file__)"]))
"""
    command = run(write_package(tmp_path, pipeline, work=source))
    log = (command.folder / "logs" / "work.log").read_text()
    assert command.code == 0, log
    assert "fastkf_probe.py" in log
    assert importlib.util.find_spec("fastkf_probe") is None
