"""Where a server tells of a run's tasks: in metadata, among the run's own, or in its details."""

import re
from dataclasses import replace

from fastkf.cluster.connection import Connection
from fastkf.cluster.errors import ClusterError, NotOfferedError
from fastkf.cluster.executions import Execution, Found, locate
from fastkf.cluster.metadata import Store
from fastkf.cluster.outline import Outline
from fastkf.cluster.tasks import fetch_tasks, read_details, task_details
from fastkf.runs.model import State

ARGOS_OWN = re.compile(r"root|executor|.*-driver")  # nodes that every run has


class Teller:
    """Asks where this server has it, which the first answers show.

    Attributes:
        is_complete: whether the last answer had all tasks that have begun: `task_details` of a
            real server lack some.
        fault: why the last answer is an old one; None of a new one.
    """

    def __init__(self, connection: Connection, run_id: str, outline: Outline):
        self._connection, self._run_id, self._outline = connection, run_id, outline
        self._store = Store(connection, run_id)
        self._has_metadata: bool | None = None  # None while it is not known
        self._has_tasks: bool | None = None
        self._executions: list[Execution] = []
        self.is_complete = False
        self.fault: ClusterError | None = None

    def ask(self, run) -> Found:
        """The tasks, groups and iterations of a run by their places.

        Args:
            run: a V2beta1Run, as the API has it now.
        """
        self.fault = None
        try:
            told = self._ask_metadata() or self._ask_tasks(run)
        except ClusterError as error:
            self.fault, told = error, self._executions
        if told:
            self._executions, self.is_complete = told, self.fault is None
            return self._complete(locate(told, self._outline), read_details(run, self._outline))
        return read_details(run, self._outline)

    def ask_results(self, run) -> Found:
        """The same with the files that the tasks have read and made.

        Raises:
            ClusterError: where they are told of cannot be asked.
        """
        found = self.ask(run)
        if self.fault is not None:
            raise self.fault
        if not self._has_metadata or not self._executions:
            return found
        self._executions = self._store.add_artifacts(self._executions)
        told = locate(self._executions, self._outline)
        return self._complete(told, read_details(run, self._outline))

    def _ask_metadata(self) -> list[Execution]:
        if self._has_metadata is False:
            return []
        try:
            told = self._store.read_executions()
        except NotOfferedError:
            if self._has_metadata:
                raise
            self._has_metadata = False
            return []
        self._has_metadata = True
        return told

    def _ask_tasks(self, run) -> list[Execution]:
        if self._has_tasks is False:
            return []
        try:
            told = fetch_tasks(self._connection, self._run_id)
        except NotOfferedError:
            # A run that has only begun lists none, of either kind.
            if task_details(run):
                self._has_tasks = False
            return []
        self._has_tasks = True
        return told

    def _complete(self, found: Found, details: Found) -> Found:
        """The tasks with what only the details say: the end of one that is not among them, and why
        one has failed, which Kubeflow's own leave empty.
        """
        known = {**self._list_ended(found, details), **found}
        reasons = {spot: one.reason for spot, one in details.items() if one.reason}
        return {
            spot: replace(one, reason=one.reason or reasons.get(spot))
            for spot, one in known.items()
        }

    def _list_ended(self, found: Found, details: Found) -> Found:
        """Tasks that have ended and are nowhere else; not those in loops, whose iterations have no
        numbers here, nor those that are called as nodes of Argo's own.
        """
        return {
            (place, turns): one
            for (place, turns), one in details.items()
            if one.state in (State.SUCCEEDED, State.FAILED)
            and (place, turns) not in found
            and not ARGOS_OWN.fullmatch(place[-1])
            and not any(self._outline.is_loop(place[:length]) for length in range(1, len(place)))
        }
