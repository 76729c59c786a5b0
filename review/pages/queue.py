"""The start page: the queue of captures to review."""

from datetime import date, datetime, timedelta
from typing import get_args

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.datastructures import URL

from i18n.flag_sentences import reasons
from i18n.incident_sentences import headline
from pipelines.trends.counting import EARLIEST, LATEST
from review.cards import people_in
from review.incident_groups import group_by_incident
from review.page import ContextDependency
from review.queue import Filters, Kind, Show, parse_cursor, queue_page
from review.security.access_rules import SEE, access

router = APIRouter()
_DAYS = {"today": 0, "yesterday": 1}  # days before today


@router.get("/")
@access(SEE)
def queue(
    context: ContextDependency,
    show: str = "todo",
    station: str = "",
    taxon: str = "",
    kind: str = "",
    day: str = "",
    after: str = "",
) -> HTMLResponse:
    """Show one page of the queue; unknown filter values are ignored."""
    today = datetime.now(context.site.zone).date()
    filters = Filters(
        show=next((known for known in get_args(Show) if known == show), "todo"),
        station=station,
        taxon=taxon.strip(),
        kind=next((known for known in get_args(Kind) if known == kind), None),
        day=_day(day, today),
        after=parse_cursor(after),
    )
    page = queue_page(context.site, filters)
    context.note_people("queue", people_in(page.cards))
    filtered = bool(filters.station or filters.taxon or filters.kind or filters.day)
    groups, late = group_by_incident(context.site, page.cards)
    first_page = not filtered and filters.after is None
    following = str(URL(str(context.request.url)).include_query_params(after=page.next)) if page.next else ""
    return context.render(
        "queue.html",
        {
            "groups": groups,
            "late": late,
            "station_problems": context.site.incidents.station_problems()
            if first_page and filters.show in ("todo", "flagged", "warning")
            else [],
            "headline": lambda one: headline(one, None, context.language, context.site.station_names.simulated),
            "filters": filters,
            "today": today,
            "filtered": filtered,
            "stations": context.site.station_names(),
            "following": following,
            "reasons": lambda flags: reasons(flags, context.language),
            "named": bool(context.actor.id) or "reviewer" in context.request.cookies,
        },
    )


def _day(text: str, today: date) -> date | None:
    """Parse a day, "today" or "yesterday"; return None if it is not valid."""
    if text in _DAYS:
        return today - timedelta(days=_DAYS[text])
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if EARLIEST <= day <= LATEST else None
