"""What clients may ask for that this server has not."""

from fastapi import APIRouter

from fastkf.server.errors import ApiError, Code

router = APIRouter(include_in_schema=False)


@router.api_route("/recurringruns", methods=["GET", "POST"])
@router.api_route("/recurringruns/{rest:path}", methods=["GET", "POST", "DELETE"])
def refuse_recurring_runs() -> None:
    message = "this server has no recurring runs; use a Kubeflow for them"
    raise ApiError(Code.UNIMPLEMENTED, message)


@router.post("/visualizations/{namespace}")
def refuse_visualizations(namespace: str) -> None:
    """A Kubeflow Pipelines of its own manifests has no service for them either."""
    message = (
        "Not Found: this server makes no visualizations; a run's page draws what steps put out"
    )
    raise ApiError(Code.NOT_FOUND, message)
