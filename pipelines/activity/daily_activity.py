"""Daily activity of a species from stored records: times of day by clock or by the sun, and heat map by month."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from contract import Location
from ingest.rules.sun import sun_event_time
from ingest.store.port import Store
from pipelines.activity.bootstrap import ActivityCurve, activity_curve, overlap_with_interval
from pipelines.activity.circular_tests import watson_two_sample
from pipelines.activity.density import TURN, TooFewTimes
from pipelines.activity.overlap import BootstrapInterval, Estimator, usual_estimator
from pipelines.trends.counted_records import DAY_MS, CountedRecords, EffortTable, count_records
from pipelines.trends.places import positions
from pipelines.trends.rates import DAYS, LEAST_EFFORT_DAYS
from pipelines.trends.request import TrendRequest

TimeScale = Literal["clock", "sun"]
TIME_SCALES: tuple[TimeScale, ...] = get_args(TimeScale)
FEWEST = 20  # independent records; of fewer, no curve is drawn
MOST = 100_000  # more are thinned to about so many, evenly
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DailyActivity:
    """Activity of one species.

    Attributes:
        request: What was asked for; its taxon is one taxon.
        records: Independent records whose times of day are used.
        untrusted: Records left out because their time is not trusted.
        without_position: Records left out of sun time because the position of their station is not known.
        curve: Density and activity level; None for fewer than ``FEWEST`` records or times spread evenly over the day.
        times: (records,) times of day in radians.
    """

    request: TrendRequest
    records: int
    untrusted: int
    without_position: int
    curve: ActivityCurve | None
    times: Array


@dataclass(frozen=True, slots=True)
class Overlap:
    """Overlap of two activities.

    Attributes:
        interval: Coefficient of overlap with its bootstrap interval.
        estimator: "Dhat1" or "Dhat4".
        watson_u2: Watson's two-sample statistic for the hypothesis that both are equal; above 0.187 it is rejected at
            5 %, above 0.268 at 1 %.
    """

    interval: BootstrapInterval
    estimator: Estimator
    watson_u2: float


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Independent records per 100 sensor-days by month and hour.

    Attributes:
        rates: (12, 24) rates; None where the effort of a month is not known, or too little.
    """

    rates: tuple[tuple[float | None, ...], ...]


def daily_activity(
    store: Store, request: TrendRequest, scale: TimeScale = "clock", counted: CountedRecords | None = None
) -> DailyActivity:
    """Compute the activity of the request's taxon.

    Args:
        store: The store.
        request: Days, stations, sensors, taxon and independence.
        scale: "clock", or "sun": sunrise is 6 o'clock and sunset 18 o'clock on every day at every station.
        counted: The records of the request, if they are already read.
    """
    counted = counted or count_records(store, request, (request.taxon,))
    kept = np.flatnonzero(counted.independent)
    kept = kept[:: max(1, len(kept) // MOST)]
    times = counted.local_ms[kept] % DAY_MS / DAY_MS * TURN
    missing = 0
    if scale == "sun":
        places = positions(store.deployments())
        stations = counted.records.stations
        times = _sun_times(
            times, counted.day[kept], [places.get(name) for name in stations], counted.records.station[kept], request
        )
        missing = int(np.isnan(times).sum())
        times = times[~np.isnan(times)]
    return DailyActivity(request, len(times), counted.untrusted, missing, _curve(times), times)


def _curve(times: Array) -> ActivityCurve | None:
    if len(times) < FEWEST:
        return None
    try:
        return activity_curve(times)
    except TooFewTimes:
        return None


def overlap_of(first: DailyActivity, second: DailyActivity) -> Overlap | None:
    """Return the overlap of two activities; None if one of them has too few records."""
    if first.curve is None or second.curve is None:
        return None
    try:
        interval = overlap_with_interval(first.times, second.times)
    except TooFewTimes:
        return None
    estimator = usual_estimator(first.records, second.records)
    return Overlap(interval, estimator, watson_two_sample(first.times, second.times))


def heat_map(request: TrendRequest, counted: CountedRecords, found: EffortTable) -> HeatMap:
    """Compute rates by month of the year and hour of the day, by clock, from the effort of the request."""
    effort = found.by_day.sum(axis=0)
    days = (request.last - request.first).days + 1
    month = np.array([(request.first + timedelta(days=number)).month - 1 for number in range(days)])
    by_month = np.bincount(month, effort, minlength=12)
    kept = counted.independent & (effort[counted.day] > 0)
    hour = counted.local_ms[kept] % DAY_MS * 24 // DAY_MS
    counts = np.bincount(month[counted.day[kept]] * 24 + hour, minlength=288).reshape(12, 24)
    return HeatMap(
        tuple(
            tuple(float(DAYS * one / worked) if worked >= LEAST_EFFORT_DAYS else None for one in row)
            for row, worked in zip(counts, by_month, strict=True)
        )
    )


def sun_of(day: date, place: Location, zone: ZoneInfo) -> tuple[float, float]:
    """Return sunrise and sunset on a day, in hours of the local day."""
    moments = (sun_event_time(name, day, zone, place) for name in ("sunrise", "sunset"))
    midnight = datetime.combine(day, datetime.min.time())
    rise, sets = ((moment.replace(tzinfo=None) - midnight) / timedelta(hours=1) for moment in moments)
    return rise, sets


def sun_time(hours: float, sunrise: float, sunset: float) -> float:
    """Convert a time of day to sun time, in hours: sunrise becomes 6, sunset 18, and time between is stretched.

    As ``sunTime`` of the R package overlap (Nouvellet et al. 2012, doi:10.1111/j.1469-7998.2011.00864.x). Where the sun
    does not rise or does not set, the time stays as it is.
    """
    day = (sunset - sunrise) % 24
    if day == 0:
        return hours
    since = (hours - sunrise) % 24
    if since < day:
        return 6 + 12 * since / day
    return (18 + 12 * (since - day) / (24 - day)) % 24


def _sun_times(
    times: Array,
    day: NDArray[np.int64],
    places: list[Location | None],
    station: NDArray[np.int64],
    request: TrendRequest,
) -> Array:
    """Convert times of day (n,) in radians to sun time; NaN where the position of the station is not known."""
    known: dict[tuple[int, int], tuple[float, float] | None] = {}
    found = np.empty(len(times))
    for number, (time, of_day, code) in enumerate(zip(times.tolist(), day.tolist(), station.tolist(), strict=True)):
        place = places[code]
        key = (of_day, code)
        if key not in known:
            known[key] = sun_of(request.first + timedelta(days=of_day), place, request.zone) if place else None
        sun = known[key]
        found[number] = np.nan if sun is None else sun_time(time * 24 / TURN, *sun) * TURN / 24
    return found
