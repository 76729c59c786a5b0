"""The page of activity: density over the day, activity level, overlap of two species, places or periods."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from i18n.taxonomy import display_name
from pipelines.activity.daily_activity import FEWEST, DailyActivity, heat_map, sun_of
from pipelines.trends.counted_records import count_records, effort_table
from pipelines.trends.places import positions
from review.activity_request import ActivityDependency, ActivityRequest, answer_activity, most_recorded
from review.analysis_form import form_values
from review.charts.activity_charts import PHONE, WIDE, Night, clock_chart, density_chart, heat_chart
from review.page import ContextDependency, PageContext
from review.security.access_rules import ANALYSE, access

router = APIRouter(include_in_schema=False)


@router.get("/activity")
@access(ANALYSE)
def activity(context: ContextDependency, asked: ActivityDependency) -> HTMLResponse:
    """Show the activity of a species, by default of the one with the most records."""
    everything = count_records(context.site.store, replace(asked.first, taxon=""))
    taxon = asked.first.taxon or most_recorded(everything)
    if asked.second is not None and not asked.second.taxon:
        asked = replace(asked, second=replace(asked.second, taxon=taxon))
    asked = replace(asked, first=replace(asked.first, taxon=taxon))
    values: dict[str, Any] = {
        **form_values(context, asked.first, (name for name, _ in everything.records.taxa), ("taxon", "scale")),
        "scale": asked.scale,
        "other_taxon": asked.second.taxon if asked.second and asked.second.taxon != taxon else "",
        "fewest": FEWEST,
        "sides": (),
    }
    return context.render("activity.html", values | (_drawn(context, asked) if taxon else {}))


def _drawn(context: PageContext, asked: ActivityRequest) -> dict[str, Any]:
    store, language = context.site.store, context.language
    found = answer_activity(store, asked)
    titles = [_title(side, found.sides, context) for side in found.sides]
    curves = [side.curve for side in found.sides if side.curve is not None]
    night = _night(context, asked)
    title = language.translate("Activity over the day: %(names)s", names=", ".join(titles))
    heat = heat_map(asked.first, found.counted, effort_table(store, asked.first))
    heat_title = language.translate("%(name)s by month and hour", name=titles[0])
    return {
        "sides": list(zip(titles, found.sides, strict=True)),
        "overlap": found.overlap,
        "chart": density_chart(curves, night, title, language, WIDE) if curves else None,
        "phone_chart": density_chart(curves, night, title, language, PHONE) if curves else None,
        "clock": clock_chart(curves, night, title) if curves else None,
        "night": night,
        "heat": heat_chart(heat, heat_title, language, 920),
        "phone_heat": heat_chart(heat, heat_title, language, 350),
        "heat_title": heat_title,
    }


def _title(side: DailyActivity, sides: Sequence[DailyActivity], context: PageContext) -> str:
    """Return the name of the taxon, with the days and stations if these differ between the sides."""
    parts = [display_name(side.request.taxon, side.request.taxon, context.language.code)]
    if len({(one.request.first, one.request.last) for one in sides}) > 1:
        parts.append(f"{side.request.first} – {side.request.last}")
    if len({one.request.stations for one in sides}) > 1:
        parts.append(context.language.translate(", ").join(side.request.stations))
    return " · ".join(part for part in parts if part)


def _night(context: PageContext, asked: ActivityRequest) -> Night | None:
    """Return sunrise and sunset of the middle day at a station; by the sun they are at 6 and 18 o'clock."""
    if asked.scale == "sun":
        return Night(6, 18)
    places = positions(context.site.store.deployments())
    stations = [name for name in asked.first.stations or sorted(places) if name in places]
    if not stations:
        return None
    middle = asked.first.first + (asked.first.last - asked.first.first) / 2
    rise, sets = sun_of(middle, places[stations[0]], asked.first.zone)
    return Night(rise, sets) if 0 <= rise < sets <= 24 else None
