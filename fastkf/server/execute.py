"""One run in a process of its own: `python -m fastkf.server.execute RUN_FOLDER`.

Reads pipeline.yaml and the parameters in run.json of the run's folder, runs the package through
`fastkf.engine`, and keeps run.json up to date with each step. Steps that run.json has as
succeeded, from an earlier attempt, are not run again. The exit code is 0 when the run has
succeeded, and 1 when it has failed for a reason that run.json gives.
"""

import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from fastkf.base.errors import FastkfError
from fastkf.engine.memo import RetriedRun
from fastkf.engine.tasks.container import in_order
from fastkf.package import kale
from fastkf.package.model import Package
from fastkf.runs.record import ended_step_record, read_record, step_record, write_record

STEPS_RUN_IN = "a relative path starts in the run's own folder on the server"


class Execution:
    """The run of one folder, and its record while it goes."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.record = read_record(folder)
        self.package = Package.load(folder / "pipeline.yaml")
        self.steps = (self.record.get("pipeline") or {}).get("steps", [])
        self.kept = {one["task"]: one for one in self.steps if one["status"] == "succeeded"}
        self.local_run: RetriedRun | None = None
        self._lock = threading.Lock()

    def run(self) -> bool:
        """Runs the package; True when it has succeeded."""
        began, error = time.monotonic(), None
        part = {"status": "running", "seconds": 0, "steps": self.steps, "metrics": {}}
        self.record |= {"status": "running", "started": _now(), "pipeline": part}
        write_record(self.folder, self.record)
        succeeded = False
        try:
            self._check()
            succeeded = self._run_package()
        except KeyboardInterrupt:
            error = "interrupted; the processes of the run were ended"
        except FastkfError as failure:
            error = str(failure)
        except Exception as failure:  # of KFP, on a package that only it can judge
            error = f"Kubeflow's SDK cannot run the package: {type(failure).__name__}: {failure}"
        self.record["seconds"] = self.record["pipeline"]["seconds"] = _seconds_since(began)
        self._note_steps(ended_step_record)
        status = "succeeded" if succeeded else "failed"
        self.record["pipeline"]["status"] = self.record["status"] = status
        error = error or self._first_error()
        if error and not succeeded:
            self.record["error"] = error
        write_record(self.folder, self.record)
        return succeeded

    def _check(self) -> None:
        """Finds what cannot run here before anything is started.

        Raises:
            FastkfError: says what, and what to do.
        """
        for name, executor in self.package.executors.items():
            if "container" in executor and name not in self.package.python_sources:
                raise FastkfError(
                    f"{name.removeprefix('exec-')} is a container component "
                    f"({executor['container'].get('image', 'no image')}), and this server runs "
                    "Python components only: use `fastkf run PACKAGE --components FOLDER`, or a "
                    "Kubeflow"
                )

    def _run_package(self) -> bool:
        self.local_run = RetriedRun(
            self.folder,
            self.folder / "work",
            {},
            kept=self.kept,
            imports=self.package.imports,
            name_step=self.package.name_step,
        )
        with self.local_run as local_run:
            try:
                return local_run.run(self.package.path, self.record["parameters"], self._show)
            finally:
                local_run.end()
                part = self.record["pipeline"]
                part["metrics"] = local_run.metrics
                part["outputs"] = {
                    name: value
                    for name, value in local_run.outputs.items()
                    if isinstance(value, str | int | float | bool | list | dict)
                }

    def _show(self) -> None:
        """Called from the threads of the steps when one starts or ends."""
        with self._lock:
            self._note_steps(step_record)
            write_record(self.folder, self.record)

    def _note_steps(self, describe) -> None:
        run = self.local_run
        if run is None or not run.steps:
            return
        zero = time.time() - (time.monotonic() - run.began)
        steps = []
        for task in in_order(run.steps):
            step = run.steps[task]
            if task in self.kept:
                steps.append(self.kept[task])
                continue
            error = kale.explain(step.error, self.package.cells)
            if step.error and step.error["name"] == "FileNotFoundError":
                error += f"; {STEPS_RUN_IN}"
            note = {**describe(step, error), "task": task, **run.executions.get(task, {})}
            if step.started is not None:
                note["started_at"] = _format(zero + step.started)
                if note["status"] != "running":
                    note["ended_at"] = _format(zero + step.started + step.seconds)
            steps.append(note)
        self.record["pipeline"]["steps"] = steps

    def _first_error(self) -> str | None:
        steps = self.record["pipeline"]["steps"]
        failed = [step for step in steps if step["error"]]
        return f"step {failed[0]['name']}: {failed[0]['error']}" if failed else None


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(0 if Execution(Path(sys.argv[1])).run() else 1)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _format(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds_since(began: float) -> float:
    return round(time.monotonic() - began, 1)


if __name__ == "__main__":
    main()
