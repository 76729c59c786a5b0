"""The page of stations: connection state, last capture and health of each."""

from datetime import UTC, datetime

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from ingest.station_connection import connection_of, last_heard
from review.page import ContextDependency
from review.security.access_rules import STATIONS, access
from review.station_settings import shown_settings

router = APIRouter()


@router.get("/stations")
@access(STATIONS)
def stations(context: ContextDependency) -> HTMLResponse:
    """Show all known stations."""
    now = datetime.now(UTC)
    return context.render(
        "stations.html",
        {
            "stations": context.site.store.stations(),
            "settings": shown_settings(context.site),
            "chains": context.site.chain_states(now),
            "connection_of": lambda state: connection_of(state, now),
            "last_heard": lambda state: last_heard(state, now),
        },
    )
