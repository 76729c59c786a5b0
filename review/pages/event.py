"""One capture in full: its picture large, every detection with machine's and people's word, model, clock and media."""

import msgspec
from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from contract.codec import encode
from i18n.flag_sentences import reasons
from review.cards import cards_of
from review.page import ReaderDependency
from review.queue import next_undecided

router = APIRouter()


# Before the page: its address would take this one for a capture's id.
@router.get("/events/{event_id}.json")
def event_message(read: ReaderDependency, event_id: str) -> Response:
    """Give the message as the station sent it, set out for people."""
    found = read.site.event(event_id)
    if found is None:
        raise HTTPException(404, f"no capture {event_id}")
    return Response(msgspec.json.format(encode(found), indent=2), media_type="application/json")


@router.get("/events/{event_id}")
def event_page(read: ReaderDependency, event_id: str) -> HTMLResponse:
    """Show one capture."""
    found = read.site.event(event_id)
    if found is None:
        raise HTTPException(404, f"no capture {event_id}")
    return read.page(
        "event.html",
        {
            "card": cards_of(read.site, [found])[0],
            "incident": read.site.incidents.incident_ids_of([event_id]).get(event_id, ""),
            "history": read.site.casebook.verdict_history(event_id),
            "reasons": lambda flags: reasons(flags, read.language),
        },
    )


@router.get("/events/{event_id}/next")
def following(read: ReaderDependency, event_id: str, phase: str = "") -> RedirectResponse:
    """Go on to what nobody has decided on yet; to the queue where there is nothing left."""
    found = read.site.event(event_id)
    if found is None:
        raise HTTPException(404, f"no capture {event_id}")
    name = next_undecided(read.site, found, "f" if phase == "f" else "r")
    return RedirectResponse(f"/events/{name}" if name else "/?show=unreviewed", 303, {"Cache-Control": "no-store"})
