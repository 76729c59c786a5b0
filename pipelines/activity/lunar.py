"""Rates of a species by phase of the moon, with the effort of the days of each phase."""

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from ingest.store.microseconds import microseconds
from pipelines.activity.moon import moon_phase
from pipelines.trends.counted_records import CountedRecords, EffortTable
from pipelines.trends.counting import local_midnight
from pipelines.trends.rates import Rate, poisson_rate
from pipelines.trends.request import TrendRequest

PHASES = 8  # new moon, waxing crescent, first quarter, waxing gibbous, full moon, and back
_HALF_DAY = timedelta(hours=12)


def rates_by_phase(request: TrendRequest, counted: CountedRecords, effort: EffortTable) -> tuple[Rate, ...]:
    """Return the rate in each of eight phases of the moon, the first around the new moon.

    A local day has the phase of its noon; so have its records and its effort.

    Args:
        request: Days and time zone.
        counted: Records of one taxon.
        effort: Effort of the request.
    """
    phase = phases_of_days(request)
    by_day = effort.by_day.sum(axis=0)
    worked = np.bincount(phase, by_day, PHASES)
    kept = counted.independent & (by_day[counted.day] > 0)
    counts = np.bincount(phase[counted.day[kept]], minlength=PHASES)
    return tuple(poisson_rate(count, days) for count, days in zip(counts.tolist(), worked.tolist(), strict=True))


def phases_of_days(request: TrendRequest) -> NDArray[np.int64]:
    """Return the phase of each local day (days,), 0 to 7."""
    days = (request.last - request.first).days + 1
    midnights = (local_midnight(request.first + timedelta(days=number), request.zone) for number in range(days))
    noons = np.array([microseconds(midnight + _HALF_DAY) // 1000 for midnight in midnights])
    return np.asarray(np.rint(moon_phase(noons) / (360 / PHASES)).astype(np.int64) % PHASES)
