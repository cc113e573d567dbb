"""The part of the Kubeflow Pipelines REST API (v2beta1) that clients use, a module a resource."""

from fastapi import APIRouter, FastAPI

from fastkf.server.errors import Answer


def add_routers(app: FastAPI) -> None:
    """Has the app answer the API's requests."""
    from fastkf.server.api import (
        artifacts,
        experiments,
        health,
        logs,
        metadata,
        pipelines,
        recurring_runs,
        runs,
        unsupported,
        uploads,
    )

    # Uploads first: /pipelines/upload is not a pipeline's id.
    resources = (
        health,
        uploads,
        pipelines,
        experiments,
        runs,
        recurring_runs,
        artifacts,
        unsupported,
    )
    for part in resources:
        _add(app, part.router, "/apis/v2beta1")
    _add(app, logs.router, "/apis/v1alpha1")
    _add(app, metadata.router, "")


def _add(app: FastAPI, router: APIRouter, prefix: str) -> None:
    app.include_router(router, prefix=prefix, default_response_class=Answer)
