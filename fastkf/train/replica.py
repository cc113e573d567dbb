"""A replica of a TFJob: a pod, and the process that stands for it here."""

import re
import shutil
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE

from fastkf.base import processes
from fastkf.base.processes import Ending, MemoryWatch, Process
from fastkf.engine.process_places import ProcessPlaces
from fastkf.runs.progress import Progress
from fastkf.train.pods import Pod

KIND = "replica"
LINES_OF_AN_ERROR = 20
SECONDS_TO_READ_ON = 5  # what a process has left in the pipe when it has ended
# What TensorFlow's C++ code writes before it has read how much it should write.
NOISE = re.compile(r"WARNING: All log messages before absl::|[IWE]\d{4} ?\d")


@dataclass
class Replica:
    """A pod and its process.

    Attributes:
        state: pending (to be started), running, succeeded, failed, or ended (by the job's end).
        restarts: how often its process was started again.
        ending: how its process has ended; when it was started again, the one before.
        start_at: when it may be started, on the monotonic clock in seconds.
        tail: the last lines that it wrote.
    """

    pod: Pod
    log: Path
    state: str = "pending"
    restarts: int = 0
    ending: Ending | None = None
    start_at: float = 0.0
    process: Process | None = None
    memory: MemoryWatch = field(default_factory=MemoryWatch)
    reader: threading.Thread | None = None
    places: ProcessPlaces | None = None
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_OF_AN_ERROR))

    @property
    def exit_code(self) -> int | None:
        return self.ending.code if self.ending else None

    def start(self, before: Sequence[str], project: Path, progress: Progress) -> None:
        """Starts the process, with the pod's volumes as they are at its start.

        Args:
            before: the words that run a command in the job's network.
            project: the manifest's folder.
        """
        for mount in self.pod.mounts:
            if mount.per_pod and self.pod.restart_policy == "ExitCode" and mount.folder.exists():
                shutil.rmtree(mount.folder)  # the operator makes a new pod, with a new emptyDir
            if not mount.read_only:
                mount.folder.mkdir(parents=True, exist_ok=True)
        folder = self.pod.folder
        folder.mkdir(parents=True, exist_ok=True)
        self.tail.clear()
        self.memory = MemoryWatch()
        kept = folder, *(mount.folder for mount in self.pod.mounts)
        self.places = ProcessPlaces(KIND, project, kept, self.pod.given, before)
        command = self.places.wrap(self.pod.command)
        environment = {**self.places.variables(), **self.pod.environment}
        process = processes.start(command, PIPE, folder, environment)
        again = f" again ({self.restarts})" if self.restarts else ""
        progress.relay(self.pod.name, f"started{again}, process group {process.pid}")
        self.process, self.state = process, "running"
        self.reader = threading.Thread(target=self._read, args=[process, progress], daemon=True)
        self.reader.start()

    def has_ended(self) -> bool:
        """Whether its process has ended by itself; what it left running is ended then."""
        if self.state != "running" or self.process is None or self.process.poll() is None:
            return False
        self.ending = self.memory.ending(self.process.returncode)
        processes.end([self.process])
        self._read_on()
        return True

    def note_end(self) -> None:
        """Takes down that the job's end has ended it."""
        if self.state == "running" and self.process is not None:
            self._read_on()
            self.ending = self.memory.ending(self.process.returncode)
        if self.state in ("pending", "running"):
            self.state = "ended"

    def explain(self) -> str | None:
        """Why it did not find a path that its last lines name, where this is known."""
        return self.places.explain("\n".join(self.tail)) if self.places else None

    def _read_on(self) -> None:
        if self.reader:
            self.reader.join(timeout=SECONDS_TO_READ_ON)
        if self.places:
            self.places.remove()

    def _read(self, process: Process, progress: Progress) -> None:
        if process.stdout is None:
            return
        with self.log.open("a", encoding="utf-8") as log:
            for line in process.stdout:
                text = line.decode("utf-8", errors="replace").rstrip()
                print(text, file=log, flush=True)
                if not NOISE.match(text):
                    self.tail.append(text)
                    progress.relay(self.pod.name, text)
