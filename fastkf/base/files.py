"""Files and folders: written whole, found safely, named as the user sees them."""

import os
import secrets
from pathlib import Path

import platformdirs

PROJECT = "fast-kubeflow"
DRAFTS = ".*.new"  # what `write_bytes` leaves when it is killed
BYTES_OF_A_FILE = 64 * 1024  # what no file system gives in smaller pieces
FORMER_PROJECT = "fastkf"  # where the object store was kept at first


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
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, first_mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def is_full(folder: Path) -> bool:
    """Whether the file system of a folder has no room for another file."""
    try:
        found = os.statvfs(folder)
    except OSError:  # it is not there, or not to be seen
        return False
    has_no_files_left = bool(found.f_files) and not found.f_favail
    return found.f_bavail * found.f_frsize < BYTES_OF_A_FILE or has_no_files_left


def find_inside(folder: Path, *parts: str) -> Path | None:
    """A regular file inside a folder, whatever the parts of its name are made of.

    Names come from requests and from what steps wrote, so nothing about them is trusted: absolute
    names, `..`, backslashes, null bytes, and links that lead out of the folder find nothing.

    Returns:
        The resolved path; None when there is no such file, or it is elsewhere.
    """
    name = "/".join(parts)
    if "\0" in name or "\\" in name or name.startswith("/") or ".." in name.split("/"):
        return None
    try:
        path = folder.joinpath(name).resolve(strict=True)
        is_inside = path.is_relative_to(folder.resolve(strict=True))
        return path if is_inside and path.is_file() else None
    except (OSError, RuntimeError):  # a name too long for the system, a circle of links
        return None


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
