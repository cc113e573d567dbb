"""What clients may ask for that this server has not."""

from fastapi import APIRouter

from fastkf.server.errors import ApiError, Code

router = APIRouter(include_in_schema=False)


@router.api_route("/recurringruns", methods=["GET", "POST"])
@router.api_route("/recurringruns/{rest:path}", methods=["GET", "POST", "DELETE"])
def refuse_recurring_runs() -> None:
    message = "this server has no recurring runs; use a Kubeflow for them"
    raise ApiError(Code.UNIMPLEMENTED, message)
