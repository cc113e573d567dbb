"""Disks for tests, which only the process sees that they are made for."""

import subprocess
from pathlib import Path

import pytest


def small_disk(folder: Path, options: str = "size=4m") -> list:
    """What makes a command see another disk in a folder; skips the test where that may not be."""
    mount = f'mount -t tmpfs -o {options} none "$0"; exec "$@"'
    command = ["unshare", "--mount", "sh", "-ec", mount, folder]
    try:
        subprocess.run([*command, "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system may be mounted here: {error}")
    return command
