"""The list of incidents, and the page of one incident with its occurrences, alerts and captures."""

from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse

from i18n.flag_sentences import reasons
from i18n.incident_sentences import headline, kind_name, occurrence_sentence
from ingest.store.port import EventQuery
from review.cards import load_cards
from review.incident_groups import late_event_ids
from review.page import ContextDependency
from review.queue import parse_list_cursor

router = APIRouter()
PAGE = 30


@router.get("/incidents")
def incidents(context: ContextDependency, show: str = "waiting", after: str = "") -> HTMLResponse:
    """Show the open incidents, or all incidents if ``show`` is "all", newest first."""
    waiting = show != "all"
    listed = context.site.incidents.incidents(waiting, PAGE + 1, parse_list_cursor(after))
    shown = listed[:PAGE]
    following = f"{shown[-1].ended_at.isoformat()}~{shown[-1].id}" if len(listed) > PAGE else ""
    return context.render(
        "incidents.html",
        {
            "incidents": shown,
            "show": "waiting" if waiting else "all",
            "following": following,
            "headline": lambda one: headline(one, None, context.language),
        },
    )


@router.get("/incidents/{incident_id}")
def incident(context: ContextDependency, incident_id: str) -> HTMLResponse:
    """Show the page of one incident."""
    found = context.site.incidents.incident(incident_id)
    if found is None:
        raise HTTPException(404, f"no incident {incident_id}")
    ids = found.event_ids
    events = context.site.store.events(EventQuery(event_ids=ids, limit=len(ids))) if ids else []
    return context.render(
        "incident.html",
        {
            "incident": found,
            "cards": list(reversed(load_cards(context.site, events))),  # in chronological order
            "late": late_event_ids([found]),
            "title": headline(found, None, context.language),
            "sentence": lambda one: occurrence_sentence(one, context.language),
            "kind": lambda name: kind_name(name, context.language),
            "reasons": lambda flags: reasons(flags, context.language),
        },
    )


@router.post("/incidents/{incident_id}/seen-to")
def resolve(context: ContextDependency, incident_id: str) -> RedirectResponse:
    """Mark the station problems of an incident as resolved."""
    if context.site.incidents.incident(incident_id) is None:
        raise HTTPException(404, f"no incident {incident_id}")
    context.site.incidents.resolve_station_problems(incident_id, datetime.now(UTC))
    return RedirectResponse(f"/incidents/{incident_id}", 303)
