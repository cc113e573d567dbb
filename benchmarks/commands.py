"""What the quick commands cost beside a Python that does nothing, in processor's time.

    .venv/bin/python benchmarks/commands.py [--runs 5] [--lab 02_titanic]

The commands take turns. Told is the least of each, which other work on the machine changes least,
and its ratio to `python -c pass`. Beside them stands what a plain notebook does without: the import
of KFP, which brings the client of Kubernetes, and that of Kale.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

BIN = Path(sys.executable).parent
QUICK = "from fastkf.base.iri import import_jsonschema; import_jsonschema(); "


def spend(command: list[str]) -> float:
    """The seconds of the processor that a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def list_commands(lab: str, folder: str) -> dict[str, list[str]]:
    fastkf = str(BIN / "fastkf")
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "fastkf --help": [fastkf, "--help"],
        "fastkf list": [fastkf, "list"],
        "fastkf doctor": [fastkf, "doctor"],
        f"fastkf check {lab}": [fastkf, "check", lab],
        f"fastkf compile {lab}": [fastkf, "compile", lab, "-o", f"{folder}/package.yaml"],
        "import kfp": [sys.executable, "-c", QUICK + "import kfp"],
        "import kale": [sys.executable, "-c", QUICK + "import kale"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--lab", default="02_titanic")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        commands = list_commands(arguments.lab, folder)
        spent: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(arguments.runs):
            for name, command in commands.items():
                spent[name].append(spend(command))
    least = {name: min(seconds) for name, seconds in spent.items()}
    nothing = next(iter(least.values()))
    for name, seconds in least.items():
        print(f"{name:<28} {seconds:5.2f} s {seconds / nothing:6.1f}")


if __name__ == "__main__":
    main()
