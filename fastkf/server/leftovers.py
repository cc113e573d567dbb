"""What a server that was killed has left in its folder, and nothing in the database knows of."""

import logging
import shutil
import uuid
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from fastkf.base.clock import format_name, now
from fastkf.base.files import DRAFTS
from fastkf.runs.cache import Store
from fastkf.server import database as db
from fastkf.server.settings import Settings


def remove(settings: Settings, session: Session) -> None:
    """Removes folders of runs and packages of versions that no row is of.

    No client was told of them, or it was told that they are deleted: the rows come first. What no
    server has named is somebody's own, such as the runs of `fastkf run` in the same folder.
    """
    known = {*session.scalars(select(db.Run.id)), *session.scalars(select(db.PipelineVersion.id))}
    packages = settings.version_file("any").parent
    for path in (*settings.run_folder("any").parent.iterdir(), *packages.iterdir()):
        if _is_id(path.stem) and path.stem not in known:
            _remove(path)
    for path in (*settings.folder.glob(DRAFTS), *packages.glob(DRAFTS)):
        _remove(path)
    Store.of_server(settings.folder).forget_lost()


def _is_id(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def set_aside(settings: Settings) -> None:
    """Keeps the runs and packages of a database that is not there any more, beside the new ones."""
    if settings.database.exists():
        return
    for path in (settings.run_folder("any").parent, settings.version_file("any").parent):
        if path.exists() and any(path.iterdir()):
            kept = path.with_name(f"{path.name}-until-{format_name(now())}")
            path.rename(kept)
            logging.warning("%s: no database knows of what is there; kept as %s", path, kept.name)
