"""An object store in a folder: starts it, stops it, and says how it is."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.files import NotPrivateError, read_end, read_private, user_folder, write_text
from fastkf.base.identity import listens_on
from fastkf.base.ports import free_ports, is_free
from fastkf.storage import note, weed
from fastkf.storage.health import REGION, answers, has_volumes
from fastkf.storage.note import ServerNote

LOCK, LOG, STATE = "lock", "weed.log", "server.json"
LINES_OF_LOG = 8
SECONDS_TO_START = 120
# For what it is asked at the moment: what it has confirmed is in its files already. By itself it
# waits 15 seconds more, for connections between its own parts, which never end.
SECONDS_TO_END = 2
BYTES_TO_START = 256e6


@dataclass(frozen=True)
class Status:
    """How a store is; `ended` says that it runs no more though nobody stopped it."""

    running: bool
    ended: bool
    endpoint: str | None
    bytes: int


def default_folder() -> Path:
    return user_folder("storage")


class Store:
    """The store of one folder: its data, its access keys, its log, and its server when it runs."""

    def __init__(self, folder: Path):
        self.folder = folder.expanduser().resolve()

    @property
    def is_temporary(self) -> bool:
        return self._read_state().get("temporary", False)

    @property
    def credentials(self) -> Path:
        return self.folder / weed.CREDENTIALS

    def start(self, owner: int | None = None) -> bool:
        """Starts the server and waits until it answers; False when it ran already.

        Args:
            owner: the id of a process: with it the store ends, and its folder is removed.

        Raises:
            UsageError: the folder cannot hold a store, or there is no such process.
            FastkfError: there is no SeaweedFS here, or it does not come up.
        """
        program = weed.find_program()
        if owner is not None and not psutil.pid_exists(owner):
            raise UsageError(f"--while {owner}: there is no such process")
        self._make_folder(empty=owner is not None)
        with self._lock():
            if self.find_server():
                return False
            weed.write_configuration(self.folder)
            ports = self._choose_ports()
            self._write_state(ports, running=True, temporary=owner is not None)
            try:
                self._start_server(program, ports, owner)
            except BaseException:
                self._end(self.find_server())
                raise
            return True

    def stop(self) -> bool:
        """Ends the server; False when none ran. The folder of a throw-away store is removed."""
        with self._lock() if self.is_store() else contextlib.nullcontext():
            server, temporary = self.find_server(), self.is_temporary
            self._end(server)
            if temporary:
                shutil.rmtree(self.folder)
            return server is not None

    def status(self) -> Status:
        server, endpoint = note.read(self.folder), None
        if server:
            port = server.ports["s3.port"]
            # Before it listens there, another user may, who would get requests with a signature.
            is_there = listens_on(server.process.pid, port, weed.ADDRESS)
            endpoint = f"http://{weed.ADDRESS}:{port}" if is_there else None
        ended = server is None and self._read_state().get("running", False)
        return Status(server is not None, ended, endpoint, size_of(self.folder))

    def environment(self) -> dict[str, str]:
        """The variables by which S3 clients (botocore, s3fs, pandas) find the running store.

        Raises:
            FastkfError: it does not run.
        """
        endpoint = self.status().endpoint
        if endpoint is None:
            raise FastkfError(
                f"{self.folder}: no store runs here", "start it: fastkf storage start"
            )
        access_key, secret_key = weed.read_credentials(self.folder)
        return {
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
            "AWS_ENDPOINT_URL_S3": endpoint,
            "AWS_DEFAULT_REGION": REGION,
        }

    def had_endpoint(self, url: str) -> bool:
        """Whether an address is the one that the store had when it ran last, or has now."""
        port = self._read_state().get("ports", {}).get("s3.port")
        return url.rstrip("/") == f"http://{weed.ADDRESS}:{port}"

    def find_server(self) -> psutil.Process | None:
        """The process that serves this folder: the one that was started for it, if it lives."""
        server = note.read(self.folder)
        return psutil.Process(server.process.pid) if server else None

    def is_store(self) -> bool:
        return self.credentials.exists()

    def _make_folder(self, empty: bool) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = {path.name for path in self.folder.iterdir()} - {LOCK, LOG}
            if names and empty:
                raise UsageError(
                    f"{self.folder}: not empty", "a store to throw away removes its folder"
                )
            if names and not self.is_store():
                raise UsageError(f"{self.folder}: other files are in it", "name a new --folder")
            for name in (LOCK, LOG):
                (self.folder / name).touch(mode=0o600)
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise UsageError(
                f"{self.folder}: cannot hold the store ({error.strerror})", "name another --folder"
            ) from error
        if free < BYTES_TO_START:
            raise UsageError(
                f"{self.folder}: only {free / 1e6:.0f} MB are free there, and the store needs "
                f"{BYTES_TO_START / 1e6:.0f} MB",
                "make room, or name another --folder",
            )

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            with FileLock(self.folder / LOCK, timeout=SECONDS_TO_START + SECONDS_TO_END):
                yield
        except Timeout:
            raise FastkfError(f"{self.folder}: another command is still at work on it") from None

    def _choose_ports(self) -> dict[str, int]:
        """The ports of the last start, as far as they are free; others in place of the rest."""
        last = self._read_state().get("ports", {})
        self._remove_sockets(last)
        new = dict(zip(weed.PORTS, free_ports(len(weed.PORTS)), strict=True))
        return new | {name: port for name, port in last.items() if is_free(port)}

    def _start_server(self, program: str, ports: dict[str, int], owner: int | None) -> None:
        with (self.folder / LOG).open("w") as log:
            server = subprocess.Popen(
                weed.command(program, self.folder, ports),
                cwd=self.folder,
                env=weed.environment(self.folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
            )
            noted = note.write(self.folder, server.pid, ports)
            if owner is not None:
                start_watch(self.folder, owner)
        deadline = time.monotonic() + SECONDS_TO_START
        while not self._answers(noted):
            if server.poll() is not None or time.monotonic() > deadline:
                raise FastkfError(self._why_not_up(server.returncode))
            time.sleep(0.2)

    def _answers(self, server: ServerNote) -> bool:
        """Whether the server takes its access keys, by which nobody else is asked, and can read."""
        port = server.ports["s3.port"]
        if not listens_on(server.process.pid, port, weed.ADDRESS):
            return False
        if not answers(weed.ADDRESS, port, *weed.read_credentials(self.folder)):
            return False
        pair = self.folder / weed.CERTIFICATE, self.folder / weed.KEY
        return has_volumes(weed.ADDRESS, server.ports["master.port"], *pair)

    def _why_not_up(self, code: int | None) -> str:
        log = self.folder / LOG
        lines = read_end(log).splitlines()[-LINES_OF_LOG:]
        ended = f"ended with exit code {code}" if code is not None else "does not answer"
        return "\n  ".join([f"{log}: the store's server {ended}; the end of its log:", *lines])

    def _end(self, server: psutil.Process | None) -> None:
        state, noted = self._read_state(), note.read(self.folder)
        if server:
            with contextlib.suppress(psutil.NoSuchProcess):
                server.kill() if self.is_temporary else server.terminate()
                _, alive = psutil.wait_procs([server], timeout=SECONDS_TO_END)
                for process in alive:
                    process.kill()
                    process.wait()
        self._remove_sockets(noted.ports if noted else state.get("ports", {}))
        note.remove(self.folder)
        if state:
            self._write_state(state["ports"], running=False, temporary=state["temporary"])

    def _remove_sockets(self, ports: dict[str, int]) -> None:
        """Removes what a server leaves behind, above all one that was killed."""
        for path in weed.sockets(self.folder, ports) if ports else []:
            with contextlib.suppress(OSError):
                path.unlink()

    def _read_state(self) -> dict:
        """What `_write_state` has written; {} where there is nothing of this user's own."""
        try:
            return json.loads(read_private(self.folder / STATE) or "{}")
        except (OSError, ValueError, NotPrivateError):
            return {}

    def _write_state(self, ports: dict[str, int], running: bool, temporary: bool) -> None:
        state = {"ports": ports, "running": running, "temporary": temporary}
        write_text(self.folder / STATE, json.dumps(state, indent=2), weed.PRIVATE)


def start_watch(folder: Path, owner: int) -> None:
    """Starts the process that throws the store away when the owner has ended."""
    subprocess.Popen(
        [sys.executable, "-m", "fastkf.storage.watch", str(folder), str(owner)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def size_of(folder: Path) -> int:
    """The bytes of the files below a folder."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # the server removes files meanwhile
            total += path.lstat().st_size
    return total
