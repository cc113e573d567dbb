"""Throws a store away when a process has ended: `python -m fastkf.storage.watch FOLDER PID`."""

import sys
import time
from pathlib import Path

import psutil


def main(folder: Path, owner: int) -> None:
    from fastkf.storage.store import Store

    store = Store(folder)
    processes = [find(owner), store.find_server()]
    while all(map(is_alive, processes)):
        time.sleep(0.5)
    store.stop()


def find(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def is_alive(process: psutil.Process | None) -> bool:
    try:
        return bool(process and process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
