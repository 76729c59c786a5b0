"""The page of one capture: picture, detections, verdicts, detector model, clock source and media files."""

from typing import Annotated, get_args

import msgspec
from fastapi import APIRouter, Form, HTTPException, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from contract.codec import encode
from i18n.flag_sentences import reasons
from review.cards import load_cards, people_in
from review.decision_history import decision_history
from review.decisions import MAX_WITHDRAWN, withdraw
from review.original import original_of
from review.page import ContextDependency
from review.problems import InvalidRequest
from review.queue import Section, next_undecided, section_of
from review.security.access_rules import DECIDE, SEE, access

router = APIRouter()
MAX_DIGITS = 18  # of a sequence, so that it fits into the database's 64 bits


# Registered before event_page, whose route would match "ID.json" as an event id.
@router.get("/events/{event_id}.json")
@access(SEE)
def event_message(context: ContextDependency, event_id: str) -> Response:
    """Return the station's message about a capture as indented JSON."""
    found = context.site.listed_event(event_id)
    if found is None:
        raise HTTPException(404)
    return Response(msgspec.json.format(encode(found.sent), indent=2), media_type="application/json")


@router.get("/events/{event_id}")
@access(SEE)
def event_page(context: ContextDependency, event_id: str) -> HTMLResponse:
    """Show the page of one capture."""
    found = context.site.listed_event(event_id)
    if found is None:
        raise HTTPException(404)
    card = load_cards(context.site, [found])[0]
    context.note_people("capture", people_in([card]))
    return context.render(
        "event.html",
        {
            "sent": found.sent,
            "card": card,
            "section": section_of(card),
            "incident": context.site.incidents.incident_ids_of([event_id]).get(event_id, ""),
            "case_numbers": context.site.cases.numbers_of([event_id]),
            "history": decision_history(card),
            "original": original_of(context.site, found.event),
            "reasons": lambda flags: reasons(flags, context.language),
        },
    )


@router.post("/events/{event_id}/withdraw")
@access(DECIDE)
def withdraw_decision(context: ContextDependency, event_id: str, sequences: Annotated[str, Form()]) -> RedirectResponse:
    """Withdraw a decision from the history of a capture; ``sequences`` are its verdicts, separated by spaces."""
    found = context.site.event(event_id)
    if found is None:
        raise HTTPException(404)
    numbers = [int(word) for word in sequences.split() if word.isascii() and word.isdigit() and len(word) <= MAX_DIGITS]
    if not 0 < len(numbers) <= MAX_WITHDRAWN:
        raise InvalidRequest("decision")
    withdraw(context.site, found, numbers, context.actor)
    return RedirectResponse(f"/events/{event_id}", 303)


@router.get("/events/{event_id}/next")
@access(SEE)
def following(context: ContextDependency, event_id: str, phase: str = "") -> RedirectResponse:
    """Redirect to the next undecided capture, or to the queue if there is none."""
    found = context.site.listed_event(event_id)
    if found is None:
        raise HTTPException(404)
    section: Section = next((known for known in get_args(Section) if known == phase), "r")
    next_id = next_undecided(context.site, found, section)
    return RedirectResponse(
        f"/events/{next_id}" if next_id else "/?show=unreviewed", 303, {"Cache-Control": "no-store"}
    )
