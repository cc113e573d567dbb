"""The part of the Kubeflow Pipelines REST API (v2beta1) that clients use, a module a resource."""

from fastapi import APIRouter


def routers() -> list[APIRouter]:
    """The routers below /apis/v2beta1."""
    from fastkf.server.api import experiments, health, pipelines, runs, uploads

    # Uploads first: /pipelines/upload is not a pipeline's id.
    return [part.router for part in (health, uploads, pipelines, experiments, runs)]
