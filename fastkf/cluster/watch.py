"""Looks at the pods of steps that wait: what hinders them stands nowhere else."""

import json
import shlex
import time
from collections.abc import Iterator
from typing import Any

import httpx

from fastkf.base.errors import one_line, shorten
from fastkf.cluster.connection import Connection
from fastkf.cluster.executions import Found, Spot, find_driven
from fastkf.cluster.outline import Outline
from fastkf.cluster.pods import DRIVER, EXECUTOR, PodNames
from fastkf.cluster.steps import Listing
from fastkf.cluster.texts import Text, fetch_text
from fastkf.cluster.waiting import Wait, explain_end, explain_pod
from fastkf.runs.model import State

SECONDS = 2.0  # between two looks
UNSEEN_SECONDS = 30.0  # after which a pod that nobody sees is worth a word
SECONDS_TO_ANSWER = 5.0
SECONDS_TO_LOOK = 10.0  # all in all: who is slow to answer must not hold up the following
MOST = 10  # pods at one look
NOT_FOUND = 404
KUBEFLOW = "kubeflow"  # the namespace of the pods where a server has one user only
NODE = "workflows.argoproj.io/node-name"

# What has to start for a task to begin: its container, or the driver of it or of a group around it.
Part = tuple[Spot, str]


class Watch:
    """What the steps of one run wait for.

    Attributes:
        names: how its pods are called.
    """

    def __init__(self, connection: Connection, outline: Outline, namespace: str):
        self._connection, self._outline, self._namespace = connection, outline, namespace
        self.names = PodNames(outline)
        self._waits: dict[str, Wait] = {}
        self._since: dict[str, float] = {}
        self._looked, self._until, self._is_silent = float("-inf"), 0.0, False
        self._is_complete, self._has_pods = False, True

    def look(
        self, run, listing: Listing, found: Found, *, is_complete: bool, is_over: bool
    ) -> dict[str, Wait]:
        """The name of a step, or of one of its iterations, to why it has not started.

        Args:
            run: a V2beta1Run, as the API has it now.
            is_complete: whether a pod that is not told of has not started.
            is_over: whether it has ended, and only what was seen before is asked for.
        """
        told = listing.executions.values()
        self.names.learn(run, [pod for one in told for pod in (one.driver, one.pod) if pod])
        self._is_complete = is_complete
        parts = dict(self._list_waiting(listing, found))
        now = time.monotonic()
        self._since = {name: self._since.get(name, now) for name in parts}
        self._waits = {name: wait for name, wait in self._waits.items() if name in parts}
        if is_over or not self._has_pods or now - self._looked < SECONDS:
            return self._waits
        self._until, self._is_silent = now + SECONDS_TO_LOOK, False
        seen: dict[Part, Wait | None] = {}
        for name in sorted(parts, key=lambda one: one in self._waits):  # the unexplained first
            part = parts[name]
            if part not in seen and len(seen) < MOST and not self._is_silent:
                seen[part] = self._explain(name, part, listing, now - self._since[name])
            wait = seen.get(part)
            if wait is not None:
                self._waits[name] = wait
            elif part in seen and not self._is_silent:
                self._waits.pop(name, None)
        self._looked = time.monotonic()
        return self._waits

    def _list_waiting(self, listing: Listing, found: Found) -> Iterator[tuple[str, Part]]:
        """The steps that wait, each with the part of the run whose pod is in the way."""
        for name, execution in listing.executions.items():
            if execution.waits:
                yield name, (listing.spots[name], EXECUTOR)
        for name in listing.list_next():
            yield name, (find_driven(listing.spots[name], found, self._outline), DRIVER)

    def list_broken(self, listing: Listing, found: Found) -> dict[str, list[str]]:
        """The steps whose driver has failed, so that they never began, to its pods."""
        spots = {name: listing.spots[name] for name in listing.list_next()}
        driven = {name: find_driven(spot, found, self._outline) for name, spot in spots.items()}
        for name, one in listing.executions.items():
            if not one.pod and one.state in (State.PENDING, State.RUNNING, State.FAILED):
                driven[name] = listing.spots[name]
        return {
            name: self.names.guess(spot, DRIVER)
            for name, spot in driven.items()
            if self.names.has_failed(spot, DRIVER)
        }

    def explain_end(self, name: str, listing: Listing) -> str | None:
        """Why the pod of a step has ended, where that is not its program's own failure."""
        self._until = time.monotonic() + SECONDS_TO_LOOK
        told = listing.executions.get(name)
        pods = [told.pod] if told and told.pod else self.names.guess(listing.spots[name], EXECUTOR)
        for pod in pods:
            content, _ = self._fetch("pod", pod, self.find_namespace(name, listing))
            if content is not None:
                return explain_end(content)
        return None

    def find_namespace(self, name: str, listing: Listing) -> str:
        """The namespace of a step's pod."""
        execution = listing.executions.get(name)
        told = [execution] if execution else list(listing.executions.values())
        return self._namespace or next((one.namespace for one in told if one.namespace), KUBEFLOW)

    def _explain(self, step: str, part: Part, listing: Listing, seconds: float) -> Wait | None:
        spot, kind = part
        execution, namespace = listing.executions.get(step), self.find_namespace(step, listing)
        if execution is not None and execution.reason:
            return Wait(shorten(one_line(execution.reason)))
        refusal, names = "", self.names.guess(spot, kind)
        for name in names:
            pod, refusal = self._fetch("pod", name, namespace)
            node = _read_node(pod)
            if pod is None or (node and not self.names.fits(spot, kind, node)):
                continue
            events, _ = self._fetch("pod/events", name, namespace)
            wait = explain_pod(pod, events, namespace, name)
            if wait is not None and kind == DRIVER and not self.names.is_alone(spot):
                return Wait(f"what prepares it has not started: {wait.text}", wait.is_trouble)
            return wait
        is_made = kind == EXECUTOR or self.names.is_going(spot, kind)
        if not self._has_pods:
            return None
        if names and is_made and self._is_complete and seconds > UNSEEN_SECONDS:
            text = f"its pod cannot be seen from here ({refusal or 'it is not there'})"
            kubectl = f"kubectl -n {shlex.quote(namespace)}"
            flow = f"{kubectl} describe workflow {shlex.quote(self.names.workflow)}"
            advice = f"look for it: {kubectl} get pods; why there may be none: {flow}"
            return Wait(f"{text}; {advice}", is_trouble=False)
        return None

    def _fetch(self, what: str, name: str, namespace: str) -> tuple[Any, str]:
        """What the pages' server says of a pod, as JSON, or why it says nothing."""
        query = httpx.QueryParams({"podname": name, "podnamespace": namespace})
        place = f"{self._connection.pages}/k8s/{what}?{query}"
        seconds = min(SECONDS_TO_ANSWER, self._until - time.monotonic())
        answer = fetch_text(self._connection, place, seconds) if seconds > 0 else Text()
        self._is_silent = not answer.status
        if answer.status == NOT_FOUND and "json" in answer.kind:
            self._has_pods = False  # an API alone, or a server whose steps are no pods
        if answer.refusal:
            return None, answer.refusal
        try:
            told = json.loads(answer.text)
        except (ValueError, RecursionError):
            return None, "no JSON"
        return (told, "") if isinstance(told, dict) else (None, "no JSON")


def _read_node(pod: Any) -> str:
    try:
        return str(pod["metadata"]["annotations"].get(NODE) or "")
    except (LookupError, TypeError, AttributeError):
        return ""
