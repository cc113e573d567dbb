"""Waits for a run, step by step, through lost connections."""

import time
from collections.abc import Callable
from typing import Any

import kfp_server_api
import tenacity

from fastkf.cluster.connection import Connection
from fastkf.cluster.errors import ClusterError, RejectedError, UnansweredError
from fastkf.cluster.executions import Found
from fastkf.cluster.outline import Outline
from fastkf.cluster.steps import Listing
from fastkf.cluster.tasks import ENDED, finish_time, run_state
from fastkf.cluster.told import Teller
from fastkf.cluster.waiting import Wait
from fastkf.cluster.watch import Watch
from fastkf.package.model import Package
from fastkf.runs.model import State, Step
from fastkf.runs.progress import Advance, Progress

PATIENCE = 600.0  # seconds without a connection
EAGER, EAGER_SECONDS, CALM_SECONDS = 60, 1.0, 5.0  # how often to ask: at first, and later
LONGEST_PAUSE = 20.0
MOST_NAMES = 3  # in one line
NOT_FOUND = 404
LAST_TRIES = 3  # to read how the steps of a run have ended


class DetachedError(ClusterError):
    """The run goes on, but nobody here follows it any more."""


class GoneError(ClusterError):
    """The run is not on the server any more."""


class Follower:
    """Follows one run.

    Args:
        package: what runs.
        namespace: of the run, where the server has many users.
        patience: seconds to go on trying without a connection.

    Attributes:
        run: the run as the server told it last; None before.
        listing: its steps as they were then.
        broken: those whose driver has failed, to the names that its pod may have.
        waits: why those that have not started have not.
        untold: those of whose end the server tells nothing.
        fault: why it does not tell what the steps have made; None where it does.
        seconds: how long it has been followed.
    """

    def __init__(
        self,
        connection: Connection,
        run_id: str,
        package: Package,
        patience: float,
        namespace: str = "",
    ):
        self.run_id, self.patience = run_id, patience
        self.run: Any = None  # a V2beta1Run; kfp_server_api has no types
        outline = Outline(package)
        self.listing = Listing(outline, {})
        self.broken: dict[str, list[str]] = {}
        self.untold: list[str] = []
        self.fault: ClusterError | None = None
        self.seconds = 0.0
        self._outline, self._teller = outline, Teller(connection, run_id, outline)
        self.watch = Watch(connection, outline, namespace)
        self.waits: dict[str, Wait] = {}
        self._service = kfp_server_api.RunServiceApi(connection)

    @property
    def outcome(self) -> State | None:
        """How the run has ended; None while it goes on."""
        state = run_state(self.run)
        if state not in ENDED:
            return None
        return State.SUCCEEDED if state == "SUCCEEDED" else State.FAILED

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.listing.steps

    def follow(self, display: Progress, keep: Callable[[], object] = lambda: None) -> None:
        """Shows each step that ends, and why one does not begin, until the run has ended.

        Args:
            keep: called when a step has changed.

        Raises:
            DetachedError: the user, or a connection that stays lost, ended the following.
            GoneError: somebody has deleted the run.
            ClusterError: the server refuses.
        """
        try:
            self._follow(display, keep)
        except KeyboardInterrupt:
            raise DetachedError(
                f"the run {self.run_id} goes on; it is not followed any more"
            ) from None

    def _follow(self, display: Progress, keep: Callable[[], object]) -> None:
        shown: dict[str, State] = {}
        began, before = time.monotonic(), None
        with display.progress("pipeline, steps", len(self.steps)) as advance:
            while True:
                self._ask(display)
                self._show(display, shown, advance)
                self.seconds = time.monotonic() - began
                now = [(one.name, one.state, one.error) for one in self.listing.parts.values()]
                if now != before:
                    keep()
                if self.outcome is not None:
                    return
                before = now
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
            if self.run and isinstance(error, RejectedError) and error.status == NOT_FOUND:
                fault = f"the run {self.run_id} is not there any more: somebody has deleted it"
                raise GoneError(fault, host=error.host) from error
            if not _is_passing(error):
                raise
            raise DetachedError(f"{error}; given up after {_say(self.patience)}") from error
        if attempts.statistics.get("attempt_number", 1) > 1:
            display.say("  connected again")
        self.read_steps(display)

    def read_steps(self, display: Progress) -> None:
        """Reads how the steps are, of the run as it was told last."""
        outcome = self.outcome
        found = self._teller.ask(self.run) if outcome is None else self._ask_results()
        listing = Listing(self._outline, found)
        is_complete, is_over = self._teller.is_complete, outcome is not None
        waits = self.watch.look(self.run, listing, found, is_complete=is_complete, is_over=is_over)
        self.broken = self.watch.list_broken(listing, found)
        for name, wait in waits.items():
            listing.change(name, error=wait.text)
        for name in self.broken:
            listing.change(name, state=State.FAILED)
        if outcome is not None:
            self.untold = listing.end(outcome, is_complete, finish_time(self.run))
        else:
            self._show_waits(display, waits)
        self.listing, self.waits = listing, dict(waits)

    def _ask_results(self) -> Found:
        """The steps and what they have made: here the last word is wanted, not the last but one."""
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(UnansweredError),
            wait=tenacity.wait_fixed(EAGER_SECONDS),
            stop=tenacity.stop_after_attempt(LAST_TRIES if self.patience else 1),
            reraise=True,
        )
        self.fault = None
        try:
            return attempts(self._teller.ask_results, self.run)
        except ClusterError as error:
            self.fault = error
            return self._teller.ask(self.run)

    def _tell(self, display: Progress) -> Callable:
        def tell(state: tenacity.RetryCallState) -> None:
            if state.attempt_number == 1:
                display.warn(str(state.outcome and state.outcome.exception()))
                display.say(f"  the run goes on; trying again for up to {_say(self.patience)}")

        return tell

    def _show(self, display: Progress, shown: dict[str, State], advance: Advance) -> None:
        ended = [one for one in self.steps if one.state in (State.SUCCEEDED, State.FAILED)]
        for step in ended:
            if shown.get(step.name) is not step.state:  # a step may fail, and be tried again
                shown[step.name] = step.state
                display.show_step(step)
        running = [one.name for one in self.steps if one.state is State.RUNNING]
        advance(len(ended), ", ".join(running))

    def _show_waits(self, display: Progress, waits: dict[str, Wait]) -> None:
        """Shows why steps wait, each time that it is another reason."""
        new: dict[Wait, list[str]] = {}
        for name, wait in waits.items():
            if self.waits.get(name) != wait:
                new.setdefault(wait, []).append(name)
        for wait, names in new.items():
            rest = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
            verb = "waits" if len(names) == 1 else "wait"
            text = f"{', '.join(names[:MOST_NAMES])}{rest} {verb}: {wait.text}"
            if wait.is_trouble:
                display.warn(text)
            else:
                display.say(f"  {text}")


def _is_passing(error: BaseException) -> bool:
    """Whether the same question may be answered later: no answer, or a fault of the server."""
    is_fault = isinstance(error, RejectedError) and error.status >= 500
    return is_fault or isinstance(error, UnansweredError)


def _say(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
