"""What an earlier attempt of a run has made, so that it need not be made again."""

from collections.abc import Iterable

from fastkf.runs.model import State, Step


class Memo:
    """The steps that have succeeded, with what they have made.

    Args:
        steps: of an earlier attempt, in the same folder.
    """

    def __init__(self, steps: Iterable[Step] = ()):
        executions = [one for step in steps for one in step.executions]
        self._kept = {one.name: one for one in executions if one.state is State.SUCCEEDED}

    def recall(self, step: Step) -> Step | None:
        """The step as it ended; None when it must run."""
        return self._kept.get(step.name)
