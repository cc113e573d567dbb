"""What clients may ask for that this server has not."""

from fastapi import APIRouter

from fastkf.server.errors import ApiError, Code

router = APIRouter(include_in_schema=False)


@router.get("/visualizations/{namespace}")
@router.post("/visualizations/{namespace}")
def refuse_visualizations(namespace: str) -> None:
    """A Kubeflow Pipelines of its own manifests has no service for them either."""
    message = (
        "Not Found: this server makes no visualizations; a run's page draws what steps put out"
    )
    raise ApiError(Code.NOT_FOUND, message)
