"""What a run costs: the time of its steps, times what they reserve, times prices that you give.

python cost.py runs/NAME/TIME --cpu 0.03 --memory 0.004 --gpu 0.70 --node 1.20

Prices are for an hour: of a processor, of a GiB of memory, of a GPU, of a whole node.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastkf.base.errors import FastkfError
from fastkf.package.model import Package
from fastkf.package.quantities import read_quantity
from fastkf.runs.model import Run, Step
from fastkf.runs.record import read_run

HOUR, GIB = 3600, 2**30
PACKAGE = "pipeline.yaml"
CPU_SECONDS = "cpu_seconds"  # the metric by which a step says what it used


@dataclass(frozen=True)
class Amounts:
    """Processors, GiB of memory, GPUs; or the prices of one of each for an hour."""

    cpu: float = 0.0
    memory: float = 0.0
    gpu: float = 0.0

    def times(self, prices: "Amounts") -> float:
        return self.cpu * prices.cpu + self.memory * prices.memory + self.gpu * prices.gpu


@dataclass(frozen=True)
class Share:
    """What one execution of a step cost.

    Attributes:
        used: the seconds of processors that the step says it used; None where it does not say.
    """

    name: str
    seconds: float
    reserved: Amounts
    cost: float
    used: float | None


def reckon(run: Run, package: Package, prices: Amounts) -> list[Share]:
    """The executions of a run that took time here, with what each cost.

    Raises:
        FastkfError: a step's request is only known while it runs.
    """
    reserved = {task: read_reserved(task, asked) for task, asked in list_resources(package).items()}
    shares = []
    for step in executions(run.pipeline.steps if run.pipeline else ()):
        amounts = reserved.get(step.task, Amounts())
        cost = step.seconds / HOUR * amounts.times(prices)
        shares.append(Share(step.name, step.seconds, amounts, cost, read_used(step)))
    return shares


def executions(steps: tuple[Step, ...]) -> Iterator[Step]:
    """What ran: each iteration of a loop and each attempt. What the cache gave cost nothing."""
    for step in steps:
        if inner := step.steps or step.attempts:
            # The last attempt has no metrics of its own: they are the step's.
            last = Step(**{**vars(inner[-1]), "outputs": step.outputs or inner[-1].outputs})
            yield from executions((*inner[:-1], inner[-1] if step.steps else last))
        elif step.seconds and not step.cached_from:
            yield step


def read_used(step: Step) -> float | None:
    artifacts = step.outputs.artifacts.values() if step.outputs else ()
    found = [one.metadata[CPU_SECONDS] for one in artifacts if CPU_SECONDS in one.metadata]
    try:
        used = float(found[0]) if found else -1.0
    except (ValueError, TypeError, OverflowError):  # a step may write anything there
        return None
    return used if 0 <= used < float("inf") else None


def list_resources(package: Package) -> dict[str, Mapping[str, Any]]:
    """Task to the resources of its container."""
    found = {}
    for place, task in package.places.items():
        component: Mapping[str, Any] = package.spec["root"]
        for name in place:
            component = package.component(component["dag"]["tasks"][name])
        executor = package.executors.get(component.get("executorLabel", ""), {})
        found[task] = (executor.get("container") or {}).get("resources") or {}
    return found


def read_reserved(task: str, asked: Mapping[str, Any]) -> Amounts:
    """What a pod reserves: its requests; where it has only a limit, Kubernetes requests as much."""
    gpu = (asked.get("accelerator") or {}).get("resourceCount") or 0

    def read(amount: object) -> float:
        try:
            return read_quantity(str(amount))
        except ValueError as error:
            problem = f"step {task}: what it requests is known only while it runs: {amount}"
            raise FastkfError(problem, "write the amounts into the pipeline") from error

    def find(kind: str) -> object:
        return asked.get(f"resource{kind}Request") or asked.get(f"resource{kind}Limit") or 0

    return Amounts(read(find("Cpu")), read(find("Memory")) / GIB, read(gpu))


def show(shares: list[Share], run: Run, node: float | None) -> Iterator[str]:
    """The lines of the bill."""
    yield f"{'step':24} {'seconds':>8} {'processors':>10} {'GiB':>6} {'GPUs':>5} {'cost':>9}  used"
    for one in shares:
        amounts = f"{one.reserved.cpu:10.2f} {one.reserved.memory:6.2f} {one.reserved.gpu:5.0f}"
        line = f"{one.name:24} {one.seconds:8.1f} {amounts} {one.cost:9.5f}"
        yield f"{line}  {show_used(one)}"
    total = sum(one.cost for one in shares)
    yield f"{'reserved by the steps':24} {'':8} {'':23} {total:9.5f}"
    if node is not None:
        whole = run.seconds / HOUR * node
        yield f"{'a node for the run':24} {run.seconds:8.1f} {'':23} {whole:9.5f}"
        yield f"The steps reserve {total / whole:.0%} of what the node costs." if whole else ""


def show_used(share: Share) -> str:
    if share.used is None:
        return "not told"
    reserved = share.seconds * share.reserved.cpu
    told = f"{share.used:.1f} s of processors"
    return f"{told}, {share.used / reserved:.0%} of what it reserves" if reserved else told


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, help="the folder of a run: runs/NAME/TIME")
    for name in ("cpu", "memory", "gpu"):
        parser.add_argument(f"--{name}", type=float, default=0.0, help="price of one for an hour")
    parser.add_argument("--node", type=float, help="price of a node for an hour")
    given = parser.parse_args(words)
    try:
        run = read_run(given.run)
        package = Package.read(given.run / PACKAGE)
        shares = reckon(run, package, Amounts(given.cpu, given.memory, given.gpu))
    except FastkfError as error:
        print(f"cost.py: {error}", file=sys.stderr)
        return error.exit_code
    print("\n".join(filter(None, show(shares, run, given.node))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
