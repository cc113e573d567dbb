"""The newest runs, for lists that are read from the runs' records."""

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from fastkf.server import database as db


def list_newest(session: Session, first: db.Run | None, most: int) -> list[db.Run]:
    """The newest runs, by an index.

    Args:
        first: the run to begin with; the newest when None.
        most: how many runs.
    """
    query = select(db.Run).order_by(db.Run.created_at.desc(), db.Run.id.desc()).limit(most)
    if first is not None:
        created_at = select(db.Run.created_at).where(db.Run.id == first.id).scalar_subquery()
        query = query.where(tuple_(db.Run.created_at, db.Run.id) <= tuple_(created_at, first.id))
    return list(session.scalars(query))
