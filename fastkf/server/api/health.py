"""Is the server there?"""

from importlib import metadata

import kfp_server_api as kfp
from fastapi import APIRouter

from fastkf.server.schemas import TO_JSON

router = APIRouter()


@router.get("/healthz")
def get_health() -> dict:
    """`tag_name`, which the API answers and its generated models leave out, says whose it is."""
    answer = TO_JSON(kfp.V2beta1GetHealthzResponse(multi_user=False))
    return {**answer, "tag_name": f"fastkf-{metadata.version('fastkf')}"}
