"""Files that a user has named for what a command makes."""

import errno
import os
import stat
from pathlib import Path

from fastkf.base.errors import UsageError
from fastkf.base.files import write_bytes

WRONG_PLACE = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG,
    errno.EACCES, errno.EPERM, errno.EROFS,
}  # fmt: skip


def write_named(path: Path, content: bytes, mode: int | None = None) -> None:
    """Writes the file that the user has named, whole; of a link, the file that it leads to.

    Not for a path that anybody else chooses, or a place that anybody else fills: a link there could
    lead to any file of the user's.

    Args:
        path: the file; its permissions stay, and what is no file, such as a pipe, takes the bytes.
        content: all of its bytes.
        mode: the permission bits of a new file; the usual ones when None.

    Raises:
        UsageError: it cannot be written there.
        OSError: it has no room, or the disk a fault.
    """
    target = Path(os.path.realpath(path))
    try:
        status = target.stat() if os.path.lexists(target) else None
        if status is None or stat.S_ISREG(status.st_mode):
            write_bytes(target, content, stat.S_IMODE(status.st_mode) if status else mode)
        else:
            target.write_bytes(content)
    except OSError as error:
        raise cannot_be_written(path, error) from error


def check_inside(path: Path, folder: Path) -> None:
    """Refuses a file that somebody else may have named, where links lead out of the folder.

    Raises:
        UsageError: they do.
    """
    target = Path(os.path.realpath(path))
    if not target.is_relative_to(os.path.realpath(folder)):
        raise UsageError(
            f"{path}: leads by a link to {target}, out of {folder.absolute()}, so nothing is "
            "written there",
            "remove the link",
        )


def cannot_be_written(path: Path, error: OSError) -> UsageError | OSError:
    """Why what the user has named cannot be an output; of a full disk, that it is so."""
    if error.errno not in WRONG_PLACE:
        return OSError(error.errno, error.strerror or str(error), str(path))
    if error.errno == errno.ENOENT:
        return UsageError(f"{path}: there is no folder {path.parent}", "make it, or name another")
    return UsageError(f"{path}: cannot be written ({error.strerror})", "name another place")
