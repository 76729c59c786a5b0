"""How activity changes by day and by hour, drawn and as figures; the counting is in ``pipelines.trends.counting``."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from importlib.metadata import version
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, HTTPException, Response
from fastapi.responses import HTMLResponse, JSONResponse

from i18n.taxa import display_name
from ingest.store.port import EventQuery
from pipelines.trends.counting import LONGEST_DAYS, Trends, count_trends, first_of
from pipelines.trends.effort import with_effort
from review.page import Reader, ReaderDependency

router = APIRouter()
DAYS = 30
DRAWN = 8  # kinds with a colour of their own; the table has them all


@dataclass(frozen=True, slots=True)
class Period:
    """What was asked for: the days, one station or all, one kind or all."""

    first: date
    last: date
    station: str
    taxon: str
    zone: ZoneInfo


def period(read: ReaderDependency, station: str = "", taxon: str = "") -> Period:
    """Read the period from the address; by default thirty days up to the newest capture."""
    asked = read.request.query_params
    last = _day(asked.get("to", "")) or _newest_day(read)
    days = asked.get("days", "")
    back = int(days) if days.isascii() and days.isdigit() and len(days) <= 5 else DAYS
    first = _day(asked.get("from", "")) or first_of(last, back if 0 < back <= LONGEST_DAYS else DAYS)
    return Period(first, last, station, taxon.strip(), _zone(asked.get("zone", "")) or read.site.zone)


def _zone(name: str) -> ZoneInfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # "Asia" is a folder
        raise HTTPException(422, f"time zone {name!r}: expected one such as Asia/Shanghai") from error


def _newest_day(read: Reader) -> date:
    """Tell the day of the newest capture: old cards are looked at too, and then today's page would be empty."""
    now = datetime.now(read.site.zone)
    newest = [event.captured_at for event in read.site.store.events(EventQuery(limit=1))]
    return min(max(newest, default=now), now).astimezone(read.site.zone).date()


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise HTTPException(422, f"day {text!r}: expected one such as 2026-05-31") from error


Asked = Annotated[Period, Depends(period)]


def counted(read: Reader, asked: Period) -> Trends:
    """Count what was asked for."""
    return count_trends(
        read.site.store,
        asked.first,
        asked.last,
        asked.zone,
        (asked.station,) if asked.station else (),
        (asked.taxon,) if asked.taxon else (),
    )


def counted_with_effort(read: Reader, asked: Period) -> Trends:
    """Count what was asked for, and add the watched time of each day."""
    return with_effort(counted(read, asked), read.site.store, (asked.station,) if asked.station else ())


def chart_data(found: Trends, read: Reader) -> Mapping[str, Any]:
    """Give the page's script what it draws: the most frequent kinds by name, per day and per hour."""
    say, code = read.language.say, read.language.code
    series = [
        {"name": display_name(one.taxon, one.taxon, code), "by_day": one.by_day, "by_hour": one.by_hour}
        for one in found.taxa[:DRAWN]
    ]
    if rest := found.taxa[DRAWN:]:
        series.append(
            {
                "name": say("other"),
                "by_day": [sum(values) for values in zip(*(one.by_day for one in rest), strict=True)],
                "by_hour": [sum(values) for values in zip(*(one.by_hour for one in rest), strict=True)],
            }
        )
    return {"days": [day.isoformat() for day in found.days], "series": series}


@router.get("/trends")
def trends(read: ReaderDependency, asked: Asked) -> HTMLResponse:
    """Draw the counts, with the same figures below."""
    # All kinds are counted once, to choose from; the one asked for is among them.
    whole = counted(read, replace(asked, taxon=""))
    found = whole.only(asked.taxon) if asked.taxon else whole
    return read.page(
        "trends.html",
        {
            "asked": asked,
            "trends": found,
            "choices": whole.taxa,
            "stations": read.site.station_names(),
            "chart": json.dumps(chart_data(found, read), ensure_ascii=False),
            "plotly": version("plotly"),
            "asked_query": str(read.request.url.query),
        },
    )


@router.get("/api/trends")
def trends_json(read: ReaderDependency, asked: Asked) -> Response:
    """Return counts and effort as JSON; ``wildpost trends`` asks here while the server holds the database."""
    return JSONResponse(counted_with_effort(read, asked).plain())


@router.get("/trends.csv")
def trends_csv(read: ReaderDependency, asked: Asked) -> Response:
    """Return counts and effort per day as a table for a spreadsheet; effort is empty where it is not known."""
    found, text = counted_with_effort(read, asked), io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["day", "taxon", "observation_type", "detections", "effort"])
    for one in found.taxa:
        # A spreadsheet would take such a name for a formula.
        taxon = f"'{one.taxon}" if one.taxon[:1] in ("=", "+", "-", "@") else one.taxon
        rows.writerows(
            [day.isoformat(), taxon, one.observation_type, count, effort]
            for day, count, effort in zip(found.days, one.by_day, found.effort, strict=True)
        )
    name = f"wildpost-trends-{asked.first}-{asked.last}.csv"
    # The mark at its start tells Excel that this is UTF-8.
    return Response(
        "\ufeff" + text.getvalue(),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
