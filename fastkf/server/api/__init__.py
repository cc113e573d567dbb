"""The part of the Kubeflow Pipelines REST API (v2beta1) that clients use, a module a resource."""

from fastapi import FastAPI


def add_routers(app: FastAPI) -> None:
    """Has the app answer the API's requests."""
    from fastkf.server.api import (
        artifacts,
        experiments,
        health,
        logs,
        pipelines,
        runs,
        unsupported,
        uploads,
    )

    # Uploads first: /pipelines/upload is not a pipeline's id.
    resources = (health, uploads, pipelines, experiments, runs, artifacts, unsupported)
    for part in resources:
        app.include_router(part.router, prefix="/apis/v2beta1")
    app.include_router(logs.router, prefix="/apis/v1alpha1")
