"""Files and folders: written whole, found safely, named as the user sees them."""

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import platformdirs

from fastkf.base.errors import CONTROLS, FastkfError, UsageError
from fastkf.base.plain_data import show_text

LONGEST_NAME = 200  # bytes of a name to which more is added; file systems take 255
PROJECT = "fast-kubeflow"
DRAFTS = ".*.new"  # what `write_bytes` leaves when it is killed
BYTES_OF_A_FILE = 64 * 1024  # what no file system gives in smaller pieces
BYTES_OF_AN_END = 256 * 1024  # of a log
FORMER_PROJECT = "fastkf"  # where the object store was kept at first
OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO
BYTES_OF_A_PRIVATE_FILE = 65_536  # a token, a note


class NotPrivateError(FastkfError):
    """A file that must be this user's alone is not.

    Attributes:
        is_own: whether it is this user's, though open to others.
    """

    def __init__(self, path: Path, problem: str, is_own: bool = False):
        here = "delete it, or use a folder of your own, on a file system that keeps permissions"
        own = f"if nobody has changed it: chmod 600 {path}; otherwise delete it"
        super().__init__(f"{path}: {problem}, so it is not trusted", own if is_own else here)
        self.is_own = is_own


def write_text(path: Path, text: str, mode: int | None = None) -> None:
    """Writes a text file in UTF-8 as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"), mode)


def write_bytes(path: Path, content: bytes, mode: int | None = None) -> None:
    """Writes a file as a whole: whoever reads it, or is interrupted, finds the old one or this.

    Args:
        path: the file; its folder exists.
        content: all of its bytes.
        mode: its permission bits, such as 0o600; those of any new file when None.

    Raises:
        OSError: the folder is missing, full or closed to the user.
    """
    # In the same folder, or the replacement would not be one step; short, whatever the file's name.
    draft = path.with_name(DRAFTS.replace("*", secrets.token_hex(8)))
    # A file with secrets must never be open to others, not for a moment before a chmod.
    first_mode = 0o666 if mode is None else 0o600
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, first_mode)
        with open(descriptor, "wb") as file:
            file.write(content)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
        os.replace(draft, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        if isinstance(error, OSError) and error.errno:
            # With the name that the user knows.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_new(path: Path, content: bytes) -> bool:
    """Writes a file as a whole where there is none; False, and nothing done, where there is one.

    Raises:
        OSError: as `write_bytes`.
    """
    if os.path.lexists(path):
        return False
    draft = path.with_name(DRAFTS.replace("*", secrets.token_hex(8)))
    write_bytes(draft, content)
    try:
        os.link(draft, path)  # unlike a replacement, it fails when another was quicker
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def remove_folder(folder: Path) -> None:
    """Removes a folder with all in it, as far as that can be done, read-only folders too."""
    for place, names, _ in os.walk(folder):
        for one in (os.path.join(place, name) for name in names):
            if not os.path.islink(one):
                with contextlib.suppress(OSError):
                    os.chmod(one, stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)


def lacks_space(error: BaseException) -> bool:
    """Whether an error says that a disk is full, or the user's share of it."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def is_full(folder: Path) -> bool:
    """Whether the file system of a folder has no room for another file."""
    try:
        found = os.statvfs(folder)
    except OSError:  # it is not there, or not to be seen
        return False
    has_no_files_left = bool(found.f_files) and not found.f_favail
    return found.f_bavail * found.f_frsize < BYTES_OF_A_FILE or has_no_files_left


def read_private(path: Path) -> str | None:
    """The text of a small file that is this user's and closed to all others.

    Returns:
        The text; None when there is no such file.

    Raises:
        NotPrivateError: it is another user's, open to others, or no plain file.
        OSError: it cannot be read.
    """
    # Another user may have put a link to elsewhere there, or a pipe that nobody writes to.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EACCES, errno.ENXIO):
            raise NotPrivateError(path, f"cannot be opened ({error.strerror})") from error
        raise
    try:
        _check_private(path, os.fstat(descriptor))
        return os.read(descriptor, BYTES_OF_A_PRIVATE_FILE).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def _check_private(path: Path, status: os.stat_result) -> None:
    is_own = status.st_uid == os.geteuid()
    if not stat.S_ISREG(status.st_mode):
        raise NotPrivateError(path, "is no plain file")
    if not is_own:
        raise NotPrivateError(path, "is another user's")
    if status.st_mode & OPEN_TO_OTHERS:
        raise NotPrivateError(path, "is open to other users", is_own)


def check_name(path: Path) -> Path:
    """The path, when its name is text: it goes into records, messages and pages.

    Raises:
        UsageError: it holds bytes that are no UTF-8, which Linux allows.
    """
    if show_text(str(path)) != str(path):
        raise UsageError(f"{show_text(str(path))}: a name that is no text in UTF-8", "rename it")
    return path


def folder_name(name: str) -> str:
    """A name from elsewhere as that of one folder: without what would lead out of its place.

    Nor does it hold a colon, which PATH, PYTHONPATH and Docker's volumes take for an end.
    """
    made = re.sub(rf"[/:\\{CONTROLS}]", "_", name).strip()
    if made.strip(".") == "":
        made = made.replace(".", "_")
    return made.encode("utf-8")[:LONGEST_NAME].decode("utf-8", "ignore")


def open_inside(folder: Path, *parts: str) -> BinaryIO | None:
    """Opens a regular file below a folder for reading, and follows no link on the way to it.

    The folder is one that another process writes to: a name that leads inside now may lead
    elsewhere a moment later. So each part is opened in the one before it, never by its path.

    Args:
        folder: whose own path is trusted.
        parts: the name of the file, in one part or several; not trusted.

    Returns:
        The file; None when there is none, or it is a link, a pipe or a device.
    """
    *folders, name = "/".join(parts).split("/")
    if "\0" in name or any(one in ("", ".", "..") for one in (*folders, name)):
        return None
    try:
        with contextlib.ExitStack() as stack:
            place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, place)
            for one in folders:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                place = os.open(one, flags, dir_fd=place)
                stack.callback(os.close, place)
            # Not to wait for whoever would write to a pipe.
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
            if stat.S_ISREG(os.fstat(file).st_mode):
                return os.fdopen(file, "rb")
            os.close(file)
    except (OSError, ValueError):  # none there, or no name of a file here
        pass
    return None


def read_inside(folder: Path, name: str, largest: int) -> bytes:
    """All of a file that `open_inside` opens.

    Raises:
        OSError: it is no file, or larger than so many bytes.
    """
    file = open_inside(folder, name)
    if file is None:
        raise OSError("no file that can be read, or a link")
    with file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise OSError(f"larger than {largest:,} bytes")
    return content


def read_ends(file: BinaryIO, most: int = BYTES_OF_AN_END) -> tuple[bytes, int, bytes]:
    """The beginning and the end of a file, so that a large one costs no memory.

    Args:
        file: at its beginning; it may still grow.
        most: bytes of each end.

    Returns:
        The beginning, how many bytes after it are left out, and the end; all of a file that is not
        longer than both ends is in the first.
    """
    size = os.fstat(file.fileno()).st_size
    if size <= 2 * most:
        return file.read(2 * most), 0, b""
    head = file.read(most)
    file.seek(size - most)
    return head, size - 2 * most, file.read(most)


def read_end(path: Path) -> str:
    """The last BYTES_OF_AN_END of a text file, "" of one that is not there."""
    try:
        with path.open("rb") as file:
            head, _, tail = read_ends(file)
    except FileNotFoundError:
        return ""
    return (tail or head)[-BYTES_OF_AN_END:].decode("utf-8", errors="replace")


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a text file, each without its end; one that is too long comes in parts."""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        while line := file.readline(BYTES_OF_AN_END):
            yield from line.splitlines()


def shown_path(path: Path) -> str:
    """The path as seen from the working folder, when it is below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def user_folder(name: str) -> Path:
    """The folder in which a part of the toolkit keeps the user's data, which need not exist.

    Data that are in the former place are used where they are.
    """
    folder = platformdirs.user_data_path(PROJECT) / name
    former = platformdirs.user_data_path(FORMER_PROJECT) / name
    return former if former.exists() and not folder.exists() else folder


def is_user_folder(path: Path) -> bool:
    """Whether a path is on the way to the folders of `user_folder`, or below them."""
    kept = [platformdirs.user_data_path(name) for name in (PROJECT, FORMER_PROJECT)]
    return any(path.is_relative_to(one) or one.is_relative_to(path) for one in kept)
