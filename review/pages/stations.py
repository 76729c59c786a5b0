"""The page of stations: connection state, last capture and health of each."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from review.page import ContextDependency

router = APIRouter()


@router.get("/stations")
def stations(context: ContextDependency) -> HTMLResponse:
    """Show all known stations."""
    return context.render("stations.html", {"stations": context.site.store.stations()})
