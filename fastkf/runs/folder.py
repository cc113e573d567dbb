"""The folder of a run."""

import contextlib
import shutil
from collections.abc import Collection
from pathlib import Path

from fastkf.base import clock
from fastkf.base.errors import UsageError
from fastkf.base.files import check_name, folder_name

LOGS = "logs"  # in the folder of every run
FILE = "run.json"  # in it too, once it runs
MOST_AT_ONCE = 1000  # runs of one name that start within the same second


def make_run_folder(name: str, output: Path | None, home: Path) -> Path:
    """A new folder for one run.

    Args:
        name: of what runs, whatever characters it has.
        output: the folder that was asked for; a new one, home/name/<time>/, when None.

    Raises:
        UsageError: the folder that was asked for has something in it, is another run's that
            starts now, cannot be made, or has a name that is no text.
    """
    parent = home / (folder_name(name) or "run")
    check_name((output or parent).absolute())
    if output is None:
        return make_new_folder(parent)
    try:
        output.mkdir(parents=True, exist_ok=True)
        is_free = not any(output.iterdir())
    except OSError as error:
        raise _cannot_be_made(output, error) from error
    if not (is_free and _claim(output)):
        raise UsageError(f"{output}: not empty", "name a new folder with --output")
    return output


def find_run_folder(named: str, home: Path) -> Path:
    """The folder of a run that is there.

    Args:
        named: the folder, its run.json, a folder of such folders, of which the newest is meant, or
            the name of one in `home`, such as a notebook's; "" for the newest of all.

    Raises:
        UsageError: there is no run.
    """
    if not named:
        if runs := list_run_folders(home):
            return max(runs, key=_order)
        raise UsageError(f"{home}: no run is there yet", "run something: fastkf run NOTEBOOK")
    for place in (Path(named), home / named):
        if place.name == FILE and place.is_file():
            return place.parent
        if (place / FILE).is_file():
            return place
        if runs := [path.parent for path in place.glob(f"*/{FILE}")]:
            return max(runs, key=_order)
    raise UsageError(
        f"{named}: no run is there",
        f"name a run's folder, such as {home}/NAME/TIME, or NAME for the newest run there",
    )


def list_run_folders(home: Path, names: Collection[str] = ()) -> list[Path]:
    """The folders home/<name>/<time>/ with a run, the oldest of each name first; links are none.

    Args:
        names: of what ran; all of them when there are none.
    """
    places = [
        place
        for place in home.glob("*")
        if not (names and place.name not in names) and place.is_dir() and not place.is_symlink()
    ]
    folders = [path.parent for place in places for path in place.glob(f"*/{FILE}")]
    there = [one for one in folders if not one.is_symlink() and not (one / FILE).is_symlink()]
    return sorted(there, key=lambda one: (one.parent.name, _order(one)))


def remove_run_folder(folder: Path) -> None:
    """Removes a run with all that it has written, and its name's folder when it was the last."""
    shutil.rmtree(folder)
    with contextlib.suppress(OSError):  # there are others
        folder.parent.rmdir()


def discard_run_folder(folder: Path) -> None:
    """Removes the folder of a run that does not run after all; it is as it was made."""
    with contextlib.suppress(FileNotFoundError):
        (folder / LOGS).rmdir()
    folder.rmdir()


def _claim(folder: Path) -> bool:
    """Takes an empty folder; False when another run has taken it since it was looked at."""
    try:
        (folder / LOGS).mkdir()
    except FileExistsError:
        return False
    except OSError as error:
        raise _cannot_be_made(folder, error) from error
    return True


def make_new_folder(parent: Path) -> Path:
    """Makes a folder that is named after the time, and that no other process has made.

    Raises:
        UsageError: it cannot be made.
    """
    started = clock.format_name(clock.now())
    for attempt in range(1, MOST_AT_ONCE):
        folder = parent / (started if attempt == 1 else f"{started}_{attempt}")
        try:
            # Made here or refused: a look beforehand would let two runs find the same one free.
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise _cannot_be_made(folder, error) from error
        return folder
    raise UsageError(f"{parent}: {MOST_AT_ONCE} runs in one second", "wait, and run it again")


def _order(folder: Path) -> tuple[str, int]:
    """The order in which `make_new_folder` has made folders: by time, then by its own count."""
    moment, _, count = folder.name.rpartition("_")
    is_counted = count.isdecimal() and moment.count("_") == 1
    return (moment, int(count)) if is_counted else (folder.name, 1)


def _cannot_be_made(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"{folder}: cannot be made the run's folder ({error.strerror})",
        "run it where you may write, or name another folder: --output FOLDER",
    )
