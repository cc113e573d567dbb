"""Folders that a process, and what it starts, sees at other paths: bind mounts of its own.

`python -I -m fastkf.base.mounts MOUNTS KEPT COMMAND...` runs a command with them; MOUNTS and KEPT
are JSON. They are seen by nobody else, and are gone with the process. Linux only, and only where a
user may have a mount namespace of their own (user_namespaces(7), mount_namespaces(7)): many
distributions allow that, containers mostly do not.

A path that is not there is made without touching the machine: the nearest folder that is there is
covered with an empty one in memory, in which everything that it holds appears again.
"""

import ctypes
import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

from fastkf.base.paths import is_below
from fastkf.base.privileges import drop_capabilities

IS_LINUX = sys.platform == "linux"
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000  # linux/sched.h
# linux/mount.h
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000
# What a mount has of these it must keep in a namespace of a user's own.
KEPT_FLAGS = {os.ST_NOSUID: 0x2, os.ST_NODEV: 0x4, os.ST_NOEXEC: 0x8} if IS_LINUX else {}
NAMESPACE = Path("/proc/self/ns/mnt")


@dataclass(frozen=True)
class Mount:
    """A folder, and the absolute path at which it is to be seen."""

    source: str
    target: str
    read_only: bool = False

    @property
    def is_there(self) -> bool:
        """Whether the folder is at that path already."""
        try:
            return os.path.samefile(self.source, self.target)
        except OSError:
            return False


@cache
def can_mount(before: tuple[str, ...] = ()) -> bool:
    """Whether a process may have mounts of its own here.

    Args:
        before: the words of the command that runs the process, in a network of its own say.
    """
    if not IS_LINUX:
        return False
    with tempfile.TemporaryDirectory(prefix="fastkf-") as folder:
        mounts = dump([Mount(folder, folder)])
        command = [sys.executable, "-I", "-m", __name__, mounts, "[]", sys.executable, "-c", ""]
        return subprocess.run([*before, *command], capture_output=True, check=False).returncode == 0


def dump(mounts: Iterable[Mount]) -> str:
    return json.dumps([astuple(one) for one in mounts])


def load(text: str) -> list[Mount]:
    return [Mount(*one) for one in json.loads(text)]


def name_namespace() -> str:
    """The mount namespace of this process."""
    return os.readlink(NAMESPACE)


def name_tmp(made: Iterable[Mount], own: str, variables: MutableMapping[str, str]) -> None:
    """Has a process call its own folder for temporary files /tmp, where it sees it there, too.

    By two paths it would be two file systems, between which nothing can be moved.
    """
    if any(one.target == "/tmp" for one in made):
        for name in ("TMPDIR", "HOME"):
            if variables.get(name) == own:
                variables[name] = "/tmp"


def enter(mounts: Sequence[Mount], kept: Sequence[str]) -> None:
    """Makes the mounts for this process and what it will start. Before it has other threads.

    Args:
        kept: paths that stay as they are, also where a mount covers a folder around them.

    Raises:
        OSError: the system does not allow it.
    """
    folder = os.getcwd()
    is_own_user = _unshare()
    _mount("none", "/", MS_REC | MS_PRIVATE)
    made: set[int] = set()
    held: dict[str, int] = {}
    for path in kept:
        with suppress(FileNotFoundError):  # others work there, too: it has gone meanwhile
            held[path] = os.open(path, os.O_PATH)
    sources = {one: os.open(one.source, os.O_PATH) for one in mounts}
    for one in sorted(mounts, key=lambda one: one.target):
        _make_folder(one.target, made)
        _bind(sources[one], one.target)
        if one.read_only:
            _close(one.target)
        for path, descriptor in held.items():
            if is_below(path, [one.target]):
                _make_place(descriptor, path)
                _bind(descriptor, path)
    for descriptor in (*held.values(), *sources.values()):
        os.close(descriptor)
    os.chdir(folder)
    if is_own_user and os.geteuid() != 0:
        drop_capabilities()


def _unshare() -> bool:
    """Takes a mount namespace; whether that needed a user namespace too."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(CLONE_NEWNS) == 0:
        return False
    user, group = os.geteuid(), os.getegid()
    _check(library.unshare(CLONE_NEWUSER | CLONE_NEWNS))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return True


def _make_place(descriptor: int, path: str) -> None:
    """Makes a folder or an empty file at a path, as is to be seen there."""
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))


def _make_folder(path: str, made: set[int]) -> None:
    """Makes a folder that only this namespace has, if there is none at the path.

    Args:
        made: the devices of the file systems that were made here, in memory.
    """
    above = path
    while not os.path.isdir(above):
        above = os.path.dirname(above)
    if os.stat(above).st_dev not in made and above != path:
        if above == "/":
            # A root cannot be covered. Any folder in it will do as the place of a new one.
            place = next(one.path for one in os.scandir("/") if one.is_dir(follow_symlinks=False))
            _cover("/", place)
            os.chroot(place)
            os.chdir("/")
        else:
            _cover(above, above)
        made.add(os.stat(above).st_dev)
    os.makedirs(path, exist_ok=True)


def _cover(folder: str, place: str) -> None:
    """Mounts an empty file system in memory in which all appears that a folder has."""
    original, covered = os.open(folder, os.O_RDONLY | os.O_DIRECTORY), os.open(place, os.O_PATH)
    names = os.listdir(original)
    _mount("tmpfs", place, 0, "tmpfs", f"mode={os.fstat(original).st_mode & 0o7777:o}")
    for name in names:
        with suppress(FileNotFoundError):  # others work in the folder, too: it has gone meanwhile
            kind = os.lstat(name, dir_fd=original).st_mode
            if stat.S_ISLNK(kind):
                os.symlink(os.readlink(name, dir_fd=original), os.path.join(place, name))
            elif os.path.join(folder, name) == place:  # by its name, it is what covers it
                _show(f"/proc/self/fd/{covered}", os.path.join(place, name), kind)
            else:
                _show(f"/proc/self/fd/{original}/{name}", os.path.join(place, name), kind)
    os.close(original)
    os.close(covered)


def _show(source: str, target: str, kind: int) -> None:
    """Makes a file or a folder be seen at a path at which there is nothing yet."""
    is_folder = stat.S_ISDIR(kind)
    if is_folder:
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
    try:
        _mount(source, target, MS_BIND | MS_REC)
    except FileNotFoundError:
        (os.rmdir if is_folder else os.unlink)(target)


def _bind(descriptor: int, target: str) -> None:
    _mount(f"/proc/self/fd/{descriptor}", target, MS_BIND | MS_REC)


def _close(path: str) -> None:
    flags = os.statvfs(path).f_flag
    kept = sum(number for flag, number in KEPT_FLAGS.items() if flags & flag)
    _mount("none", path, MS_BIND | MS_REMOUNT | MS_RDONLY | kept)


def _mount(source: str, target: str, flags: int, kind: str = "", options: str = "") -> None:
    library = ctypes.CDLL(None, use_errno=True)
    words = [os.fsencode(one) if one else None for one in (source, target, kind, options)]
    _check(library.mount(*words[:3], ctypes.c_ulong(flags), words[3]), target)


def _check(result: int, path: str | None = None) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)


def main() -> None:
    mounts, kept, *command = sys.argv[1:]
    enter(load(mounts), json.loads(kept))
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(127)


if __name__ == "__main__":
    main()
