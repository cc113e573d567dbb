"""Where a server keeps its files, where it listens, and how much it does at once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from fastkf.base import local_server

MEGABYTE = 2**20
MEMORY_OF_A_RUN = 4096 * MEGABYTE  # a step that trains with TensorFlow, beside its warm parent


@dataclass(frozen=True)
class SharedFolder:
    """A folder of this machine that every run finds beside its own.

    Attributes:
        remedy: what to do when a run names something in it that is not there.
    """

    path: Path
    remedy: str


@dataclass(frozen=True)
class Settings:
    """What a server is started with.

    Attributes:
        folder: the data folder, private to the user.
        parallel_runs: how many runs go at once; the others wait.
        token: what every request carries; None: nobody is let in.
        panel_token: the one of Kale's panel, whose answers are spelled for it.
        secret: by which the server proves to clients that it is this user's.
        is_open: whether whoever reaches the server may ask, without a token.
        largest_request: bytes of one request's body.
        package_origins: what packages are fetched from, beside the hosts that all servers know.
        shared: name to folder; a step finds it at ../NAME, seen from the folder that it starts in.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    parallel_runs: int = 1
    token: str | None = field(default=None, repr=False)
    panel_token: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    is_open: bool = False
    largest_request: int = 8 * MEGABYTE
    package_origins: frozenset[str] = frozenset()
    shared: Mapping[str, SharedFolder] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        return self.folder / "server.db"

    @property
    def token_file(self) -> Path:
        return self.folder / local_server.TOKEN

    @property
    def panel_token_file(self) -> Path:
        return self.folder / local_server.PANEL_TOKEN

    def run_folder(self, run_id: str) -> Path:
        """The folder of a run that is in the database."""
        return self.folder / "runs" / run_id

    def version_file(self, version_id: str) -> Path:
        """The package (YAML) of a pipeline version that is in the database."""
        return self.folder / "pipelines" / f"{version_id}.yaml"


def default_parallel_runs() -> int:
    """A run for two processors, since its steps go in parallel too, and for 4 GB of memory."""
    by_memory = psutil.virtual_memory().total // MEMORY_OF_A_RUN
    return max(1, min((os.cpu_count() or 1) // 2, by_memory))
