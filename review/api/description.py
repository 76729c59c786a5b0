"""Description of the addresses for programs in OpenAPI."""

from collections.abc import Sequence

from fastapi import APIRouter, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from review.security.access_rules import SIGNED_IN, access


def description_router(routers: Sequence[APIRouter]) -> APIRouter:
    """Return the route of the description, /api/openapi.json.

    FastAPI's own description has the pages as well.

    Args:
        routers: The routers of addresses for programs.
    """
    described = get_openapi(
        title="Wildpost", version="1", routes=[route for router in routers for route in router.routes]
    )
    router = APIRouter(include_in_schema=False)

    @router.get("/api/openapi.json")
    @access(SIGNED_IN)
    def openapi() -> Response:
        """Return the description of the addresses that programs use."""
        return JSONResponse(described)

    return router
