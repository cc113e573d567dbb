"""Questions to the cluster that kubectl has chosen. Nothing is changed there, no secret is read."""

import json
import re
import shutil
import subprocess
from typing import Any

SECONDS = 15
LIMIT = "--request-timeout=9s"
NOT_THERE = "there is no kubectl"
UNREACHABLE = re.compile(r"unable to connect|was refused|i/o timeout|no such host|deadline", re.I)


class NotSeenError(Exception):
    """kubectl is not here, has no cluster, or may not look; the text says which."""

    @property
    def is_missing(self) -> bool:
        """Whether kubectl has looked, and there is no such object."""
        return "NotFound" in str(self)


class Kubectl:
    """The kubectl of this machine. A question is asked once, and none of a cluster that is away."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, ...], str | NotSeenError] = {}
        self._silent: NotSeenError | None = None

    def ask(self, *words: str) -> str:
        """What kubectl answers.

        Raises:
            NotSeenError: it does not answer.
        """
        if words not in self._answers:
            self._answers[words] = self._silent or self._ask(words)
        answer = self._answers[words]
        if isinstance(answer, NotSeenError):
            raise answer
        return answer

    def _ask(self, words: tuple[str, ...]) -> str | NotSeenError:
        if shutil.which("kubectl") is None:
            return NotSeenError(NOT_THERE)
        try:
            answer = subprocess.run(
                ["kubectl", *words, LIMIT],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            self._silent = NotSeenError(f"kubectl does not answer in {SECONDS} seconds")
            return self._silent
        except (OSError, ValueError) as error:
            return NotSeenError(str(error))
        if answer.returncode != 0:
            said = answer.stderr.strip().splitlines()[-1:] or ["kubectl failed"]
            fault = NotSeenError(said[0])
            if UNREACHABLE.search(answer.stderr):
                self._silent = fault
            return fault
        return answer.stdout

    def list_items(self, *words: str) -> list[dict[str, Any]]:
        """The objects of a list.

        Raises:
            NotSeenError: kubectl does not answer, or with something else.
        """
        try:
            items = json.loads(self.ask(*words, "-o", "json"))["items"]
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise NotSeenError(f"kubectl answers no list ({error})") from error
        if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
            raise NotSeenError("kubectl answers no list of objects")
        return items

    def list_names(self, *words: str) -> list[str]:
        """The names of a list, without their kind.

        Raises:
            NotSeenError: kubectl does not answer.
        """
        return [line.rpartition("/")[2] for line in self.ask(*words, "-o", "name").split()]

    def list_kinds(self) -> list[str]:
        """The kinds that somebody has added, as PLURAL.GROUP.

        Raises:
            NotSeenError: kubectl does not answer.
        """
        try:
            return self.list_names("get", "customresourcedefinitions")
        except NotSeenError:  # which not everyone may list
            return self.ask("api-resources", "-o", "name").split()

    def find_context(self) -> str:
        """The name of the cluster that kubectl has chosen; "" when it says none."""
        try:
            name = self.ask("config", "current-context").strip()
        except NotSeenError:
            return ""
        return name if re.fullmatch(r"[\w.:@/-]{1,100}", name) else ""
