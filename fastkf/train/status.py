"""The status of a TFJob, as the Training Operator writes it into the resource."""

from datetime import UTC, datetime

ENDED = ("Succeeded", "Failed")


class JobStatus:
    """Conditions and counts, in the shape of `status` in kubeflow.org/v1."""

    def __init__(self, kind: str):
        self.kind = kind
        self.conditions: list[dict] = []
        self.start_time = now()
        self.completion_time: str | None = None

    @property
    def last(self) -> str | None:
        """The type of the condition that was set last."""
        return self.conditions[-1]["type"] if self.conditions else None

    def set(self, condition: str, message: str) -> None:
        """Sets a condition: Created, Running, Restarting, Succeeded or Failed.

        Running and Restarting exclude each other, and nothing runs that has ended.
        """
        if self.last == condition:
            return
        excluded = {"Running": "Restarting", "Restarting": "Running"}.get(condition)
        self.conditions = [
            one for one in self.conditions if one["type"] not in (condition, excluded)
        ]
        if condition in ENDED:
            self.completion_time = now()
            for one in self.conditions:
                if one["type"] == "Running":
                    one.update(status="False", lastUpdateTime=now(), lastTransitionTime=now())
        self.conditions.append(
            {
                "type": condition,
                "status": "True",
                "reason": f"{self.kind}{condition}",
                "message": message,
                "lastUpdateTime": now(),
                "lastTransitionTime": now(),
            }
        )

    def to_dict(self, replicas: dict[str, dict[str, int]]) -> dict:
        """The status, with the counts of active, succeeded and failed replicas of each type."""
        status = {
            "conditions": self.conditions,
            "replicaStatuses": replicas,
            "startTime": self.start_time,
        }
        if self.completion_time:
            status["completionTime"] = self.completion_time
        return status


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
