"""What every command does around its own work."""

import errno
import functools
import inspect
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from fastkf.base.errors import FastkfError, write_controls
from fastkf.base.files import is_full, is_user_folder, lacks_space
from fastkf.base.signals import interrupt, on_end
from fastkf.cli.display import Display, open_console
from fastkf.cli.extras import require
from fastkf.cli.process import INTERRUPTED, check_limits, check_names, words_of
from fastkf.runs.text import clean_text

OWN_FOLDER = "use a file and a folder that are yours (ls -ld shows whose they are)"
REMEDIES = {
    errno.EACCES: OWN_FOLDER,
    errno.EPERM: OWN_FOLDER,
    errno.EROFS: "nothing can be written to this disk: use a folder of another one",
    errno.ENOSPC: "make room on the disk; `fastkf clean` removes old runs",
}
OWN_HOME = "your data are kept there: set HOME, or XDG_DATA_HOME, to a folder of your own"
HAS_NO_HOME = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR)
DEBUG_VARIABLE = "FASTKF_DEBUG"


def command(
    extra: str | None = None, name: str | None = None
) -> Callable[[Callable[..., bool | None]], Callable[..., None]]:
    """Makes a function a command: it returns False when its work failed, and raises FastkfError.

    SIGTERM and a terminal that is closed end it as Ctrl-C does. What it raises becomes one line,
    and with FASTKF_DEBUG=1 a traceback too. A parameter `display` is the terminal, and no option.

    Args:
        extra: the extra of this package that it needs.
        name: as it is typed, where that is not the function's name.
    """

    def wrap(function: Callable[..., bool | None]) -> Callable[..., None]:
        typed = name or function.__name__
        signature = inspect.signature(function)
        options = [one for key, one in signature.parameters.items() if key != "display"]

        @functools.wraps(function)
        def run(*args: object, **kwargs: object) -> None:
            on_end(interrupt)
            # With --json, standard output is for the data alone.
            console = open_console(sys.stderr) if kwargs.get("as_json") else None
            terminal = {"display": Display(console)} if "display" in signature.parameters else {}
            try:
                check_limits()
                check_names([*args, *kwargs.values()])
                if extra:
                    require(extra, typed)
                succeeded = function(*args, **kwargs, **terminal)
            except BrokenPipeError:  # whoever read the output has enough: Typer ends quietly
                raise
            except (FastkfError, OSError, KeyboardInterrupt) as error:
                raise typer.Exit(report(error, [*args, *kwargs.values()])) from error
            raise typer.Exit(1 if succeeded is False else 0)

        run.__signature__ = signature.replace(parameters=options)  # type: ignore[attr-defined]
        return run

    return wrap


def report(
    error: FastkfError | OSError | KeyboardInterrupt, arguments: Iterable[object] = ()
) -> int:
    """Tells the user what ended a command; the exit code.

    Args:
        arguments: what the command was called with: a line break in a name is no end of a line.
    """
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    if isinstance(error, FastkfError):
        text, code = str(error), error.exit_code
    elif isinstance(error, OSError):
        text, code = _describe(error), 1
    else:
        text, code = "interrupted", INTERRUPTED
    for name in {Path(word).name for word in words_of(arguments)}:
        text = text.replace(name, write_controls(name)) if name else text
    print(f"fastkf: {clean_text(text)}", file=sys.stderr)
    return code


def _describe(error: OSError) -> str:
    place, remedy = error.filename, REMEDIES.get(error.errno or 0)
    if place is None and lacks_space(error):  # of a file that is open, the system tells no name
        here = {"this folder": Path(), tempfile.gettempdir(): Path(tempfile.gettempdir())}
        place = " and ".join(name for name, folder in here.items() if is_full(folder))
    if error.errno in HAS_NO_HOME and isinstance(place, str) and is_user_folder(Path(place)):
        remedy = OWN_HOME
    return f"{place or 'a file'}: {error.strerror or error}" + (f"; {remedy}" if remedy else "")
