"""What a command needs of the process that it is called in."""

import codecs
import contextlib
import io
import os
import resource
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from fastkf.base.errors import UsageError
from fastkf.base.files import check_name
from fastkf.base.plain_data import show_text

STDOUT, OUTPUT = 1, "standard output"
INTERRUPTED = 130  # the exit code after Ctrl-C
FEWEST_FILES = 64  # a run has some 40 open
ENOUGH_FILES = 1024
OWNERS_RIGHTS = 0o700
ANY_TEXT = "fastkf-any-text"
IN_ASCII = {"✓": "+", "✗": "x", "–": "-", "…": "...", "→": "->", "·": "*", "’": "'"}


def open_streams() -> None:
    """Opens those of the three standard streams that are closed on /dev/null, as daemons do.

    To be called first: the next file that is opened would take their place.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    register()
    sys.stdout = _name_output(sys.stdout)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Refused by a stream that took its file for a disk's, and has had it exchanged.
            with contextlib.suppress(OSError):
                stream.reconfigure(errors=ANY_TEXT)


class StandardOutput(io.FileIO):
    """Standard output: an error names it, and comes once; what is written after it is dropped.

    Otherwise Python would write again what it still holds when it ends, and end with a traceback.
    """

    _is_lost = False

    def write(self, content: Any, /) -> int:
        size = memoryview(content).nbytes
        if self._is_lost or not size:  # nothing is what Typer tries a stream with
            return size
        try:
            return super().write(content)
        except OSError as error:
            self._is_lost = True
            raise OSError(error.errno, error.strerror, OUTPUT) from error


def _name_output(stream: TextIO) -> TextIO:
    """The same stream by way of `StandardOutput`, where it is that of the process."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    with contextlib.suppress(OSError):  # a stream in memory has no number
        if stream.fileno() == STDOUT:
            output = StandardOutput(STDOUT, "w", closefd=False)
            is_buffered = isinstance(stream.buffer, io.BufferedIOBase)  # not with python -u
            return io.TextIOWrapper(
                io.BufferedWriter(output) if is_buffered else output,
                encoding=stream.encoding,
                errors=stream.errors,
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            )
    return stream


def register() -> None:
    """Makes ANY_TEXT a name for `encode_any` that streams know."""
    codecs.register_error(ANY_TEXT, encode_any)


def encode_any(error: UnicodeError) -> tuple[str | bytes, int]:
    """What is written of text that the encoding of a stream does not have (a codec's handler).

    A byte of a file's name that is no UTF-8 is written as it is; of the marks, what is like them
    in ASCII; of all else, a question mark.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written = b""
    for sign in error.object[error.start : error.end]:
        if "\udc80" <= sign <= "\udcff":
            written += bytes([ord(sign) - 0xDC00])
        else:
            written += IN_ASCII.get(sign, "?").encode("ascii")
    return written, error.end


def check_names(arguments: Iterable[object]) -> None:
    """Refuses words that are no text, as the name of a file may be.

    Raises:
        UsageError: a word, or a path, holds bytes that are no UTF-8.
    """
    for word in words_of(arguments):
        if isinstance(word, Path) or os.path.lexists(word):
            check_name(Path(word))
        elif show_text(word) != word:
            raise UsageError(f"{show_text(word)}: no text in UTF-8")


def words_of(arguments: Iterable[object]) -> Iterator[str | Path]:
    """The texts and paths that a command was called with."""
    for argument in arguments:
        for word in argument if isinstance(argument, list) else [argument]:
            if isinstance(word, str | Path):
                yield word


def check_limits() -> None:
    """Raises the limit on open files, where it is low and may be raised.

    Raises:
        UsageError: nothing can be done with the limits that this process has.
    """
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < ENOUGH_FILES:
        files = ENOUGH_FILES if most == resource.RLIM_INFINITY else min(ENOUGH_FILES, most)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    if files < FEWEST_FILES:
        raise UsageError(
            f"this process may have {files} files open at a time, and needs {FEWEST_FILES}",
            f"allow more: ulimit -n {ENOUGH_FILES}",
        )
    mask = os.umask(OWNERS_RIGHTS)
    os.umask(mask)
    if mask & OWNERS_RIGHTS:
        raise UsageError(
            f"the umask {mask:03o} takes the right to what is written from you too",
            "set another: umask 022",
        )
