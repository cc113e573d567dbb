"""Processes that answer at an address, write to logs, and end together."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import urllib3

from fastkf.base import processes
from fastkf.base.errors import FastkfError
from fastkf.base.files import read_end
from fastkf.base.identity import listens_on

SECONDS_TO_START = 120


@dataclass
class Service:
    """A process that answers at an address, and writes to a log."""

    name: str
    process: subprocess.Popen
    log: Path

    def wait(
        self, is_ready: Callable[[], bool], is_replaced: Callable[[], bool] = lambda: False
    ) -> None:
        """Returns when it is ready.

        Args:
            is_replaced: whether another does its work, when it has ended.

        Raises:
            FastkfError: it has ended, or is silent for too long.
        """
        deadline = time.monotonic() + SECONDS_TO_START
        while not is_ready():
            if self.process.poll() is None or not is_replaced():
                self.check()
            if time.monotonic() > deadline:
                raise FastkfError(self._describe(f"gave no answer in {SECONDS_TO_START} s"))
            time.sleep(0.1)

    def listens_on(self, port: int) -> bool:
        """Whether it, or what it has started, is what listens on a port: nobody else's program."""
        return any(listens_on(pid, port) for pid in self._list_pids())

    def has(self, pid: int) -> bool:
        """Whether a process is its own."""
        return pid in self._list_pids()

    def _list_pids(self) -> list[int]:
        try:
            family = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [self.process.pid, *(one.pid for one in family)]

    def check(self) -> None:
        """Raises FastkfError when it has ended."""
        code = self.process.poll()
        if code is not None:
            raise FastkfError(self._describe(f"has ended (exit code {code})"))

    def _describe(self, event: str) -> str:
        last = read_end(self.log).splitlines()[-10:]
        lines = "".join(f"\n  {line}" for line in last)
        return f"{self.name} {event}. The end of its log, {self.log}:{lines}"


@contextlib.contextmanager
def services() -> Iterator[tuple[Path, Callable[..., Service]]]:
    """A private folder, and `start(name, command, ...)` for services that log there.

    All end with the context. The folder stays when one has failed, for its log.
    """
    folder, started = Path(tempfile.mkdtemp(prefix="fastkf-lab-")), []

    def start(name: str, command: list, **settings) -> Service:
        log = folder / f"{name.split()[-1].lower()}.log"
        with log.open("wb") as output:
            started.append(processes.start(command, output, keep_daemons=True, **settings))
        return Service(name, started[-1], log)

    failed = False
    try:
        yield folder, start
    except FastkfError:
        failed = True
        raise
    finally:
        processes.end(started)
        if not failed:
            shutil.rmtree(folder, ignore_errors=True)


def answers(address: str) -> bool:
    """Whether an HTTP server answers there, be it that it asks who one is."""
    try:
        return urllib3.request("GET", address, timeout=2, retries=False).status in (200, 401)
    except urllib3.exceptions.HTTPError:
        return False
