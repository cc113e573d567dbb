"""What a step of a pipeline costs beside its own work: plain, and with fastkf.

    .venv/bin/python benchmarks/steps.py [--runs 3] [--steps 10]
    .venv/bin/python benchmarks/steps.py --large [--steps 1000]

The pipeline is a chain of steps that add one. Each round runs a chain of one step and one of many,
with `kfp.local.SubprocessRunner(use_venv=False)` and with `fastkf run`. Told is the difference, for
each step more: the processor's time, which other work on the machine hardly changes, and the time
on the clock.

--large runs, with fastkf alone, a chain of so many steps, a loop of so many iterations, and a tenth
of so many steps that wait for nothing. A step costs the same in a long run as in a short one,
unless something grows with the square of the steps.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kfp import compiler, dsl
from local_run import PLAIN

METHODS = ("plain", "fastkf")


@dsl.component(base_image="python:3.12")
def add_one(number: int) -> int:
    return number + 1


def write_chain(steps: int, path: Path) -> Path:
    @dsl.pipeline(name="chain")
    def chain() -> int:
        number = 0
        for _ in range(steps):
            number = add_one(number=number).output
        return number

    compiler.Compiler().compile(chain, str(path))
    return path


def write_loop(turns: int, path: Path) -> Path:
    @dsl.pipeline(name="loop")
    def loop() -> None:
        with dsl.ParallelFor(list(range(turns))) as number:
            add_one(number=number)

    compiler.Compiler().compile(loop, str(path))
    return path


def write_row(steps: int, path: Path) -> Path:
    @dsl.pipeline(name="row")
    def row() -> None:
        for number in range(steps):
            add_one(number=number)

    compiler.Compiler().compile(row, str(path))
    return path


def measure_large(count: int) -> None:
    sys.setrecursionlimit(100 * count)  # KFP's compiler goes down a chain by recursion
    shapes = {"chain": (write_chain, count), "loop": (write_loop, count)}
    shapes["at once"] = (write_row, count // 10)
    for name, (write, steps) in shapes.items():
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            package = write(steps, Path(folder, "package.yaml"))
            spent, took = run("fastkf", package, Path(folder))
        print(
            f"{name}, {steps}: {took:.0f} s of clock, {spent:.0f} s of processor, "
            f"{spent / steps:.3f} s of processor a step",
            flush=True,
        )


def run(method: str, package: Path, folder: Path) -> tuple[float, float]:
    """The seconds of the processor and of the clock that a run takes."""
    output = tempfile.mkdtemp(dir=folder)
    command = {
        "plain": [sys.executable, "-c", PLAIN, str(package), f"{output}/artifacts"],
        "fastkf": [sys.executable, "-m", "fastkf.cli", "run", str(package), "--output", output],
    }[method]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, env=environment, check=True, capture_output=True, cwd=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--large", action="store_true")
    arguments = parser.parse_args()
    if arguments.large:
        measure_large(arguments.steps)
        return
    costs: dict[str, list[float]] = {method: [] for method in METHODS}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        one, many = (
            write_chain(steps, folder / f"chain-{steps}.yaml") for steps in (1, 1 + arguments.steps)
        )
        for number in range(arguments.runs):
            for method in METHODS:
                (spent, took), (all_spent, all_took) = (
                    run(method, package, folder) for package in (one, many)
                )
                cost = (all_spent - spent) / arguments.steps
                costs[method].append(cost)
                clock = (all_took - took) / arguments.steps
                print(f"{number + 1} {method}: {cost:.3f} s of processor, {clock:.2f} s of clock")
    ratios = [plain / fastkf for plain, fastkf in zip(*costs.values(), strict=True)]
    for method, found in costs.items():
        print(f"{method}: {statistics.median(found):.3f} s of processor a step")
    print(f"plain / fastkf: {statistics.median(ratios):.1f}")


if __name__ == "__main__":
    main()
