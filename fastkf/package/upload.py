"""The YAML in a file that anyone may have sent: read in memory, within limits, never unpacked."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterable
from typing import Any

import yaml

from fastkf.package.errors import PackageError, PackageTooLargeError

MEGABYTE = 1024 * 1024
LARGEST_PACKAGE = 4 * MEGABYTE  # the YAML; one of a lab has 60 kB
MOST_NODES = 100_000  # what the YAML stands for, with its aliases written out
DEEPEST = 100
MOST_MEMBERS = 1_000  # of an archive
START = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
END = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


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
        _measure(yaml.parse(text, Loader=yaml.CSafeLoader))
        return load_yaml(text)
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise _no_package(f"bad YAML: {describe_yaml_error(error)}") from error


def load_yaml(text: str) -> list[Any]:
    """The documents of a YAML text; raises what PyYAML raises."""
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


def describe_yaml_error(error: Exception) -> str:
    """What is wrong with a YAML text, in one line, with its place where that is known."""
    mark = getattr(error, "problem_mark", None)
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    reason = getattr(error, "problem", None) or (str(error).strip().splitlines() or [""])[0]
    return f"{reason or type(error).__name__}{place}"


def _measure(events: Iterable[yaml.Event]) -> None:
    """Raises when the document is too large or too deep with its aliases written out."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    nodes = 0
    for event in events:
        if isinstance(event, START):
            open_nodes.append((event.anchor, nodes))
        if isinstance(event, yaml.AliasEvent):
            # An alias inside its own anchor (a loop) is not in `sizes` yet.
            nodes += sizes.get(event.anchor or "", MOST_NODES)
        elif isinstance(event, (*START, yaml.ScalarEvent)):
            nodes += 1
            if isinstance(event, yaml.ScalarEvent) and event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, END):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = nodes - before
        if nodes > MOST_NODES or len(open_nodes) > DEEPEST:
            raise _no_package(
                f"the YAML has more than {MOST_NODES} values or {DEEPEST} levels (aliases count as "
                "what they stand for)"
            )


def _read_zip(content: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            name = _choose([one.filename for one in archive.infolist() if not one.is_dir()])
            with archive.open(name) as member:
                return member.read(LARGEST_PACKAGE + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise _no_package(f"the .zip cannot be read ({error})") from error


def _read_tar(content: bytes) -> bytes:
    """The only YAML, or pipeline.yaml, of a .tar.gz; unpacks in memory up to a limit."""
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            unpacked = stream.read(2 * LARGEST_PACKAGE + 1)
        if len(unpacked) > 2 * LARGEST_PACKAGE:
            raise _too_large("the .tar.gz, unpacked,")
        with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
            name = _choose([member.name for member in archive if member.isfile()])
            member = archive.extractfile(name)
            return member.read(LARGEST_PACKAGE + 1) if member else b""
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError) as error:
        raise _no_package(f"the .tar.gz cannot be read ({error})") from error


def _choose(names: list[str]) -> str:
    """As the KFP SDK chooses: pipeline.yaml, or the only YAML there is."""
    if len(names) > MOST_MEMBERS:
        raise _no_package(f"the archive has more than {MOST_MEMBERS} files")
    found = [name for name in names if name.endswith((".yaml", ".yml"))]
    if "pipeline.yaml" in found:
        return "pipeline.yaml"
    if len(found) != 1:
        problem = "no YAML file" if not found else "several YAML files and none is pipeline.yaml"
        raise _no_package(f"the archive has {problem}")
    return found[0]


def _no_package(reason: str) -> PackageError:
    return PackageError(f"not a pipeline package: {reason}")


def _too_large(what: str) -> PackageTooLargeError:
    return PackageTooLargeError(f"{what} is larger than {LARGEST_PACKAGE // MEGABYTE} MB")
