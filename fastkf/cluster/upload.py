"""Puts a package on a server as a version of a pipeline, and starts a run of it."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import kfp_server_api

from fastkf.cluster.connection import Connection
from fastkf.cluster.errors import ClusterError, RejectedError, UnansweredError

CONFLICT = 409
EQUALS = 1  # FilterOperation of the API
NEWEST = "created_at desc"


@dataclass(frozen=True)
class Version:
    """A package on the server."""

    pipeline_id: str
    id: str
    name: str
    is_new_pipeline: bool = False


def name_version(pipeline: str, package: Path) -> str:
    """A name that no other version has, and that says when it was made and of what.

    Lower-case letters, digits, dots and dashes, as a server asks that keeps pipelines as
    resources of Kubernetes.
    """
    digest = hashlib.sha256(package.read_bytes()).hexdigest()[:8]
    moment = datetime.now().isoformat(timespec="milliseconds")
    return f"{pipeline}-{re.sub('[-:]', '', moment).replace('T', '-')}-{digest}"


def upload(
    connection: Connection, package: Path, pipeline: str, version: str | None, namespace: str
) -> Version:
    """Uploads the package as a new version; a pipeline of that name is made when there is none.

    Args:
        version: its name; one made of the pipeline's name, the time and the content when None.

    Raises:
        ClusterError: the server rejects the package or a name.
    """
    found = _find_pipeline(connection, pipeline, namespace)
    if found is None:
        try:
            return _create_pipeline(connection, package, pipeline, version, namespace)
        except RejectedError as refusal:
            if refusal.status != CONFLICT:
                raise
        found = _find_pipeline(connection, pipeline, namespace)  # made by someone else just now
    if found is None:
        raise ClusterError(
            f"a pipeline named {pipeline} exists already, but not where you may see it (another "
            "namespace?)",
            "give yours another name: pipeline_name in the notebook's metadata (Kale's panel), or "
            "@dsl.pipeline(name=...)",
            host=connection.host,
        )
    return _create_version(connection, package, found, version or name_version(pipeline, package))


def find_experiment(connection: Connection, name: str, namespace: str) -> str:
    """The id of the experiment of that name, which is made when there is none."""
    service = kfp_server_api.ExperimentServiceApi(connection)
    asked = {"namespace": namespace} if namespace else {}
    listed = service.experiment_service_list_experiments(filter=_named(name), **asked)
    if listed.experiments:
        return listed.experiments[0].experiment_id
    made = kfp_server_api.V2beta1Experiment(display_name=name, namespace=namespace or None)
    try:
        return service.experiment_service_create_experiment(experiment=made).experiment_id
    except RejectedError as refusal:
        if refusal.status != CONFLICT:
            raise
    listed = service.experiment_service_list_experiments(filter=_named(name), **asked)
    if not listed.experiments:
        raise ClusterError(
            f"an experiment named {name} exists already, but not where you may see it",
            "name another: --experiment",
            host=connection.host,
        )
    return listed.experiments[0].experiment_id


def create_run(
    connection: Connection, version: Version, name: str, experiment_id: str, parameters: dict
) -> str:
    """Starts a run of a version and returns the run's id."""
    run = kfp_server_api.V2beta1Run(
        display_name=name,
        experiment_id=experiment_id,
        pipeline_version_reference=kfp_server_api.V2beta1PipelineVersionReference(
            pipeline_id=version.pipeline_id, pipeline_version_id=version.id
        ),
        runtime_config=kfp_server_api.V2beta1RuntimeConfig(parameters=parameters),
    )
    service = kfp_server_api.RunServiceApi(connection)
    try:
        return service.run_service_create_run(run=run).run_id
    except UnansweredError as silence:
        raise ClusterError(
            f"{silence.fault}. Whether the run was created is not known",
            f"look for {name} among the runs before you submit it again",
            host=connection.host,
        ) from silence


def _find_pipeline(connection: Connection, name: str, namespace: str) -> str | None:
    service = kfp_server_api.PipelineServiceApi(connection)
    asked = {"namespace": namespace} if namespace else {}
    listed = service.pipeline_service_list_pipelines(filter=_named(name), **asked).pipelines
    return listed[0].pipeline_id if listed else None


def _create_pipeline(
    connection: Connection, package: Path, pipeline: str, version: str | None, namespace: str
) -> Version:
    """The first version is uploaded with the pipeline: a rejected package leaves nothing behind."""
    service = kfp_server_api.PipelineUploadServiceApi(connection)
    asked = {"namespace": namespace} if namespace else {}
    made = service.upload_pipeline(str(package), name=pipeline, **asked)
    if version:
        named = _create_version(connection, package, made.pipeline_id, version)
        return Version(made.pipeline_id, named.id, named.name, is_new_pipeline=True)
    versions = kfp_server_api.PipelineServiceApi(connection)
    listed = versions.pipeline_service_list_pipeline_versions(made.pipeline_id, sort_by=NEWEST)
    if not listed.pipeline_versions:
        fault = f"has taken the pipeline {pipeline}, and lists no version of it"
        raise ClusterError(fault, "submit it again", host=connection.host)
    first = listed.pipeline_versions[0]
    name = first.display_name or pipeline
    return Version(made.pipeline_id, first.pipeline_version_id, name, is_new_pipeline=True)


def _create_version(connection: Connection, package: Path, pipeline_id: str, name: str) -> Version:
    service = kfp_server_api.PipelineUploadServiceApi(connection)
    try:
        made = service.upload_pipeline_version(str(package), name=name, pipelineid=pipeline_id)
    except RejectedError as refusal:
        if refusal.status != CONFLICT:
            raise
        raise ClusterError(
            f"the pipeline has a version named {name} already",
            "give another with --version, or leave it to fastkf",
            host=connection.host,
        ) from refusal
    return Version(pipeline_id, made.pipeline_version_id, name)


def _named(name: str) -> str:
    predicate = {"operation": EQUALS, "key": "display_name", "stringValue": name}
    return json.dumps({"predicates": [predicate]})
