"""Rows of the database as the JSON of the Kubeflow Pipelines API, through kfp-server-api's models.

A field that has no value is left out, as the API leaves out the defaults of its messages. Kale's
panel depends on that: an empty next_page_token would have it ask for pages for ever.

The spelling of `state`
-----------------------
The API spells the state of a run RUNNING. Kale's panel (2.3) asks again for a run only while its
state is absent or is exactly `Running`: told RUNNING it takes the run for done at once. So, in the
answers that the panel reads (a run that was just created, and one run asked for by its id)

    RUNNING               is spelled  Running
    PENDING, CANCELING    are left out

and everything else is as in the API: the states of runs that have ended, `state_history` (its last
entry is the real state, here and on a Kubeflow), the runs of a list, the steps' states, and what
filters are compared with. `kfp.Client.wait_for_run_completion` takes both spellings.
"""

from datetime import timedelta

import kfp_server_api as kfp

from fastkf.base.clock import format_utc
from fastkf.runs.model import Run, Step
from fastkf.server import database as db
from fastkf.server.artifacts import Artifact, list_artifacts
from fastkf.server.pagination import Page
from fastkf.server.runs import task_id

CONFIGURATION = kfp.Configuration()
CONFIGURATION.client_side_validation = False
TO_JSON = kfp.ApiClient(CONFIGURATION).sanitize_for_serialization
PANEL_SPELLING = {"RUNNING": "Running", "PENDING": None, "CANCELING": None}


def experiment(row: db.Experiment) -> dict:
    return TO_JSON(_experiment(row))


def pipeline(row: db.Pipeline) -> dict:
    return TO_JSON(_pipeline(row))


def version(row: db.PipelineVersion, spec: dict | None) -> dict:
    return TO_JSON(_version(row, spec))


def run(row: db.Run, kept: Run | None, spec: dict | None) -> dict:
    """One run, as Kale's panel reads it too.

    Args:
        kept: what its run.json tells.
        spec: the package, of a run that was not made from a pipeline version.
    """
    model = _run(row)
    model.state = PANEL_SPELLING.get(row.state, row.state)
    if row.pipeline_version_id is None:
        model.pipeline_spec = spec
    if kept is not None:
        model.run_details = _make("V2beta1RunDetails", task_details=_tasks(row, kept))
    return TO_JSON(model)


def experiments(page: Page) -> dict:
    return _list("V2beta1ListExperimentsResponse", "experiments", page, _experiment)


def pipelines(page: Page) -> dict:
    return _list("V2beta1ListPipelinesResponse", "pipelines", page, _pipeline)


def versions(page: Page) -> dict:
    kind = "V2beta1ListPipelineVersionsResponse"
    return _list(kind, "pipeline_versions", page, lambda row: _version(row, row.spec))


def runs(page: Page) -> dict:
    """Runs without their packages and their steps, which only one run's answer has."""
    return _list("V2beta1ListRunsResponse", "runs", page, _run)


def _list(kind: str, field: str, page: Page, convert) -> dict:
    rows = [convert(row) for row in page.rows] or None
    return TO_JSON(
        _make(kind, **{field: rows}, total_size=page.total, next_page_token=page.next_token)
    )


def _make(kind: str, **fields):
    """A model of kfp-server-api; given no configuration each would build one, which takes time."""
    given = {name: value for name, value in fields.items() if value not in (None, "", {})}
    return getattr(kfp, kind)(**given, local_vars_configuration=CONFIGURATION)


def _experiment(row: db.Experiment):
    return _make(
        "V2beta1Experiment",
        experiment_id=row.id,
        display_name=row.display_name,
        description=row.description,
        namespace=row.namespace,
        created_at=format_utc(row.created_at),
        last_run_created_at=format_utc(row.last_run_created_at or db.EPOCH),
        storage_state=row.storage_state,
    )


def _pipeline(row: db.Pipeline):
    return _make(
        "V2beta1Pipeline",
        pipeline_id=row.id,
        name=row.name,
        display_name=row.display_name,
        description=row.description,
        namespace=row.namespace,
        tags=row.tags,
        created_at=format_utc(row.created_at),
    )


def _version(row: db.PipelineVersion, spec: dict | None):
    return _make(
        "V2beta1PipelineVersion",
        pipeline_id=row.pipeline_id,
        pipeline_version_id=row.id,
        name=row.name,
        display_name=row.display_name,
        description=row.description,
        code_source_url=row.code_source_url,
        tags=row.tags,
        created_at=format_utc(row.created_at),
        pipeline_spec=spec,
    )


def _run(row: db.Run):
    reference = row.pipeline_version_id and _make(
        "V2beta1PipelineVersionReference",
        pipeline_id=row.pipeline_id,
        pipeline_version_id=row.pipeline_version_id,
    )
    runtime = {"parameters": row.parameters, "pipeline_root": row.pipeline_root}
    return _make(
        "V2beta1Run",
        run_id=row.id,
        experiment_id=row.experiment_id,
        display_name=row.display_name,
        description=row.description,
        service_account=row.service_account,
        pipeline_version_reference=reference,
        runtime_config=_make("V2beta1RuntimeConfig", **runtime),
        state=row.state,
        storage_state=row.storage_state,
        state_history=[_status(one) for one in row.state_history if isinstance(one, dict)],
        error=row.error and _error(row.error),
        created_at=format_utc(row.created_at),
        scheduled_at=format_utc(row.scheduled_at),
        finished_at=row.finished_at and format_utc(row.finished_at),
    )


def _status(entry: dict):
    return _make(
        "V2beta1RuntimeStatus",
        update_time=entry.get("update_time"),
        state=entry.get("state"),
        error=entry.get("error") and _error(entry["error"]),
    )


def _error(message: str):
    return _make("GoogleRpcStatus", code=13, message=message)


def _tasks(row: db.Run, kept: Run) -> list:
    made = list(list_artifacts(row.id, kept))
    # A run that was killed with the server could not end its steps.
    steps = kept.steps if row.is_going else [step.end_with_run() for step in kept.steps]
    return [_task(row, step, [one for one in made if one.task == step.task]) for step in steps]


def _task(row: db.Run, step: Step, made: list[Artifact]):
    outputs: dict[str, list[str]] = {}
    for artifact in made:
        outputs.setdefault(artifact.output, []).append(artifact.id)
    end = None
    if step.started and step.state.has_ended:
        end = format_utc(step.started + timedelta(seconds=step.seconds))
    return _make(
        "V2beta1PipelineTaskDetail",
        run_id=row.id,
        task_id=task_id(row.id, step.task),
        display_name=step.task,
        pod_name=step.task,
        create_time=format_utc(row.created_at),
        start_time=step.started and format_utc(step.started),
        end_time=end,
        state=step.state.name,
        error=step.error and _error(step.error),
        outputs={
            key: _make("V2beta1ArtifactList", artifact_ids=ids) for key, ids in outputs.items()
        },
    )
