"""The phenology of a species and its rates by phase of the moon, from a store, also as JSON-compatible types."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingest.store.port import Store
from pipelines.activity.lunar import rates_by_phase
from pipelines.activity.phenology import CONFIDENCE, EndOfStay, Season, phenology
from pipelines.trends.counted_records import count_records, effort_table
from pipelines.trends.plain import plain_rate, plain_request
from pipelines.trends.rates import Rate
from pipelines.trends.request import TrendRequest


@dataclass(frozen=True, slots=True)
class SeasonReport:
    """Seasons of one species.

    Attributes:
        request: What was asked for; its taxon is one taxon.
        seasons: The seasons, the earliest first.
        phases: Rates of the eight phases of the moon, the first around the new moon.
        untrusted: Captures left out because their time is not trusted.
    """

    request: TrendRequest
    seasons: tuple[Season, ...]
    phases: tuple[Rate, ...]
    untrusted: int


def season_report(store: Store, request: TrendRequest, begins_in: int = 1, now: datetime | None = None) -> SeasonReport:
    """Compute the seasons of the request's taxon.

    Args:
        store: The store.
        request: Days, stations, sensors, taxon and independence.
        begins_in: Month in which a season begins.
        now: The current time; None: the system clock. Later effort is ignored: only a wrong clock reports it.

    Raises:
        BadSeason: the month is not from 1 to 12.
    """
    counted = count_records(store, request, (request.taxon,))
    effort = effort_table(store, request, now)
    return SeasonReport(
        request,
        phenology(request, counted, effort, begins_in),
        rates_by_phase(request, counted, effort),
        counted.untrusted,
    )


def plain_seasons(report: SeasonReport) -> dict[str, Any]:
    """Return the seasons; what is not known is null."""
    asked = report.request
    return {
        "taxon": asked.taxon,
        **plain_request(asked),
        "confidence": CONFIDENCE,
        "untrusted_times": report.untrusted,
        "seasons": [_season(one) for one in report.seasons],
        "moon_phases": plain_phases(report.phases),
    }


def plain_phases(rates: Sequence[Rate]) -> list[dict[str, Any]]:
    """Return the rates of the phases of the moon, the first around the new moon."""
    return [{"degrees": 360 * number // len(rates), **plain_rate(rate)} for number, rate in enumerate(rates)]


def _season(season: Season) -> dict[str, Any]:
    peak = season.peak
    return {
        "season": season.name,
        "from": season.first_day.isoformat(),
        "to": season.last_day.isoformat(),
        "whole": season.whole,
        "records": int(season.counts.sum()),
        "days_with_records": season.days_with_records,
        "effort_days": float(season.effort_days.sum()) or None,
        "first": _end(season.first),
        "last": _end(season.last),
        "peak_week": (
            {"week": peak.name, "from": peak.first.isoformat(), **plain_rate(peak.rate), "rivals": peak.rivals}
            if peak
            else None
        ),
        "records_by_day": season.counts.tolist(),
        "effort_days_by_day": [float(days) if days else None for days in season.effort_days],
    }


def _end(end: EndOfStay | None) -> dict[str, Any] | None:
    if end is None:
        return None
    limit = end.limit.isoformat() if end.limit else None
    return {"day": end.day.isoformat(), "limit": limit, "unwatched_days": end.unwatched_days}
