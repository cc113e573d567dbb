"""The YAML in a file that anyone may have sent: read in memory, within limits, never unpacked."""

import gzip
import io
import tarfile
import zipfile
import zlib
from typing import Any

from fastkf.base.errors import first_line, shorten
from fastkf.base.yaml_text import Limits, YamlError, read_yaml
from fastkf.package.errors import PackageError, PackageTooLargeError

MEGABYTE = 1024 * 1024
LARGEST_PACKAGE = 4 * MEGABYTE  # the YAML; one of a lab has 60 kB
OF_STRANGER = Limits(LARGEST_PACKAGE, values=100_000, levels=100, seconds=10)
MOST_MEMBERS = 1_000  # of an archive
# What Python's readers of archives raise where one is broken; RuntimeError for a password too.
BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    LookupError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def read_upload(content: bytes) -> list[Any]:
    """The documents of an uploaded file: YAML, or a .zip or .tar.gz with one YAML in it.

    Raises:
        PackageError: it is none of them, or too deep; says why.
        PackageTooLargeError: it is larger than LARGEST_PACKAGE, unpacked.
    """
    if content.startswith(b"PK\x03\x04"):
        content = _read_zip(content)
    elif content.startswith(b"\x1f\x8b"):
        content = _read_tar(content)
    if len(content) > LARGEST_PACKAGE:
        raise _too_large("the package")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _no_package("neither text (UTF-8), .zip nor .tar.gz") from error
    try:
        return read_yaml(text, OF_STRANGER)
    except YamlError as error:
        raise _no_package(f"bad YAML: {error}") from error


def _read_zip(content: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = [one for one in archive.infolist() if not one.is_dir()]
            member = files[_choose([one.filename for one in files])]
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise _no_package("the .zip is not compressed as .zip files mostly are (deflate)")
            with archive.open(member) as file:
                return file.read(LARGEST_PACKAGE + 1)
    except BROKEN as error:
        raise _no_package(f"the .zip cannot be read ({first_line(error)})") from error


def _read_tar(content: bytes) -> bytes:
    """The only YAML, or pipeline.yaml, of a .tar.gz; unpacks in memory up to a limit."""
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            unpacked = stream.read(2 * LARGEST_PACKAGE + 1)
        if len(unpacked) > 2 * LARGEST_PACKAGE:
            raise _too_large("the .tar.gz, unpacked,")
        # "r:", or tarfile would unpack what is compressed a second time, without a limit.
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            members = [member for member in archive if not member.isdir()]
            member = members[_choose([member.name for member in members])]
            file = archive.extractfile(member) if member.isreg() else None
            if file is None:
                raise _no_package(
                    f"the archive has no YAML file: {member.name} is a link or a device"
                )
            return file.read(LARGEST_PACKAGE + 1)
    except BROKEN as error:
        raise _no_package(f"the .tar.gz cannot be read ({first_line(error)})") from error


def _choose(names: list[str]) -> int:
    """Which of an archive's members is read: pipeline.yaml, or the only YAML, as the KFP SDK does.

    Raises:
        PackageError: there is none, or it is not clear which.
    """
    if len(names) > MOST_MEMBERS:
        raise _no_package(f"the archive has more than {MOST_MEMBERS} files")
    found = [name for name in names if name.endswith((".yaml", ".yml"))]
    name = "pipeline.yaml" if "pipeline.yaml" in found or len(found) != 1 else found[0]
    if not found or name not in found:
        problem = "no YAML file" if not found else "several YAML files and none is pipeline.yaml"
        raise _no_package(f"the archive has {problem}")
    if found.count(name) > 1:
        raise _no_package(f"the archive has {name} more than once")
    return names.index(name)


def _no_package(reason: str) -> PackageError:
    return PackageError(f"not a pipeline package: {shorten(reason)}")


def _too_large(what: str) -> PackageTooLargeError:
    return PackageTooLargeError(f"{what} is larger than {LARGEST_PACKAGE // MEGABYTE} MB")
