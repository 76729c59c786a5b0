"""The page of one capture: picture, detections, verdicts, detector model, clock source and media files."""

import msgspec
from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from contract.codec import encode
from i18n.flag_sentences import reasons
from review.cards import load_cards
from review.page import ContextDependency
from review.queue import next_undecided

router = APIRouter()


# Registered before event_page, whose route would match "ID.json" as an event id.
@router.get("/events/{event_id}.json")
def event_message(context: ContextDependency, event_id: str) -> Response:
    """Return the station's message about a capture as indented JSON."""
    found = context.site.listed_event(event_id)
    if found is None:
        raise HTTPException(404)
    return Response(msgspec.json.format(encode(found.sent), indent=2), media_type="application/json")


@router.get("/events/{event_id}")
def event_page(context: ContextDependency, event_id: str) -> HTMLResponse:
    """Show the page of one capture."""
    found = context.site.listed_event(event_id)
    if found is None:
        raise HTTPException(404)
    return context.render(
        "event.html",
        {
            "sent": found.sent,
            "card": load_cards(context.site, [found])[0],
            "incident": context.site.incidents.incident_ids_of([event_id]).get(event_id, ""),
            "history": context.site.casebook.verdict_history(event_id),
            "reasons": lambda flags: reasons(flags, context.language),
        },
    )


@router.get("/events/{event_id}/next")
def following(context: ContextDependency, event_id: str, phase: str = "") -> RedirectResponse:
    """Redirect to the next undecided capture, or to the queue if there is none."""
    found = context.site.listed_event(event_id)
    if found is None:
        raise HTTPException(404)
    next_id = next_undecided(context.site, found, "f" if phase == "f" else "r")
    return RedirectResponse(
        f"/events/{next_id}" if next_id else "/?show=unreviewed", 303, {"Cache-Control": "no-store"}
    )
