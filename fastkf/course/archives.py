"""The forms in which Python packages are published, and how to read single files of one."""

import tarfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Form:
    """One form.

    Attributes:
        ending: how the name of its file ends.
        options: what makes `pip download` fetch this form and no other.
        read: the bytes of some members of such a file, in their order.
    """

    ending: str
    options: tuple[str, ...]
    read: Callable[[Path, Iterable[str]], list[bytes]]


def read_wheel(path: Path, members: Iterable[str]) -> list[bytes]:
    with zipfile.ZipFile(path) as archive:
        return [archive.read(member) for member in members]


def read_source_archive(path: Path, members: Iterable[str]) -> list[bytes]:
    """The members, named from the folder on that every source archive has around its files.

    Raises:
        KeyError: there is no file of that name.
    """
    with tarfile.open(path) as archive:
        root = archive.getnames()[0].split("/")[0]
        files = [archive.extractfile(f"{root}/{member}") for member in members]
        return [file.read() for file in files if file]


# pip builds no environment for setup.py to run in: it would download what that needs.
FORMS = {
    "wheel": Form(".whl", ("--only-binary=:all:",), read_wheel),
    "sdist": Form(".tar.gz", ("--no-binary=:all:", "--no-build-isolation"), read_source_archive),
}
