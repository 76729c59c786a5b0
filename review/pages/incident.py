"""The list of incidents, and the page of one incident with its occurrences, alerts and captures."""

from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse

from casebook.incidents.reader import IncidentMember
from i18n.flag_sentences import reasons
from i18n.incident_sentences import headline, kind_name, occurrence_sentence
from ingest.store.port import EventQuery
from review.cards import load_cards, people_in
from review.page import ContextDependency
from review.queue import list_cursor, parse_list_cursor
from review.security.access_rules import DECIDE, SEE, access

router = APIRouter()
PAGE = 30
MEMBERS = 50  # occurrences on one page of an incident, each with its capture
ALERTS = 50  # alerts listed on the page of an incident


@router.get("/incidents")
@access(SEE)
def incidents(context: ContextDependency, show: str = "waiting", after: str = "") -> HTMLResponse:
    """Show the open incidents, or all incidents if ``show`` is "all", newest first."""
    waiting = show != "all"
    listed = context.site.incidents.incidents(waiting, PAGE + 1, parse_list_cursor(after))
    shown = listed[:PAGE]
    following = list_cursor(shown[-1].key) if len(listed) > PAGE else ""
    return context.render(
        "incidents.html",
        {
            "incidents": shown,
            "show": "waiting" if waiting else "all",
            "following": following,
            "headline": lambda one: headline(one, None, context.language, context.site.station_names.simulated),
        },
    )


@router.get("/incidents/{incident_id}")
@access(SEE)
def incident(context: ContextDependency, incident_id: str, after: str = "") -> HTMLResponse:
    """Show the page of one incident, with a part of its occurrences if there are many."""
    reader = context.site.incidents
    found = reader.incident(incident_id)
    if found is None:
        raise HTTPException(404)
    members = reader.members(incident_id, MEMBERS + 1, _parse_member_cursor(after))
    shown = members[:MEMBERS]
    ids = tuple(dict.fromkeys(one.occurrence.subject for one in shown if one.occurrence.source != "health"))
    events = context.site.store.listing(EventQuery(event_ids=ids, limit=len(ids))) if ids else []
    cards = list(reversed(load_cards(context.site, events)))  # in chronological order
    context.note_people(f"incident {incident_id}", people_in(cards))
    return context.render(
        "incident.html",
        {
            "incident": found,
            "members": shown,
            "following": _member_cursor(shown[-1]) if len(members) > MEMBERS else "",
            "first": not after,
            "case_numbers": context.site.cases.numbers_of(incident_ids=[incident_id]),
            "alerts": reader.alerts(incident_id, ALERTS),
            "unresolved": reader.has_unresolved_problem(incident_id),
            "cards": cards,
            "late": reader.memberships(ids).late_events,
            "title": headline(found, None, context.language, context.site.station_names.simulated),
            "sentence": lambda one: occurrence_sentence(one, context.language),
            "kind": lambda name: kind_name(name, context.language),
            "reasons": lambda flags: reasons(flags, context.language),
        },
    )


@router.post("/incidents/{incident_id}/seen-to")
@access(DECIDE)
def resolve(context: ContextDependency, incident_id: str) -> RedirectResponse:
    """Mark the station problems of an incident as resolved."""
    if context.site.incidents.incident(incident_id) is None:
        raise HTTPException(404)
    context.site.incidents.resolve_station_problems(incident_id, datetime.now(UTC))
    context.note("resolved", f"incident {incident_id}")
    return RedirectResponse(f"/incidents/{incident_id}", 303)


def _member_cursor(member: IncidentMember) -> str:
    at, subject, kind = member.key
    return f"{list_cursor((at, subject))}~{kind}"


def _parse_member_cursor(text: str) -> tuple[datetime, str, str] | None:
    """Parse the cursor "time~subject~kind" of an incident's page; return None, for the first page, if it is invalid."""
    moment, _, rest = text.partition("~")
    subject, _, kind = rest.partition("~")
    found = parse_list_cursor(f"{moment}~{subject}")
    return (*found, kind) if found else None
