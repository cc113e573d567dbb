"""What a step does not find, as its pod would not have it: others' files, a home, keys."""

import os
import tempfile
import uuid
from pathlib import Path

import pytest
from kfp import compiler, dsl, kubernetes
from kfp.dsl import Artifact, Input, Output
from local_runs import run_package_here

from fastkf.base.mounts import can_mount
from fastkf.engine import own_places
from fastkf.engine.environments import Environments
from fastkf.engine.layer import Layer
from fastkf.engine.run import run_package
from fastkf.engine.step_folder import Provisions
from fastkf.engine.steps_on_disk import Steps
from fastkf.engine.tasks.container import ContainerTasks
from fastkf.engine.tasks.python import PythonTasks
from fastkf.package.given import Given
from fastkf.package.model import Package
from fastkf.runs.model import Failure, State

pytestmark = pytest.mark.slow
needs_mounts = pytest.mark.skipif(not can_mount(), reason="nobody may mount anything here")
HERE = str(uuid.uuid4())  # in a name that nobody else has in /tmp


def component(function):
    return dsl.component(function, base_image="python:3.11", install_kfp_package=False)


@component
def write(path: str) -> str:
    from pathlib import Path

    Path(path).write_text("written")
    return path


@component
def write_temporary() -> str:
    import tempfile
    from pathlib import Path

    path = Path(tempfile.mkdtemp()) / "table.csv"
    path.write_text("written")
    return str(path)


@component
def read(path: str) -> str:
    return open(path).read()


@component
def save(model: Output[Artifact], name: str):
    from pathlib import Path

    model.custom_path = f"/tmp/{name}"
    Path(model.custom_path).write_text("saved")


@component
def load(model: Input[Artifact]) -> str:
    return open(model.path).read()


@component
def save_at(path: str, model: Output[Artifact]):
    from pathlib import Path

    model.custom_path = path
    place = Path(path)
    (place / "model" if place.is_dir() else place).write_text("saved")


@component
def load_all(model: Input[Artifact]) -> str:
    from pathlib import Path

    place = Path(model.path)
    return " ".join(one.read_text() for one in ([place, *place.glob("*")]) if one.is_file())


@component
def replace(path: str) -> str:
    import os
    from pathlib import Path

    Path(f"{path}.new").write_text("replaced")
    os.replace(f"{path}.new", path)
    return path


@component
def move_within_tmp() -> str:
    import os
    import tempfile

    handle, path = tempfile.mkstemp()
    os.replace(path, "/tmp/moved")
    return f"{os.path.dirname(path)} {os.listdir(tempfile.gettempdir()).count('moved')}"


@dsl.container_component
def move_within_tmp_in_shell():
    move = "import os, tempfile; os.replace(tempfile.mkstemp()[1], '/tmp/moved')"
    return dsl.ContainerSpec(image="own", command=["python3", "-c", move])


@component
def train_and_evaluate_the_gradient_boosting_model() -> int:
    import multiprocessing

    with multiprocessing.Manager() as manager:  # by a socket in the temporary folder
        return manager.list([1])[0]


@component
def write_as_nobody() -> str:
    import subprocess

    words = ["sh", "-c", "echo written > /tmp/by-nobody; cat /tmp/by-nobody; touch /var/tmp/more"]
    return subprocess.run(words, user=65534, capture_output=True, text=True).stdout.strip()


@dsl.component(
    base_image="python:3.11", install_kfp_package=False, packages_to_install=["not-here"]
)
def use_a_package_that_is_not_here() -> str:
    import not_here

    return f"{not_here.NAME} /tmp"


@component
def make_anew(path: str) -> str:
    import os
    import shutil

    shutil.rmtree(path)
    os.mkdir(path)
    os.rename(path, f"{path}.old")
    os.mkdir(path)
    return " ".join(os.listdir(path))


@component
def read_each(paths: list) -> str:
    from pathlib import Path
    from urllib.parse import unquote

    return " ".join(Path(unquote(one).removeprefix("file://")).read_text() for one in paths)


@component
def write_where_a_variable_says():
    import os
    from pathlib import Path

    Path(os.environ["WRITTEN"]).write_text("written")


@component
def read_where_a_variable_says() -> str:
    import os

    return open(os.environ["WRITTEN"]).read()


@dsl.container_component
def replace_in_shell(path: str):
    words = ["sh", "-c", 'echo replaced > "$0.new" && mv "$0.new" "$0"']
    return dsl.ContainerSpec(image="own", command=words, args=[path])


@dsl.container_component
def write_in_shell(name: str):
    return dsl.ContainerSpec(image="own", command=["sh", "-c", 'echo x > "/tmp/$0"'], args=[name])


@dsl.container_component
def read_in_shell(name: str):
    return dsl.ContainerSpec(image="own", command=["sh", "-c", 'cat "/tmp/$0"'], args=[name])


@dsl.pipeline
def by_name(path: str) -> str:
    first = write(path=path)
    return read(path=path).after(first).output


@dsl.pipeline
def by_replacing(path: str):
    replace(path=path)


@dsl.pipeline
def by_replacing_in_shell(path: str):
    replace_in_shell(path=path)


@dsl.pipeline
def within_tmp():
    move_within_tmp()
    move_within_tmp_in_shell()


@dsl.pipeline
def within_a_volume_at_tmp() -> str:
    task = move_within_tmp()
    kubernetes.empty_dir_mount(task, "temporary", "/tmp")
    return task.output


@dsl.pipeline
def with_a_manager() -> int:
    return train_and_evaluate_the_gradient_boosting_model().output


@dsl.pipeline
def as_nobody() -> str:
    return write_as_nobody().output


@dsl.pipeline
def with_packages() -> str:
    return use_a_package_that_is_not_here().output


@dsl.pipeline
def by_making_anew(path: str):
    make_anew(path=path)


@dsl.pipeline
def by_list(paths: list) -> str:
    return read_each(paths=paths).output


@dsl.pipeline
def by_variable():
    first = write_where_a_variable_says()
    second = read_where_a_variable_says().after(first)
    for task in (first, second):
        task.set_env_variable("WRITTEN", f"/tmp/{HERE}.txt")


@dsl.pipeline
def by_default(path: str = f"/tmp/{HERE}.txt"):
    read(path=path).after(write(path=path))


@dsl.pipeline
def by_path() -> str:
    return read(path=write_temporary().output).output


@dsl.pipeline
def by_artifact(name: str) -> str:
    return load(model=save(name=name).outputs["model"]).output


@dsl.pipeline
def by_artifact_elsewhere(path: str) -> str:
    return load_all(model=save_at(path=path).outputs["model"]).output


@dsl.pipeline
def by_artifact_in_a_volume(path: str) -> str:
    first = save_at(path=path)
    kubernetes.mount_pvc(first, "data", f"/mnt/{HERE}")
    kubernetes.mount_pvc(first, "more", f"/tmp/{HERE}")
    return load_all(model=first.outputs["model"]).output


@dsl.pipeline
def by_volume(path: str) -> str:
    first = write(path=path)
    second = read(path=path).after(first)
    for task in (first, second):
        kubernetes.mount_pvc(task, "data", f"/tmp/{HERE}")
    return second.output


@component
def read_at_home() -> str:
    from pathlib import Path

    (Path.home() / "written").write_text("mine too")
    return (Path.home() / ".keys").read_text()


@dsl.pipeline
def at_home() -> str:
    return read_at_home().output


@dsl.pipeline
def at_home_in_tmp() -> str:
    task = read_at_home()
    task.set_env_variable("HOME", "/tmp")  # as Kale does
    task.set_env_variable("CACHE", "/tmp/cache")
    return task.output


@component
def read_variables() -> str:
    import os

    return f"{os.environ['OWN_API_KEY']} {os.getenv('ASKED_TOKEN')}"


@dsl.pipeline
def with_variables() -> str:
    task = read_variables()
    kubernetes.use_secret_as_env(task, "asked", {"token": "ASKED_TOKEN"})
    return task.output


@component
def tell_surroundings() -> str:
    import os
    import time

    names = [name for name in os.environ if name.startswith("LC_") or name in ("USER", "DISPLAY")]
    return f"{time.localtime().tm_zone} {os.environ['LANG'].partition('.')[2]} {names}"


@dsl.pipeline
def of_a_person() -> str:
    return tell_surroundings().output


@dsl.pipeline
def in_shells(name: str):
    read_in_shell(name=name).after(write_in_shell(name=name))


@dsl.pipeline
def of_two(path: str, other: str) -> str:
    write(path=other)
    return read(path=path).output


def compiled(pipeline, folder) -> Path:
    path = folder / "package.yaml"
    compiler.Compiler().compile(pipeline, str(path))
    return path


def run(pipeline, folder, provisions=None, given=None, environments=None, **arguments):
    package = Package.read(compiled(pipeline, folder))
    paths = provisions.given if provisions else ()
    with (
        PythonTasks(
            provisions or Provisions(folder), warm=False, environments=environments, given=given
        ) as python,
        ContainerTasks(folder, {"own": folder}, paths=paths) as container,
    ):
        return run_package(
            package,
            arguments,
            folder / "run",
            executors={"python": python, "container": container},
            on_step=lambda step: None,
            given=given,
        )


def failure_of(outcome):
    (failed,) = (step for step in outcome.steps if step.state is State.FAILED)
    return failed.failure


@needs_mounts
@pytest.mark.parametrize("home", ["{here}", "/tmp", "{here}/not/there"])
def test_what_a_step_writes_into_tmp_no_other_finds(tmp_path, home):
    path, home = f"/tmp/{HERE}.txt", Path(home.format(here=tmp_path))
    failure = failure_of(run(by_name, tmp_path, Provisions(home), path=path))
    assert failure.name == "FileNotFoundError"
    assert failure.remedy.startswith("the step write has written it, and each step has a file sys")
    assert not os.path.lexists(path)


@needs_mounts
def test_the_same_in_forks_of_a_warm_parent(tmp_path):
    package = compiled(by_default, tmp_path)
    failure = failure_of(run_package_here(package, tmp_path / "run", tmp_path))
    assert failure.remedy.startswith("the step write has written it")
    assert not os.path.lexists(f"/tmp/{HERE}.txt")


def test_a_path_of_a_temporary_file_leads_to_nothing_in_another_step(tmp_path):
    failure = failure_of(run(by_path, tmp_path))
    assert failure.name == "FileNotFoundError"
    assert failure.remedy.startswith("the step write-temporary has written it")


def test_an_artifact_that_is_saved_in_tmp_is_passed_on(tmp_path):
    outcome = run(by_artifact, tmp_path, name=HERE)
    assert outcome.outputs == {"Output": "saved"}
    if can_mount():
        assert not os.path.lexists(f"/tmp/{HERE}")
    else:
        os.remove(f"/tmp/{HERE}")


@pytest.mark.parametrize("is_folder", [False, True])
def test_an_artifact_that_is_saved_where_a_parameter_names_it_is_passed_on(tmp_path, is_folder):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(f"{folder}.txt")
        path.write_text("old")
        place = Path(folder) if is_folder else path
        try:
            provisions = Provisions(tmp_path, given=(str(place),))
            outcome = run(by_artifact_elsewhere, tmp_path, provisions, path=str(place))
            assert outcome.outputs == {"Output": "saved"}, outcome.steps
        finally:
            path.unlink()


@needs_mounts
@pytest.mark.parametrize("place", ["mnt", "tmp"])
def test_an_artifact_that_is_saved_in_a_volume_is_passed_on(tmp_path, place):
    outcome = run(by_artifact_in_a_volume, tmp_path, path=f"/{place}/{HERE}/model")
    assert outcome.outputs == {"Output": "saved"}, outcome.steps


@needs_mounts
@pytest.mark.parametrize("is_there", [False, True])
def test_a_volume_in_tmp_is_shared(tmp_path, is_there):
    if is_there:
        os.mkdir(f"/tmp/{HERE}")
    try:
        volume = Path(f"/tmp/{HERE}") if is_there else tmp_path
        given = Given(volumes={"data": volume})
        outcome = run(by_volume, tmp_path, given=given, path=f"/tmp/{HERE}/table.csv")
        assert outcome.outputs == {"Output": "written"}, outcome.steps
        assert (volume / "table.csv").read_text() == "written"
    finally:
        if is_there:
            (volume / "table.csv").unlink(missing_ok=True)
            os.rmdir(f"/tmp/{HERE}")
    assert not os.path.lexists(f"/tmp/{HERE}")


@pytest.mark.parametrize("pipeline", [at_home, at_home_in_tmp])
def test_a_step_has_a_home_of_its_own(tmp_path, monkeypatch, pipeline):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".keys").write_text("mine")
    failure = failure_of(run(pipeline, tmp_path))
    assert failure.name == "FileNotFoundError"
    assert failure.remedy.startswith("your home folder has it, and a step has one of its own")
    assert not (tmp_path / "written").exists()


def test_a_step_has_the_keys_of_the_terminal(tmp_path, monkeypatch):
    monkeypatch.setenv("OWN_API_KEY", "of the terminal")
    monkeypatch.setenv("ASKED_TOKEN", "for a Secret")
    assert run(with_variables, tmp_path).outputs == {"Output": "of the terminal ***"}


def test_a_step_knows_nobodys_name_screen_language_and_time_zone(tmp_path, monkeypatch):
    mine = {"USER": "ana", "DISPLAY": ":0", "LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Tokyo"}
    for name, value in mine.items():
        monkeypatch.setenv(name, value)
    assert run(of_a_person, tmp_path).outputs == {"Output": "UTC UTF-8 []"}


@needs_mounts
def test_a_container_has_its_own_tmp_too(tmp_path):
    failure = failure_of(run(in_shells, tmp_path, name=HERE))
    assert "No such file" in failure.message
    assert failure.remedy.startswith("the step write-in-shell has written it")


@needs_mounts
def test_a_file_of_this_machine_is_not_there_unless_it_is_named_for_the_run(tmp_path):
    with tempfile.NamedTemporaryFile("w", dir="/tmp") as file:
        file.write("of the machine")
        file.flush()
        other = f"/tmp/{HERE}"
        failure = failure_of(run(of_two, tmp_path, path=file.name, other=other))
        assert failure.remedy.startswith("this machine has it, and each step has a /tmp of its own")
        named = Provisions(tmp_path, given=(file.name,))
        again = tmp_path / "again"
        again.mkdir()
        outcome = run(of_two, again, named, path=file.name, other=other)
        assert outcome.outputs == {"Output": "of the machine"}


@pytest.mark.parametrize("pipeline", [by_replacing, by_replacing_in_shell])
def test_a_file_that_is_named_for_the_run_can_be_replaced(tmp_path, pipeline):
    """A registry is written whole, and put in the place of the old one; the folder is in /tmp."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "registry.json"
        path.write_text("old")
        provisions = Provisions(tmp_path, given=(str(path),))
        outcome = run(pipeline, tmp_path, provisions, path=str(path))
        assert outcome.succeeded, outcome.steps
        assert path.read_text().strip() == "replaced"


@needs_mounts
@pytest.mark.parametrize("pipeline", [by_replacing, by_replacing_in_shell])
def test_a_file_in_tmp_itself_cannot_be_replaced_and_the_failure_says_what_to_do(
    tmp_path, pipeline
):
    with tempfile.NamedTemporaryFile(dir="/tmp") as file:
        provisions = Provisions(tmp_path, given=(file.name,))
        failure = failure_of(run(pipeline, tmp_path, provisions, path=file.name))
        assert "Device or resource busy" in failure.message
        assert failure.remedy.startswith(f"{file.name} is this machine's: a step can write to it")
        assert "such as /tmp/replace" in failure.remedy


def test_a_folder_that_is_named_for_the_run_can_be_made_anew(tmp_path):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "out"
        path.mkdir()
        (path / "old").touch()
        # As where the whole project is in /tmp, and its folders are named relative to it, too.
        provisions = Provisions(Path(folder), named=("out",), given=(str(path),))
        outcome = run(by_making_anew, tmp_path, provisions, path=str(path))
        assert outcome.succeeded, outcome.steps
        assert sorted(os.listdir(folder)) == ["out", "out.old"]
        assert not os.listdir(path)


@needs_mounts
def test_temporary_files_are_in_tmp_by_name_and_can_be_moved_there(tmp_path):
    outcome = run(within_tmp, tmp_path)
    assert outcome.succeeded, outcome.steps
    alone = tmp_path / "alone"
    alone.mkdir()
    assert run(within_a_volume_at_tmp, alone).outputs == {"Output": "/tmp 1"}
    assert not os.path.lexists("/tmp/moved")


def test_a_long_name_of_a_step_leaves_room_for_sockets(tmp_path):
    outcome = run(with_a_manager, tmp_path)
    assert outcome.outputs == {"Output": 1}, outcome.steps


def test_a_path_above_the_folders_of_steps_is_no_other_steps(tmp_path):
    steps = Steps(tmp_path)
    for name in ("first", "second"):
        folder = steps.make_folder(name)
        steps.end(folder)
    failure = Failure("OSError", f"Directory not empty: '{folder.parent}'")
    assert steps.explain(failure, folder.name, {"HOME": str(folder / "home")}) == failure


@needs_mounts
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may run programs as other users")
def test_other_users_write_into_a_steps_tmp_too(tmp_path):
    assert run(as_nobody, tmp_path).outputs == {"Output": "written"}


def test_an_environment_that_was_made_for_a_step_is_there_where_homes_are_in_tmp(tmp_path):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        layer = Layer(Path(folder) / "environment")
        layer.make()
        (layer.packages / "not_here.py").write_text("NAME = 'made for it'")
        described = layer.packages / "not_here-1.0.dist-info" / "METADATA"
        described.parent.mkdir()
        described.write_text("Metadata-Version: 2.1\nName: not-here\nVersion: 1.0\n")
        environments = Environments(offline=True, folder=tmp_path)
        environments.provide = lambda *_: layer
        outcome = run(with_packages, tmp_path, environments=environments)
        assert outcome.outputs == {"Output": "made for it /tmp"}, outcome.steps


def test_files_that_a_list_or_a_url_names_for_the_run_are_there(tmp_path):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "of the day.csv"
        path.write_text("1,2")
        paths = [str(path), path.as_uri()]
        provisions = Provisions(tmp_path, given=tuple(own_places.texts_in({"paths": paths})))
        assert run(by_list, tmp_path, provisions, paths=paths).outputs == {"Output": "1,2 1,2"}
        alone = tmp_path / "alone"
        alone.mkdir()
        provisions = Provisions(tmp_path, given=(path.as_uri(),))
        outcome = run(by_list, alone, provisions, paths=[path.as_uri()])
        assert outcome.outputs == {"Output": "1,2"}


@needs_mounts
def test_a_path_that_the_pipeline_sets_a_variable_to_is_the_steps_own_too(tmp_path):
    failure = failure_of(run(by_variable, tmp_path))
    assert failure.remedy.startswith("the step write-where-a-variable-says has written it")
    assert not os.path.lexists(f"/tmp/{HERE}.txt")


def test_what_only_looks_like_a_program_beside_a_component_is_no_hindrance(tmp_path):
    """Emacs has such a link beside each file that is being changed."""
    (tmp_path / "step.py").write_text("'/tmp/x'")
    (tmp_path / ".#step.py").symlink_to("me@machine.1234")
    (tmp_path / "old.py").mkdir()
    assert own_places.read_code(tmp_path) == ("'/tmp/x'",)


def test_a_container_whose_argument_is_too_long_does_not_start(tmp_path):
    failure = failure_of(run(in_shells, tmp_path, name="x" * 140_000))
    assert failure.message.startswith("argument 3 of its command has 140,000 bytes, and Linux")
    assert failure.remedy == "pass what is long as an artifact, whose argument is a path"


def test_where_nobody_may_mount_steps_share_tmp_and_the_log_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(own_places, "can_mount", lambda: False)
    path = f"/tmp/{HERE}.txt"
    try:
        outcome = run(by_name, tmp_path, path=path)
    finally:
        os.remove(path)
    assert outcome.outputs == {"Output": "written"}
    for name in ("write", "read"):
        log = (tmp_path / "run" / "logs" / f"{name}.log").read_text()
        assert log.count("steps share this machine's /tmp") == 1
