"""Measures setting up: plain pip against tools/set_up.py, alternating, in one run.

    make bench BENCH=set_up                    three rounds, nothing downloaded before
    make bench BENCH=set_up ARGS="--warm"      everything downloaded before

Each time, a new virtual environment gets the packages of requirements.txt and this project. Also
measured is the first start after it, with the packages that every lab starts: what a set-up
leaves undone is paid there. Downloads some 0.8 GB each time, unless --warm.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PROJECT = Path(__file__).resolve().parent.parent
NEEDED = ("requirements.txt", "pyproject.toml", "README.md", "fastkf", "tools")
FIRST_START = "import kale, kfp.local, papermill, tensorflow, sklearn.ensemble"
CONTENDERS = ("pip", "set_up.py")


@dataclass(frozen=True)
class Measurement:
    """Seconds on the clock, seconds of the processors, and seconds of the first start."""

    elapsed: float
    processor: float
    start: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--warm", action="store_true", help="download everything once, before")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="set_up-") as folder:
        results = measure_rounds(Path(folder), options.runs, options.warm)
    report(results)


def measure_rounds(folder: Path, rounds: int, warm: bool) -> dict[str, list[Measurement]]:
    """Measures the contenders in turn, the first of a round being another each time."""
    if warm:
        for name in CONTENDERS:
            measure(name, folder, folder / f"cache-{name}")
    results: dict[str, list[Measurement]] = {name: [] for name in CONTENDERS}
    for number in range(rounds):
        for name in CONTENDERS if number % 2 == 0 else CONTENDERS[::-1]:
            cache = folder / (f"cache-{name}" if warm else "cache")
            result = measure(name, folder, cache)
            results[name].append(result)
            print(
                f"round {number + 1}: {name:9} {result.elapsed:6.1f} s, "
                f"{result.processor:6.1f} s of processor, first start {result.start:5.1f} s",
                flush=True,
            )
            if not warm:
                shutil.rmtree(cache)
    return results


def measure(name: str, folder: Path, cache: Path) -> Measurement:
    """Sets up once in a new folder, and starts the packages once."""
    project = folder / "project"
    project.mkdir()
    for needed in map(PROJECT.joinpath, NEEDED):
        if needed.is_dir():
            shutil.copytree(needed, project / needed.name)
        elif needed.exists():
            shutil.copy(needed, project)
    environment = {
        **os.environ,
        "PIP_CACHE_DIR": str(cache / "pip"),
        "UV_CACHE_DIR": str(cache / "uv"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = processor_seconds()
    elapsed = sum(run(command, project, environment) for command in commands(name))
    processor = processor_seconds() - before
    start = run([".venv/bin/python", "-c", FIRST_START], project, environment)
    shutil.rmtree(project)
    return Measurement(elapsed, processor, start)


def commands(name: str) -> list[list[str]]:
    """What a contender runs."""
    python = getattr(sys, "_base_executable", sys.executable)
    if name == "set_up.py":
        return [[python, "tools/set_up.py"]]
    install = [".venv/bin/python", "-m", "pip", "install", "--quiet"]
    return [
        [python, "-m", "venv", ".venv"],
        [*install, "--require-hashes", "--requirement", "requirements.txt"],
        [*install, "--no-deps", "--no-build-isolation", "--editable", "."],
    ]


def run(command: list[str], project: Path, environment: dict[str, str]) -> float:
    started = time.monotonic()
    ended = subprocess.run(
        command,
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if ended.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{ended.stdout}")
    return time.monotonic() - started


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def report(results: dict[str, list[Measurement]]) -> None:
    """Prints what pip took in terms of what set_up.py took, round by round and over all."""
    for what in ("elapsed", "processor", "start"):
        pip, ours = ([getattr(result, what) for result in results[name]] for name in CONTENDERS)
        ratios = sorted(a / b for a, b in zip(pip, ours, strict=True))
        print(
            f"{what:9}: pip {median(pip):6.1f} s, set_up.py {median(ours):6.1f} s; "
            f"pip / set_up.py {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()
