"""Runs commands as in a container of the course's images, without an engine.

    python sandbox.py '{"user": [65534, 0], "tmp": ...}' COMMAND...

The root folder holds this machine's programs, this project with the environment of the tests, and
the folders asked for, all of it read-only; and a /tmp. It is gone when the command ends. Only root
can make one.
"""

import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/dev", "/proc"]
PROJECT = str(Path(__file__).resolve().parents[2])
BRING_UP, UP = 0x8914, 0x1  # SIOCSIFFLAGS and IFF_UP, from Linux's headers


@dataclass(frozen=True)
class Sandbox:
    """A container's user, folders and variables.

    Attributes:
        user: the numbers of the user and the group.
        tmp: the folder outside that is /tmp inside, and belongs to the user.
        shown: folders to show, as pairs of the path inside and the one outside.
        volumes: the same, for folders that can be written to.
        folder: the working folder.
        online: whether it is in this machine's network; else there is the loopback device alone.
    """

    user: tuple[int, int]
    tmp: str
    shown: tuple[tuple[str, str], ...] = ()
    volumes: tuple[tuple[str, str], ...] = ()
    folder: str = "/"
    online: bool = False

    def wrap(self, *command) -> list[str]:
        """The command that runs a command in the sandbox."""
        unshare = ["unshare", "--mount", "--propagation", "private"]
        unshare += [] if self.online else ["--net"]
        program = [sys.executable, "-I", __file__, json.dumps(asdict(self))]
        return [*unshare, *program, *map(str, command)]


def find_obstacle() -> str | None:
    if sys.platform != "linux" or os.getuid() != 0:
        return "a container's file system can be imitated by root on Linux only"
    for tool in ("unshare", "mount", "setpriv"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    if subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True).returncode:
        return "the system allows no mount and network namespaces here"
    if "/tmp" in {str(part) for part in Path(sys.prefix).parents}:
        return "the environment is in /tmp, which the sandbox replaces"
    return None


def main(settings: str, *command: str) -> None:
    sandbox = Sandbox(**json.loads(settings))
    if not sandbox.online:
        with socket.socket() as any_socket:
            fcntl.ioctl(any_socket, BRING_UP, struct.pack("16sh", b"lo", UP))
    root = make_root(sandbox)
    os.chroot(root)
    os.chdir(sandbox.folder)
    user, group = sandbox.user
    privileges = [f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
    os.execvp("setpriv", ["setpriv", *privileges, "--inh-caps=-all", *command])


def make_root(sandbox: Sandbox) -> Path:
    root = Path(tempfile.mkdtemp(dir=Path(sandbox.tmp).parent))
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", root)
    for place in (*SYSTEM, sys.base_prefix, sys.prefix, PROJECT):
        if Path(place).exists():
            show(place, place, root)
    for inside, outside in sandbox.shown:
        show(outside, inside, root)
    show(sandbox.tmp, "/tmp", root, writable=True)
    for inside, outside in sandbox.volumes:
        show(outside, inside, root, writable=True)
    mount("-o", "remount,ro", root)
    return root


def show(outside, inside, root: Path, writable: bool = False) -> None:
    place = root / str(inside).strip("/")
    if Path(outside).is_dir():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    mount("--bind" if writable else "--rbind", outside, place)
    if not writable and inside not in ("/dev", "/proc"):
        mount("-o", "remount,bind,ro", place)


def mount(*words) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
