"""The images of the notebook server and of the steps, built by buildah from their Dockerfile.

Debian takes the place of the base images (see images.py), and a few lines of the lock that of the
whole, which takes minutes and 4 GB for each image.
"""

import re
import shutil
from importlib import metadata
from pathlib import Path

import images
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_kubeflow_notebooks import STEP, read_variables

from fastkf.course import data, places
from fastkf.tune import notebook as tuning

OBSTACLE = images.find_obstacle()
pytestmark = pytest.mark.skipif(OBSTACLE is not None, reason=str(OBSTACLE))
# What `fastkf data` takes.
ROOTS = ["filelock", "nbformat", "packaging", "rich", "setuptools", "typer"]
# What the Dockerfile needs of Kubeflow's own image: its user, its Python, its services.
OFFICIAL = """\
FROM localhost/debian-python:1
ENV NB_USER=jovyan NB_UID=1000 NB_PREFIX=/ HOME=/home/jovyan
RUN echo jovyan:x:1000:0::/home/jovyan:/bin/bash >> /etc/passwd \
 && install -d -o 1000 /home/jovyan /etc/services.d/jupyterlab \
 && echo official > /etc/services.d/jupyterlab/run
USER 1000
ENTRYPOINT ["/init"]
"""


def pick_small_lock() -> dict[str, str]:
    """The lines of the lock, hashes included, for ROOTS and what they need: by name."""
    lines = re.split(r"^(?=[a-z0-9])", places.LOCK.read_text(), flags=re.M)
    locked = {entry.split("==")[0]: entry for entry in lines}
    wanted, todo = {}, list(ROOTS)
    while todo:
        name = todo.pop()
        if name not in wanted and name in locked:
            wanted[name] = locked[name]
            needs = map(Requirement, metadata.requires(name) or [])
            todo += [
                canonicalize_name(one.name)
                for one in needs
                if not one.marker or one.marker.evaluate()
            ]
    return wanted


def make_context(folder: Path) -> Path:
    """The folder of the course, with a small lock, and with what must not get into an image."""
    for name in ("data", "fastkf", "labs", "notebooks"):
        skipped = ["__pycache__", ".kale", ".ipynb_checkpoints"]
        skipped += ["runs"] * (name != "fastkf")
        source = places.PROJECT / name
        shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns(*skipped))
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(places.PROJECT / name, folder)
    (folder / "requirements.txt").write_text("# The lock.\n" + "".join(pick_small_lock().values()))
    lists = folder / "labs" / "kubeflow_notebooks"
    shutil.copy(folder / "requirements.txt", lists / "steps.txt")
    (lists / "tensorflow.txt").write_text(pick_small_lock()["filelock"])  # some small one
    for place in (
        ".venv/left",
        "notebooks/runs/left",
        "labs/.kale/left",
        "fastkf/__pycache__/left",
    ):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text("left")
    (folder / "notebooks" / "02_titanic.ipynb").chmod(0o600)
    return folder


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, debian_root):
    data.fetch(progress=lambda text: None)
    with images.open_workshop(tmp_path_factory.mktemp("images"), debian_root) as workshop:
        pins = [entry.split()[0] for entry in pick_small_lock().values()] + ["iniconfig"]
        images.fetch_wheels(images.python_version(workshop), pins, workshop.wheels)
        make_context(workshop.folder / "context")
        yield workshop


def build(workshop, target: str, base: str, *options) -> str:
    context, name = workshop.folder / "context", f"localhost/{target}:1"
    dockerfile = context / "labs" / "kubeflow_notebooks" / "Dockerfile"
    files = ["--ignorefile", f"{dockerfile}.dockerignore", "-f", dockerfile]
    arguments = ["--build-arg", f"{target.upper()}_BASE_IMAGE={base}", "--target", target]
    workshop.build("-q", *files, *arguments, *options, "-t", name, context)
    return name


def test_the_step_image_builds(workshop):
    image = build(workshop, "step", images.BASE)
    settings = workshop.inspect(image)["config"]
    variables = dict(one.split("=", 1) for one in settings["Env"])
    assert settings["User"] == "65534:0"
    assert settings["WorkingDir"] == tuning.IMAGE_FOLDER
    assert variables.items() >= read_variables(STEP).items()
    found = workshop.run(image, "sh", "-ec", IN_A_STEP).splitlines()
    assert found[:4] == ["65534", "0", tuning.IMAGE_FOLDER, "titanic.csv"]
    assert "reuters_r8: ready in /opt/fast-kubeflow/data/reuters_r8" in found
    assert found[-1].startswith("/tmp/python/lib/")


IN_A_STEP = """
id -u; id -g; pwd; ls ../data/titanic
fastkf data
cat 02_titanic.ipynb > /dev/null  # though only its owner could, outside
wrong=$(find /opt/fast-kubeflow -writable -o -name left -o -name .git)
[ -z "$wrong" ] || { echo "should not be there, or so: $wrong" >&2; exit 1; }
python3 -m pip install --quiet iniconfig
python3 -c 'import iniconfig; print(iniconfig.__file__)'
"""


def test_the_notebook_image_builds(workshop):
    official = workshop.folder / "official"
    official.mkdir()
    (official / "Dockerfile").write_text(OFFICIAL)
    workshop.build("-q", "-t", "localhost/official:1", official)
    step = ["--build-arg", "STEP_IMAGE=registry.example.com/step:2"]
    image = build(workshop, "notebook", "localhost/official:1", *step)
    settings = workshop.inspect(image)["config"]
    assert settings["User"] == "1000"
    assert settings["Entrypoint"] == ["/init"]
    assert "8888/tcp" in settings["ExposedPorts"]
    assert "KALE_DEFAULT_BASE_IMAGE=registry.example.com/step:2" in settings["Env"]
    found = workshop.run(image, "bash", "-elc", IN_A_TERMINAL).splitlines()
    assert found[:3] == ["1000", "0", "/opt/fast-kubeflow/.venv/bin/fastkf"]
    assert found[-1] == "exec bash /opt/fast-kubeflow/labs/kubeflow_notebooks/start.sh"


# JupyterLab's terminals are login shells.
IN_A_TERMINAL = r"""
id -u; id -g; command -v fastkf
touch "$(python3 -c 'import sys; print(sys.prefix)')/can_be_written"
wrong=$(find /opt/fast-kubeflow -name .venv -prune -o \( -writable -o -name left \) -print)
[ -z "$wrong" ] || { echo "should not be there, or so: $wrong" >&2; exit 1; }
[ -x /etc/services.d/jupyterlab/run ]
[ -r /opt/fast-kubeflow/labs/kubeflow_notebooks/start.sh ]
cat /etc/services.d/jupyterlab/run
"""


def test_the_course_image_builds(workshop):
    image = build(workshop, "course", images.BASE)
    settings = workshop.inspect(image)["config"]
    assert settings["User"] == "1000"
    assert "8888/tcp" in settings["ExposedPorts"]
    assert settings["Cmd"][:2] == ["fastkf", "lab"]
    found = workshop.run(image, "sh", "-ec", IN_THE_COURSE).splitlines()
    assert found[0] == "1000"
    assert "titanic: ready in /opt/fast-kubeflow/data/titanic" in found
    assert "00_welcome.ipynb" in found


IN_THE_COURSE = r"""
id -u
fastkf data
touch workbook/mine new
[ ! -w notebooks/02_titanic.ipynb ] && [ ! -w fastkf ]
python3 -c '
from fastkf.course import workbook
print(*(path.name for path in workbook.prepare().added), sep="\n")'
wrong=$(find /opt/fast-kubeflow -name left -o -name .git)
[ -z "$wrong" ] || { echo "should not be there: $wrong" >&2; exit 1; }
"""


def test_a_package_that_is_not_the_locked_one_stops_the_build(workshop):
    lock = workshop.folder / "context" / "labs" / "kubeflow_notebooks" / "steps.txt"
    kept = lock.read_text()
    lock.write_text(re.sub(r"sha256:[0-9a-f]", "sha256:0", kept))
    try:
        with pytest.raises(AssertionError, match="DO NOT MATCH THE HASHES"):
            build(workshop, "step", images.BASE)
    finally:
        lock.write_text(kept)
