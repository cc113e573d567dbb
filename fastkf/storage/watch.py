"""Throws a store away when a process has ended: `python -m fastkf.storage.watch FOLDER PID`."""

import sys
import time
from pathlib import Path

import psutil

from fastkf.storage.store import Store


def main(folder: Path, owner: int) -> None:
    try:
        process = psutil.Process(owner)
        while folder.exists() and is_alive(process):  # whoever stops the store removes the folder
            time.sleep(0.5)
    except psutil.NoSuchProcess:
        pass
    Store(folder).stop()


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; the same process, not a later one of the same id."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
