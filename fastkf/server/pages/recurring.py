"""What the pages show of recurring runs."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from fastkf.runs.text import count
from fastkf.server import database as db
from fastkf.server.scheduler import foresee_time

MOST_LISTED = 200
UNITS = {86400: "day", 3600: "hour", 60: "minute"}


def list_recurring_runs(session: Session) -> list[dict]:
    """The recurring runs, the newest first."""
    query = select(db.RecurringRun).order_by(db.RecurringRun.created_at.desc()).limit(MOST_LISTED)
    return [describe_recurring_run(row) for row in session.scalars(query)]


def describe_recurring_run(row: db.RecurringRun) -> dict:
    """What the list and its own page say of one."""
    return {
        "id": row.id,
        "name": row.display_name,
        "pipeline": row.pipeline_name,
        "schedule": describe_schedule(row.trigger),
        "state": "enabled" if row.is_enabled else "disabled",
        "is_enabled": row.is_enabled,
        "error": row.error,
        "count": row.count,
        "last": row.last_at,
        "next": foresee_time(row),
    }


def describe_schedule(trigger: dict) -> str:
    if not trigger:
        return "once, when it is made or enabled"
    if cron := trigger.get("cron_schedule"):
        return f"cron {cron.get('cron')}"
    try:
        seconds = int((trigger.get("periodic_schedule") or {}).get("interval_second") or 0)
    except (TypeError, ValueError):  # another program's
        return "–"
    for unit, name in UNITS.items():
        if seconds > 60 and seconds % unit == 0:
            number = seconds // unit
            return f"every {name}" if number == 1 else f"every {count(number, name)}"
    return f"every {seconds} s"
