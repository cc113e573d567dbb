"""What is too long for a step's pod to start with, and what is not."""

import subprocess
import sys

import pytest

from fastkf.package.lengths import MOST_BYTES, find_too_long, list_too_long
from fastkf.package.model import Package

SCRIPT = ["sh", "-c", 'exec python3 -m kfp.dsl.executor_main "$@"']


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_the_limit_is_that_of_the_system():
    subprocess.run(["true", "x" * MOST_BYTES], check=True)
    with pytest.raises(OSError, match="too long"):
        subprocess.run(["true", "x" * (MOST_BYTES + 1)], check=True)


@pytest.mark.parametrize(
    ("command", "variables", "said"),
    [
        (["echo", "x" * (MOST_BYTES + 1)], {}, "argument 1 of its command has 131,072 bytes"),
        (["echo", "é" * 70_000], {}, "argument 1 of its command has 140,000 bytes"),
        ([*SCRIPT, "x = 1\n" * 30_000], {}, "its code, with all that stands in it, has 180,000"),
        (["echo"], {"KEY": "v" * MOST_BYTES}, "its environment variable KEY has 131,075 bytes"),
        (["echo", "x" * MOST_BYTES], {"KEY": "v" * (MOST_BYTES - 4)}, None),
        # JSON is written there without spaces.
        (["echo", "[" + ", ".join(["1"] * 50_000) + "]"], {}, None),
    ],
    ids=["a word", "bytes", "code", "a variable", "as long as may be", "spaces"],
)
def test_what_no_pod_starts_with(command, variables, said):
    found = find_too_long(command, variables, {})
    assert (said is None) == (found is None)
    assert found is None or said in str(found)


def test_of_the_inputs_the_longest_is_named():
    values = {"rate": 0.1, "text": "x" * 140_000}
    given = {"inputs": {"parameterValues": values}}
    command = [*SCRIPT, "code", "--executor_input", "{" + "x" * 140_100]
    assert "what it takes, most of it in text, has 140,101" in str(
        find_too_long(command, {}, given)
    )


def test_what_of_a_package_is_too_long_is_known_before_it_runs():
    command = [*SCRIPT, "DATA = 'x'" * 20_000]
    executors = {
        "exec-train": {"container": {"image": "python", "command": command}},
        "exec-load": {"container": {"image": "python", "command": [*SCRIPT, "x = 1"]}},
        "exec-importer": {"importer": {}},
    }
    package = Package({"deploymentSpec": {"executors": executors}, "root": {}})
    ((name, found),) = list_too_long(package)
    assert name == "train"
    assert "bring it in the image" in str(found)
