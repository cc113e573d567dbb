"""Rows of the database as the JSON of the Kubeflow Pipelines API.

A field that has no value is left out, as the API leaves out the defaults of its messages. Kale's
panel depends on that: an empty next_page_token would have it ask for pages for ever.
"""

from collections.abc import Callable
from typing import Any

from fastkf.server import database as db
from fastkf.server.pagination import Page
from fastkf.server.runs import NAMESPACE, SERVICE_ACCOUNT, tell_time, told_state

Json = dict[str, Any]
NEVER = "1970-01-01T00:00:00Z"  # of a time that has not come yet
ERROR = 13  # google.rpc.Code.INTERNAL


def run(row: db.Run, tasks: list[Json], spec: Json | None) -> Json:
    """One run.

    Args:
        tasks: its `task_details`.
        spec: the package, of a run that was not made from a pipeline version.
    """
    reference = row.pipeline_version_id and _make(
        pipeline_id=row.pipeline_id, pipeline_version_id=row.pipeline_version_id
    )
    return _make(
        experiment_id=row.experiment_id,
        run_id=row.id,
        display_name=row.display_name,
        storage_state=row.storage_state,
        description=row.description,
        pipeline_spec=None if reference else spec,
        pipeline_version_reference=reference,
        runtime_config=_make(parameters=row.parameters, pipeline_root=row.pipeline_root),
        service_account=row.service_account or SERVICE_ACCOUNT,
        created_at=tell_time(row.created_at),
        scheduled_at=tell_time(row.scheduled_at),
        finished_at=tell_time(row.finished_at) if row.finished_at else NEVER,
        state=told_state(row.state),
        error=error(row.error),
        run_details=_make(task_details=tasks),
        recurring_run_id=row.recurring_run_id,
        state_history=[_status(one) for one in row.state_history if isinstance(one, dict)],
    )


def recurring_run(row: db.RecurringRun) -> Json:
    return _make(
        recurring_run_id=row.id,
        display_name=row.display_name,
        description=row.description,
        pipeline_spec=row.spec,
        pipeline_version_reference=_make(
            pipeline_id=row.pipeline_id, pipeline_version_id=row.pipeline_version_id
        ),
        runtime_config=_make(parameters=row.parameters, pipeline_root=row.pipeline_root),
        service_account=row.service_account,
        max_concurrency=str(row.max_concurrency),
        trigger=row.trigger,
        mode="ENABLE" if row.is_enabled else "DISABLE",
        created_at=tell_time(row.created_at),
        updated_at=tell_time(row.updated_at),
        status=row.status,
        error=error(row.error),
        no_catchup=row.no_catchup or None,
        namespace=NAMESPACE,
        experiment_id=row.experiment_id,
    )


def experiments(page: Page) -> Json:
    return list_of("experiments", page, experiment)


def pipelines(page: Page) -> Json:
    return list_of("pipelines", page, pipeline)


def versions(page: Page) -> Json:
    return list_of("pipeline_versions", page, lambda row: version(row, row.spec))


def list_of(field: str, page: Page, convert: Callable[[Any], Json]) -> Json:
    """The answer with a page of a list; {} where there is nothing."""
    rows = [convert(row) for row in page.rows]
    return _make(**{field: rows}, total_size=page.total, next_page_token=page.next_token)


def _make(**fields: Any) -> Json:
    """A message: what has a value, or may be nothing and says so."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [], 0)}


def experiment(row: db.Experiment) -> Json:
    return _make(
        experiment_id=row.id,
        display_name=row.display_name,
        description=row.description,
        namespace=row.namespace,
        created_at=tell_time(row.created_at),
        last_run_created_at=tell_time(row.last_run_created_at)
        if row.last_run_created_at
        else NEVER,
        storage_state=row.storage_state,
    )


def pipeline(row: db.Pipeline) -> Json:
    return _make(
        pipeline_id=row.id,
        name=row.name,
        display_name=row.display_name,
        description=row.description,
        namespace=row.namespace,
        tags=row.tags,
        created_at=tell_time(row.created_at),
    )


def version(row: db.PipelineVersion, spec: Json | None) -> Json:
    return _make(
        pipeline_id=row.pipeline_id,
        pipeline_version_id=row.id,
        name=row.name,
        display_name=row.display_name,
        description=row.description,
        code_source_url=row.code_source_url,
        tags=row.tags,
        created_at=tell_time(row.created_at),
        pipeline_spec=spec,
    )


def error(message: str | None) -> Json | None:
    return {"code": ERROR, "message": message} if message else None


def _status(entry: Json) -> Json:
    return _make(
        update_time=_without_fraction(entry.get("update_time")),
        state=told_state(entry.get("state")),
        error=error(entry.get("error")),
    )


def _without_fraction(time: Any) -> Any:
    """A time of a history as the API tells it; older servers have kept milliseconds."""
    return f"{time.partition('.')[0]}Z" if isinstance(time, str) and "." in time else time
