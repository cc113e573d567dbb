"""Which process serves the store of a folder: a note among the user's own data.

Not in the store's folder, which may be removed while the process goes on. And nothing that looks
like a store's server is taken for one: any user of the machine can give a process any command line.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from fastkf.base.files import NotPrivateError, read_private, user_folder, write_text
from fastkf.base.identity import ProcessIdentity


@dataclass(frozen=True)
class ServerNote:
    """A store's server, as its start noted it.

    Attributes:
        ports: by the names of `weed.PORTS`.
    """

    process: ProcessIdentity
    ports: dict[str, int]


def read(folder: Path) -> ServerNote | None:
    """The server of a store's folder, if its process lives; None when it does not."""
    try:
        content = json.loads(read_private(_place(folder)) or "{}")
        process = ProcessIdentity(int(content["pid"]), float(content["started"]))
        ports = {str(name): int(port) for name, port in content["ports"].items()}
    except (OSError, NotPrivateError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return ServerNote(process, ports) if process.is_own() else None


def write(folder: Path, pid: int, ports: dict[str, int]) -> ServerNote:
    """Notes the process that was started for a folder."""
    process = ProcessIdentity.of(pid)
    content = {"folder": str(folder), "ports": ports, **asdict(process)}
    place = _place(folder)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_text(place, json.dumps(content) + "\n", 0o600)
    return ServerNote(process, ports)


def remove(folder: Path) -> None:
    """Takes back what `write` has noted."""
    _place(folder).unlink(missing_ok=True)


def _place(folder: Path) -> Path:
    name = hashlib.sha256(bytes(folder)).hexdigest()[:16]
    return user_folder("stores") / f"{name}.json"
