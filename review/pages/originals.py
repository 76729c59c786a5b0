"""Asks a station for the original of a capture, and returns the original once it is here."""

from datetime import UTC, datetime
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import RedirectResponse

from captures.media_type import media_type
from casebook.station_commands import CommandRefused
from ingest.media.port import MediaMissing
from ingest.remote.requests import ask_for_original
from review.original import original_of
from review.page import ContextDependency
from review.problems import InvalidRequest
from review.security.access_rules import DECIDE, SEE, access

router = APIRouter()


@router.post("/events/{event_id}/original")
@access(DECIDE)
def ask(context: ContextDependency, event_id: str) -> RedirectResponse:
    """Ask the station for the original of a capture; asking again while it is on its way changes nothing."""
    found = context.site.listed_event(event_id)
    if found is None:
        raise HTTPException(404)
    original = original_of(context.site, found.sent)
    if original is None or context.site.wake_command_sender is None:
        raise InvalidRequest("original")
    if original.can_ask:
        try:
            ask_for_original(context.site.station_commands, found.sent, context.name, datetime.now(UTC))
        except CommandRefused as error:
            raise InvalidRequest("original") from error
        context.site.wake_command_sender()
    return RedirectResponse(f"/events/{event_id}#original", 303)


@router.get("/events/{event_id}/original")
@access(SEE)
def original_file(context: ContextDependency, event_id: str) -> Response:
    """Return the original of a capture as a file to store; browsers do not open it here."""
    found = context.site.listed_event(event_id)
    original = original_of(context.site, found.sent) if found else None
    if original is None or original.state != "came":
        raise HTTPException(404)
    context.note("viewed", f"original of capture {event_id}")
    try:
        with context.site.media.open(original.media.sha256) as file:
            data = file.read()
    except MediaMissing as error:
        raise HTTPException(404) from error
    name = quote(original.media.name or original.media.sha256, safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Cache-Control": "no-store"}
    return Response(data, media_type=media_type(data) or "application/octet-stream", headers=headers)
