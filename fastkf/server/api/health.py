"""Is the server there?"""

import kfp_server_api as kfp
from fastapi import APIRouter

from fastkf.server.shapes import TO_JSON

router = APIRouter()


@router.get("/healthz")
def get_health() -> dict:
    return TO_JSON(kfp.V2beta1GetHealthzResponse(multi_user=False))
