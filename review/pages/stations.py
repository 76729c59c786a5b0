"""How every station fares: whether it is there, what it sent last, what it lacks."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from review.page import ReaderDependency

router = APIRouter()


@router.get("/stations")
def stations(read: ReaderDependency) -> HTMLResponse:
    """Show every station heard of."""
    return read.page("stations.html", {"stations": read.site.store.stations()})
