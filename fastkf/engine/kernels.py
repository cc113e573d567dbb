"""How the kernels of notebooks and of steps are reached."""

import os
import tempfile
from typing import Any

from jupyter_client.manager import AsyncKernelManager

from fastkf.base.ports import LONGEST_ADDRESS

ROOM_FOR_ENDING = len("-ipc-10")


class PrivateKernelManager(AsyncKernelManager):
    """Reaches its kernel by Unix sockets, beside its connection file.

    By TCP, Jupyter looks for free ports and lets go of them, for the kernel to take: kernels that
    start at the same time can be told the same ones, and one of them ends with "Address already in
    use". Where the folder for temporary files has too long a name for sockets, it is TCP.

    Attributes:
        home: where these files are, a folder that somebody removes: a kernel that is interrupted
            while it starts removes none of them. That for temporary files when None.
    """

    home: str | None = None

    def __init__(self, **options: Any):
        super().__init__(**options)
        descriptor, path = tempfile.mkstemp(prefix="kernel-", suffix=".json", dir=self.home)
        os.close(descriptor)
        self.connection_file = path
        if len(path) + ROOM_FOR_ENDING <= LONGEST_ADDRESS:
            self.transport = "ipc"
