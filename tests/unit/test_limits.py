"""What a step may use of this machine: memory and processors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kfp import compiler, dsl

from fastkf.engine.children import Children
from fastkf.engine.limits import HAS_AFFINITY, Limits, Processors
from fastkf.package.given import DONE, Given
from fastkf.package.model import Package
from fastkf.package.quantities import read_quantity
from fastkf.package.settings import describe_settings

pytestmark = pytest.mark.slow

HOLD = "held = bytearray(b'x') * {size}; import time; time.sleep({seconds})"
MEGABYTE = 1_000_000


def run(folder: Path, program: str, **limits):
    command = [sys.executable, "-I", "-S", "-c", program]
    return Children().run(command, os.environ, folder / "log", folder, limits=Limits(**limits))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("512Mi", 512 * 2**20), ("1G", 1e9), ("1.5Gi", 1.5 * 2**30), ("250m", 0.25), ("2", 2)],
        *[("1e3", 1000), ("10k", 10_000), ("10Ki", 10_240), (".5", 0.5), ("64M", 64e6)],
    ],
)
def test_quantities_are_those_of_kubernetes(text, number):
    assert read_quantity(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "lots", "1 GB", "-1", "1GG", "Mi", "1e999", "٣"])
def test_what_is_no_quantity_is_named(text):
    with pytest.raises(ValueError, match="no quantity such as 512Mi"):
        read_quantity(text)


def test_a_step_that_holds_too_much_is_killed_as_by_a_cluster(tmp_path):
    ending = run(tmp_path, HOLD.format(size=200 * MEGABYTE, seconds=60), memory="64M")
    assert ending.code == 137
    assert str(ending).endswith(
        " of memory, more than its limit of 64M (OOMKilled) (exit code 137)"
    ), ending


def test_what_its_children_hold_counts_too(tmp_path):
    child = HOLD.format(size=60 * MEGABYTE, seconds=60)
    start = f"subprocess.Popen([sys.executable, '-I', '-S', '-c', {child!r}], start_new_session=1)"
    program = f"import subprocess, sys\nfor one in [{start}, {start}]: one.wait()"
    ending = run(tmp_path, program, memory="100M")
    assert "(OOMKilled)" in str(ending)


def test_what_processes_share_counts_once(tmp_path):
    shared = (
        "import os, time; held = bytearray(b'x') * 60_000_000\n"
        "for _ in range(4):\n    if not os.fork(): time.sleep(0.3); os._exit(0)\n"
        "time.sleep(0.3)"
    )
    assert run(tmp_path, shared, memory="100M").code == 0


def test_what_is_read_of_a_file_does_not_count(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.write(b"x" * 100 * MEGABYTE)
    program = (
        "import mmap, time; file = open('large'); held = mmap.mmap(file.fileno(), 0, prot=1)\n"
        "total = sum(held[place] for place in range(0, len(held), 4096)); time.sleep(0.2)"
    )
    assert run(tmp_path, program, memory="50M").code == 0


def test_what_is_kept_elsewhere_for_the_step_counts_too(tmp_path):
    """As the warm parent's workers, which are not below the step's own process."""
    (tmp_path / "keepers").mkdir()
    words = [sys.executable, "-I", "-S", "-c"]
    worker = [*words, HOLD.format(size=200 * MEGABYTE, seconds=60)]
    keeper = subprocess.Popen([*words, f"import subprocess; subprocess.call({worker!r})"])
    (tmp_path / "keepers" / str(keeper.pid)).touch()
    limits = {"memory": "64M", "keepers": tmp_path / "keepers"}
    ending = run(tmp_path, "import time; time.sleep(60)", **limits)
    assert "(OOMKilled)" in str(ending)
    assert keeper.wait(10) == 0  # nothing waits for it any more, and it was not killed itself


@pytest.mark.skipif(not HAS_AFFINITY, reason="this system binds no process to processors")
def test_a_whole_number_of_processors(tmp_path):
    program = "import os; print(len(os.sched_getaffinity(0)))"
    assert run(tmp_path, program, cpu="1").code == 0
    assert run(tmp_path, program, cpu="1000").code == 0
    assert run(tmp_path, program, cpu="500m").code == 0
    here = len(os.sched_getaffinity(0))
    assert (tmp_path / "log").read_text().split() == ["1", str(here), str(here)]


@pytest.mark.skipif(not HAS_AFFINITY, reason="this system binds no process to processors")
def test_steps_at_the_same_time_get_different_processors(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    processors = Processors()
    with processors.take(2) as first, processors.take(2) as second:
        assert sorted(first + second) == [0, 1, 2, 3]
    with processors.take(1) as third, processors.take(8) as all_of_them:
        assert (len(third), all_of_them) == (1, [])


@dsl.component(base_image="python:3.11")
def train():
    pass


@pytest.fixture
def package(tmp_path):
    @dsl.pipeline
    def limited(most: str = "1G"):
        train().set_memory_limit("1G").set_cpu_limit("2").set_memory_request("512M")
        train().set_memory_limit(most).set_cpu_limit("500m")

    compiler.Compiler().compile(limited, str(tmp_path / "limited.yaml"))
    return Package.read(tmp_path / "limited.yaml")


def test_what_is_not_held_is_named(package):
    processors = "" if HAS_AFFINITY else "CPU limit 2, "
    held, in_containers = DONE, Given().in_containers().done
    assert set(describe_settings(package, held)) == {
        f"train: {processors}memory request 512M",
        "train-2: CPU limit 500m",
    }
    assert describe_settings(package, in_containers) == ("train: memory request 512M",)
    assert set(describe_settings(package, Given().without_limits().done)) == {
        "train: CPU limit 2, memory limit 1G, memory request 512M",
        "train-2: CPU limit 500m, memory limit from most",
    }
