"""A run that goes on where an earlier attempt of it has ended."""

import re

from fastkf.engine.tasks.container import ContainerRun


class RetriedRun(ContainerRun):
    """A run whose finished tasks are not run again: their outputs are those of before.

    Args:
        kept: task to its step in run.json, of the tasks that have succeeded.
    """

    def __init__(self, *arguments, kept: dict[str, dict], **options):
        super().__init__(*arguments, **options)
        self._kept = kept

    def _recall(self, task: str) -> dict | None:
        if task not in self._kept:
            return None
        step, noted = self.steps[task], self._kept[task]
        step.status, step.seconds = "succeeded", noted["seconds"]
        outputs = noted["outputs"]
        self.executions[task] = {"inputs": noted["inputs"], "outputs": outputs}
        artifacts = {
            name: self._make_artifact(name, made) for name, made in outputs["artifacts"].items()
        }
        return {**outputs["parameters"], **artifacts}

    def _make_artifact(self, name: str, made: dict):
        from kfp.dsl.executor import create_artifact_instance

        metadata = {key: self._move(value) for key, value in made["metadata"].items()}
        return create_artifact_instance(
            {
                "name": name,
                "type": {"schemaTitle": made["type"]},
                "uri": str(self.run_folder / made["uri"]),
                "metadata": metadata,
            }
        )

    def _move(self, value):
        """Kale notes where a variable was saved: in the earlier attempt's folder, gone by now."""
        if not isinstance(value, str):
            return value
        return re.sub(r"^.*/fastkf-[^/]+(?=/steps/)", str(self.scratch), value)
