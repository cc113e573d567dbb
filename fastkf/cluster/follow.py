"""Waits for a run, step by step, through lost connections."""

import time
from collections.abc import Callable
from typing import Any

import kfp_server_api
import tenacity

from fastkf.cluster.connection import Connection
from fastkf.cluster.errors import ClusterError, RejectedError, UnansweredError
from fastkf.cluster.tasks import ENDED, Task, read_steps, run_state
from fastkf.runs.model import State, Step
from fastkf.runs.progress import Advance, Progress

PATIENCE = 600.0  # seconds without a connection
EAGER, EAGER_SECONDS, CALM_SECONDS = 60, 1.0, 5.0  # how often to ask: at first, and later
LONGEST_PAUSE = 20.0


class DetachedError(ClusterError):
    """The run goes on, but nobody here follows it any more."""


class Follower:
    """Follows one run.

    Args:
        after: step to the steps it waits for.
        patience: seconds to go on trying without a connection.

    Attributes:
        run: the run as the server told it last; None before.
        steps, tasks: its steps as they were then.
        seconds: how long it has been followed.
    """

    def __init__(self, connection: Connection, run_id: str, after: dict, patience: float):
        self.run_id, self.after, self.patience = run_id, after, patience
        self.run: Any = None  # a V2beta1Run; kfp_server_api has no types
        self.steps: list[Step] = []
        self.tasks: dict[str, Task] = {}
        self.seconds = 0.0
        self._service = kfp_server_api.RunServiceApi(connection)

    def follow(self, display: Progress) -> None:
        """Shows each step that ends, until the run has.

        Raises:
            DetachedError: the user, or a connection that stays lost, ended the following.
            ClusterError: the server refuses.
        """
        try:
            self._follow(display)
        except KeyboardInterrupt:
            raise DetachedError(
                f"the run {self.run_id} goes on; it is not followed any more"
            ) from None

    def _follow(self, display: Progress) -> None:
        shown: set[str] = set()
        began = time.monotonic()
        with display.progress("pipeline, steps", len(self.after)) as advance:
            while True:
                self._ask(display)
                self._show(display, shown, advance)
                self.seconds = time.monotonic() - began
                if run_state(self.run) in ENDED:
                    return
                time.sleep(EAGER_SECONDS if self.seconds < EAGER else CALM_SECONDS)

    def _ask(self, display: Progress) -> None:
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_passing),
            wait=tenacity.wait_random_exponential(multiplier=1, min=0.2, max=LONGEST_PAUSE),
            stop=tenacity.stop_after_delay(self.patience),
            before_sleep=self._tell(display),
            reraise=True,
        )
        try:
            self.run = attempts(self._service.run_service_get_run, self.run_id)
        except ClusterError as error:
            if not _is_passing(error):
                raise
            raise DetachedError(f"{error}; given up after {_say(self.patience)}") from error
        if attempts.statistics.get("attempt_number", 1) > 1:
            display.say("  connected again")
        self.steps, self.tasks = read_steps(self.run, self.after)

    def _tell(self, display: Progress) -> Callable:
        def tell(state: tenacity.RetryCallState) -> None:
            if state.attempt_number == 1:
                display.warn(str(state.outcome and state.outcome.exception()))
                display.say(f"  the run goes on; trying again for up to {_say(self.patience)}")

        return tell

    def _show(self, display: Progress, shown: set[str], advance: Advance) -> None:
        ended = [one for one in self.steps if one.state in (State.SUCCEEDED, State.FAILED)]
        for step in ended:
            if step.name not in shown:
                shown.add(step.name)
                display.show_step(step)
        running = [one.name for one in self.steps if one.state is State.RUNNING]
        advance(len(ended), ", ".join(running))


def _is_passing(error: BaseException) -> bool:
    """Whether the same question may be answered later: no answer, or a fault of the server."""
    is_fault = isinstance(error, RejectedError) and error.status >= 500
    return is_fault or isinstance(error, UnansweredError)


def _say(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
