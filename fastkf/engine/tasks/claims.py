"""What makes and removes volumes: `kubernetes.CreatePVC` and `DeletePVC`.

On a cluster no container runs for them: Kubeflow Pipelines' driver does it
(backend/src/v2/driver/k8s.go). Here a volume is a folder of the run, or the one that was named.
"""

import shutil
import uuid
from pathlib import Path

from fastkf.engine.job import Job
from fastkf.engine.tasks import ShowCommand
from fastkf.package.containers import MAKES_CLAIM
from fastkf.runs.model import Failure


class ClaimTasks:
    """Makes and removes the folders that are volumes."""

    honours: frozenset[str] = frozenset()

    def execute(self, job: Job, log: Path, show: ShowCommand) -> Failure | None:
        with log.open("a", encoding="utf-8") as file:
            try:
                said = _make(job) if job.image == MAKES_CLAIM else _remove(job)
            except ValueError as error:
                return Failure("", str(error))
            print(said, file=file)
        return None

    def stamp(self, job: Job) -> str:
        return str(uuid.uuid4())  # never taken from another run, whose folder it would be

    def end(self) -> None:
        """Nothing of it lasts."""


def _make(job: Job) -> str:
    asked = job.arguments.parameters
    name, suffix = asked.get("pvc_name") or "", asked.get("pvc_name_suffix") or ""
    if name and suffix:
        raise ValueError("give the volume pvc_name or pvc_name_suffix, and not both")
    name = name or f"{uuid.uuid4()}{suffix}"
    folder = job.volumes.find(name)
    if name not in job.volumes.given and folder.exists():
        raise ValueError(f"there is a volume {name} already")
    folder.mkdir(parents=True, exist_ok=True)
    (job.root / "name").write_text(name, encoding="utf-8")
    return f"fastkf: the volume {name} is the folder {folder}; its size is not limited"


def _remove(job: Job) -> str:
    name = job.arguments.parameters.get("pvc_name") or ""
    folder = job.volumes.find(name)
    if name in job.volumes.given:
        return f"fastkf: the volume {name} is your folder {folder}, and stays"
    if not folder.is_dir():
        raise ValueError(f"there is no volume {name}")
    shutil.rmtree(folder)
    return f"fastkf: the volume {name} is removed"
