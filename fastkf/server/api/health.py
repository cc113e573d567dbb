"""Is the server there?"""

from importlib import metadata

from fastapi import APIRouter

router = APIRouter()


@router.get("/healthz")
def get_health() -> dict:
    """`tag_name`, which the API answers and its generated models leave out, says whose it is."""
    tag = f"fastkf-{metadata.version('fastkf')}"
    return {"tag_name": tag, "multi_user": False, "pipeline_store": "database"}
