"""Where `fastkf server` keeps its files, and how it says where it is to whoever looks for it."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from fastkf.base import files
from fastkf.base.errors import FastkfError

VARIABLE = "FASTKF_SERVER"
FILE = "server.json"


@dataclass(frozen=True)
class LocalServer:
    """A server that runs on this machine, as server.json in its folder tells it.

    Attributes:
        url: its address for programs on this machine.
        token_file: holds the bearer token that every user of this machine but its own must send.
        pid: of its process; None where an older version did not write it.
    """

    url: str
    token_file: Path
    pid: int | None = None


def default_folder() -> Path:
    """The data folder that the variable names, or one in the user's own data folder."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else files.user_folder("server")


def read(folder: Path) -> LocalServer | None:
    """The server that works in a data folder; None when none does, as far as its note says.

    A server that was killed has left its note: whether it answers, only a request shows.

    Raises:
        FastkfError: the note is there, and damaged.
    """
    note = folder / FILE
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
        return LocalServer(content["url"], Path(content["token_file"]), content.get("pid"))
    except OSError:
        return None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise FastkfError(
            f"{note}: does not say where the server is", "delete it, and start the server again"
        ) from error


def write(folder: Path, server: LocalServer) -> None:
    """Says where a server is, for as long as it serves; see `remove`."""
    content = {"url": server.url, "pid": server.pid, "token_file": str(server.token_file)}
    files.write_text(folder / FILE, json.dumps(content) + "\n", mode=0o600)


def remove(folder: Path) -> None:
    """Takes back what `write` has said."""
    (folder / FILE).unlink(missing_ok=True)
