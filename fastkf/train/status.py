"""The status of a TFJob, as the Training Operator writes it into the resource."""

from typing import Any

from fastkf.base import clock

ENDED = ("Succeeded", "Failed")


class JobStatus:
    """Conditions and counts, in the shape of `status` in kubeflow.org/v1."""

    def __init__(self, kind: str):
        self.kind = kind
        self.conditions: list[dict[str, str]] = []
        self.start_time = _now()
        self.completion_time: str | None = None

    @property
    def last(self) -> str | None:
        """The type of the condition that was set last."""
        return self.conditions[-1]["type"] if self.conditions else None

    @property
    def has_ended(self) -> bool:
        """Whether the job has succeeded or failed."""
        return self.last in ENDED

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
            self.completion_time = _now()
            for one in self.conditions:
                if one["type"] == "Running":
                    one.update(status="False", lastUpdateTime=_now(), lastTransitionTime=_now())
        self.conditions.append(
            {
                "type": condition,
                "status": "True",
                "reason": f"{self.kind}{condition}",
                "message": message,
                "lastUpdateTime": _now(),
                "lastTransitionTime": _now(),
            }
        )

    def to_dict(self, replicas: dict[str, dict[str, int]]) -> dict[str, Any]:
        """The status, with the counts of active, succeeded and failed replicas of each type."""
        status: dict[str, Any] = {
            "conditions": self.conditions,
            "replicaStatuses": replicas,
            "startTime": self.start_time,
        }
        if self.completion_time:
            status["completionTime"] = self.completion_time
        return status

    def to_trainer_dict(self, replicas: dict[str, dict[str, int]]) -> dict[str, Any]:
        """The status of a TrainJob: how it has ended, and the counts of its jobs' pods."""
        ended = {"Succeeded": ("Complete", "AllJobsCompleted"), "Failed": ("Failed", "FailedJobs")}
        conditions = [
            {
                "type": ended[one["type"]][0],
                "status": one["status"],
                "reason": ended[one["type"]][1],
                "message": one["message"],
                "lastTransitionTime": one["lastTransitionTime"],
            }
            for one in self.conditions
            if one["type"] in ended
        ]
        jobs = [{"name": name, **counts} for name, counts in replicas.items()]
        return {"conditions": conditions, "jobsStatus": jobs}


def _now() -> str:
    return clock.format_utc(clock.now(), "seconds")
