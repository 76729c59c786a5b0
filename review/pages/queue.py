"""The first page: captures with what was found in them, to be decided on in seconds."""

from datetime import date

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.datastructures import URL

from contract.messages import ObservationType
from i18n.flag_sentences import reasons
from i18n.incident_sentences import headline
from pipelines.trends.counting import EARLIEST, LATEST
from review.incident_groups import grouped, troubles
from review.page import ReaderDependency
from review.queue import Filters, Show, page_of, read_after

router = APIRouter()
SHOWS: tuple[Show, ...] = ("todo", "flagged", "unreviewed", "reviewed")
KINDS: tuple[ObservationType, ...] = ("animal", "human", "vehicle", "unknown")


@router.get("/")
def queue(
    read: ReaderDependency,
    show: str = "todo",
    station: str = "",
    taxon: str = "",
    kind: str = "",
    day: str = "",
    after: str = "",
) -> HTMLResponse:
    """Show one page of the queue; a filter nobody knows is as none."""
    filters = Filters(
        show=next((known for known in SHOWS if known == show), "todo"),
        station=station,
        taxon=taxon.strip(),
        kind=next((known for known in KINDS if known == kind), None),
        day=_day(day),
        after=read_after(after),
    )
    page = page_of(read.site, filters)
    filtered = bool(filters.station or filters.taxon or filters.kind or filters.day)
    groups, late = grouped(read.site, page.cards)
    first_page = not filtered and filters.after is None
    following = str(URL(str(read.request.url)).include_query_params(after=page.next)) if page.next else ""
    return read.page(
        "queue.html",
        {
            "groups": groups,
            "late": late,
            "troubles": troubles(read.site) if first_page and filters.show in ("todo", "flagged") else [],
            "headline": lambda one: headline(one, None, read.language),
            "filters": filters,
            "filtered": filtered,
            "stations": read.site.station_names(),
            "following": following,
            "reasons": lambda flags: reasons(flags, read.language),
            "named": "reviewer" in read.request.cookies,
        },
    )


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if EARLIEST <= day <= LATEST else None
