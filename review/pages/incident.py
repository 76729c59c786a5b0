"""Incidents: what happened within minutes and metres, why it matters, who was told, and its captures to decide on."""

from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse

from i18n.flag_sentences import reasons
from i18n.incident_sentences import headline, kind_name, occurrence_sentence
from ingest.store.port import EventQuery
from review.cards import cards_of
from review.incident_groups import late_in
from review.page import ReaderDependency
from review.queue import read_moment

router = APIRouter()
PAGE = 30


@router.get("/incidents")
def incidents(read: ReaderDependency, show: str = "waiting", after: str = "") -> HTMLResponse:
    """List incidents, the newest first: those that wait for a person, or all."""
    waiting = show != "all"
    listed = read.site.incidents.incidents(waiting, PAGE + 1, read_moment(after))
    shown = listed[:PAGE]
    following = f"{shown[-1].ended_at.isoformat()}~{shown[-1].id}" if len(listed) > PAGE else ""
    return read.page(
        "incidents.html",
        {
            "incidents": shown,
            "show": "waiting" if waiting else "all",
            "following": following,
            "headline": lambda one: headline(one, None, read.language),
        },
    )


@router.get("/incidents/{incident_id}")
def incident(read: ReaderDependency, incident_id: str) -> HTMLResponse:
    """Show one incident."""
    found = read.site.incidents.incident(incident_id)
    if found is None:
        raise HTTPException(404, f"no incident {incident_id}")
    ids = found.event_ids
    events = read.site.store.events(EventQuery(event_ids=ids, limit=len(ids))) if ids else []
    return read.page(
        "incident.html",
        {
            "incident": found,
            "cards": list(reversed(cards_of(read.site, events))),  # as it happened
            "late": late_in([found]),
            "title": headline(found, None, read.language),
            "told": lambda one: occurrence_sentence(one, read.language),
            "kind": lambda name: kind_name(name, read.language),
            "reasons": lambda flags: reasons(flags, read.language),
        },
    )


@router.post("/incidents/{incident_id}/seen-to")
def seen_to(read: ReaderDependency, incident_id: str) -> RedirectResponse:
    """Note that a person has seen to the stations in it."""
    if read.site.incidents.incident(incident_id) is None:
        raise HTTPException(404, f"no incident {incident_id}")
    read.site.incidents.resolve_station_problems(incident_id, datetime.now(UTC))
    return RedirectResponse(f"/incidents/{incident_id}", 303)
