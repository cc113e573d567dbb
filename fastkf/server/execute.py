"""One run in a process of its own.

`python -m fastkf.server.execute NAME CREATED SCHEDULED RUN_FOLDER`, the times in RFC 3339.

Reads pipeline.yaml and the parameters in run.json of the run's folder, runs the package through
`fastkf.engine`, and keeps run.json up to date with each step. Steps that run.json has as
succeeded, from an earlier attempt, are not run again. The exit code is 0 when the run has
succeeded, 1 when it has failed for a reason that run.json gives, and DISK_FULL when there is no
room for run.json.
"""

import os
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from fastkf.base.clock import now
from fastkf.base.errors import FastkfError
from fastkf.base.files import lacks_space
from fastkf.base.signals import interrupt, on_end
from fastkf.engine.memo import Memo
from fastkf.engine.own_places import texts_in
from fastkf.engine.pipeline import Identity
from fastkf.engine.run import Outcome, run_package
from fastkf.engine.step_folder import Provisions, texts_of
from fastkf.package.model import Package
from fastkf.package.settings import describe_settings
from fastkf.runs.cache import Store
from fastkf.runs.keeper import INTERRUPTED, describe_unexpected
from fastkf.runs.model import PipelineResult, State, Step
from fastkf.runs.problems import explain_step
from fastkf.runs.record import read_run, write_run
from fastkf.server.provided import Provided
from fastkf.server.recorder import Recorder

DISK_FULL = os.EX_IOERR
CHARACTERS_OF_ID = 5  # as many as Kubernetes adds to a name


class Execution:
    """The run of one folder, and its record while it goes."""

    def __init__(self, folder: Path, name: str, created: str, scheduled: str):
        self.folder = folder
        self.record = read_run(folder)
        self.package = Package.load(folder / "pipeline.yaml")
        self.memo = Memo(self.record.steps)
        self.store = Store.of_server(folder.parents[1])
        self.identity = Identity(
            name=name,
            resource_name=f"{self.package.name}-{folder.name[:CHARACTERS_OF_ID]}",
            job_id=folder.name,
            created=datetime.fromisoformat(created),
            scheduled=datetime.fromisoformat(scheduled),
        )
        self.steps: dict[str, Step] = {}
        self.recorder = Recorder()
        self.provided = Provided.take()

    def run(self) -> bool:
        """Runs the package; True when it has succeeded."""
        began, error, outcome = time.monotonic(), None, None
        part = PipelineResult(State.RUNNING, now(), steps=self.record.steps)
        self.record = replace(
            self.record, state=State.RUNNING, started=part.started, pipeline=part, error=None
        )
        write_run(self.record)
        try:
            self.provided.check(self.package)
            left_out = describe_settings(self.package, self.provided.give(self.package).done)
            self.record = replace(self.record, not_applied=left_out)
            outcome = self._run_package()
            error = outcome.error
        except KeyboardInterrupt:
            error = INTERRUPTED
        except FastkfError as failure:
            error = str(failure)
        except Exception as failure:  # noqa: BLE001 - of KFP, on a package that only it can judge
            error = f"the run ended with {describe_unexpected(failure)}"
        self._end(outcome, error, time.monotonic() - began)
        return self.record.has_succeeded

    def _end(self, outcome: Outcome | None, error: str | None, seconds: float) -> None:
        self.recorder.end()
        part = replace(self._part, seconds=seconds)
        if outcome is not None:
            part = replace(part, metrics=outcome.metrics, outputs=outcome.outputs)
        succeeded = outcome is not None and outcome.succeeded
        state = State.SUCCEEDED if succeeded else State.FAILED
        part = part.end(state)
        error = None if succeeded else error or _first_error(part.steps)
        self.record = replace(self.record, seconds=seconds, pipeline=part).end(state, error)
        write_run(self.record)

    def _run_package(self) -> Outcome:
        shared = tuple(f"../{one.name}" for one in self.folder.iterdir() if one.is_symlink())
        named = (*shared, *texts_of(self.record.parameters))
        usual, values = self.package.defaults, self.record.parameters
        given = {name: value for name, value in values.items() if usual.get(name) != value}
        provisions = Provisions(self.folder / "work", named, given=tuple(texts_in(given)))
        with ExitStack() as stack:
            return run_package(
                self.package,
                self.record.parameters,
                self.folder,
                executors=self.provided.make_executors(self.package, provisions, stack),
                on_step=self._show,
                memo=self.memo,
                identity=self.identity,
                workspace=self.provided.workspace,
                store=self.store,
                given=self.provided.give(self.package),
            )

    def _show(self, step: Step) -> None:
        """Called from the threads of the steps, by one at a time."""
        self.steps[step.name] = self._explain(step)
        part = replace(self._part, steps=tuple(self.steps.values()))
        self.record = replace(self.record, pipeline=part)
        if step.state is not State.PENDING:  # all come once before the first starts
            self.recorder.note(self.record)

    def _explain(self, step: Step) -> Step:
        return explain_step(step, dict.fromkeys(self.package.cells))

    @property
    def _part(self) -> PipelineResult:
        return self.record.pipeline or PipelineResult(State.RUNNING)


def _first_error(steps: tuple[Step, ...]) -> str | None:
    failed = [one for step in steps for one in step.executions if one.error]
    return f"step {failed[0].name}: {failed[0].error}" if failed else None


def main() -> None:
    on_end(interrupt)
    try:
        sys.exit(0 if Execution(Path(sys.argv[-1]), *sys.argv[1:-1]).run() else 1)
    except OSError as error:  # the record cannot be written; what else fails, it says
        print(f"{sys.argv[-1]}: {error}", file=sys.stderr)
        sys.exit(DISK_FULL if lacks_space(error) else 1)


if __name__ == "__main__":
    main()
