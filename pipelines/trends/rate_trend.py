"""Rates of independent records by period, with effort and intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from contract import Deployment
from contract.messages import ObservationType
from ingest.store.port import Store
from ingest.store.simulated import simulated_stations
from ingest.store.taxon_key import taxon_key
from pipelines.trends.changes import Change, changes
from pipelines.trends.counted_records import CountedRecords, EffortTable, count_records, effort_table, of_taxon
from pipelines.trends.intervals import station_rate
from pipelines.trends.periods import Period, TooManyPeriods, split
from pipelines.trends.places import groups
from pipelines.trends.rates import Rate, least_effort_days, poisson_rate
from pipelines.trends.request import TrendRequest

MAX_CELLS = 20_000  # periods of all series; of more, series have totals only
MAX_FITS = 500  # negative-binomial regressions of one request
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cell:
    """Counts and rate of one series in one period.

    Attributes:
        rate: Independent records on days with known effort, over the effort; without effort it is not known.
        independent: Independent records, also on days without known effort.
        captures: Captures with a trusted time.
        animals: Sum over independent records of the largest number of animals in a capture until the next one.
        share: Share of the taxon in the independent records of all animals at the same stations; None without any.
    """

    rate: Rate
    independent: int
    captures: int
    animals: int
    share: float | None


@dataclass(frozen=True, slots=True)
class Series:
    """A taxon, a station, a place or a habitat over all periods.

    Attributes:
        name: Accepted name of the taxon, or name of the station, place or habitat; "" for stations without one.
        observation_type: Type of the taxon; None for another series.
        cells: One for each period; empty if there would be more than ``MAX_CELLS`` in all.
        total: Over all days.
    """

    name: str
    observation_type: ObservationType | None
    cells: tuple[Cell, ...]
    total: Cell


@dataclass(frozen=True, slots=True)
class RateTrend:
    """Rates by period.

    Attributes:
        request: What was asked for, with the accepted name of the taxon.
        periods: The periods.
        overall: All series together.
        series: Each series, the most frequent first.
        untrusted: Captures that are left out because their time is not trusted.
        taxa: Name and type of every taxon recorded in the period, also where one was asked for.
        sensors: Sensor-days by name of the sensor.
        changes: Changes of models and sensors in the period.
        simulated: Simulated stations that are counted, sorted.
    """

    request: TrendRequest
    periods: tuple[Period, ...]
    overall: Series
    series: tuple[Series, ...]
    untrusted: int
    taxa: tuple[tuple[str, ObservationType], ...]
    sensors: Mapping[str, float]
    changes: tuple[Change, ...]
    simulated: tuple[str, ...] = ()


def rate_trend(store: Store, request: TrendRequest, now: datetime | None = None) -> RateTrend:
    """Compute rates with intervals by period.

    Args:
        store: The store.
        request: What is asked for.
        now: The current time; None: the system clock. Later effort is ignored: only a wrong clock reports it.

    Raises:
        TooManyPeriods: the request has too many periods, or too many series and periods for the intervals asked for.
    """
    request = _with_accepted_name(request)
    periods = split(request.first, request.last, request.unit)
    counted = count_records(store, request)
    effort = effort_table(store, request, now)
    deployments = store.deployments()
    table = _Table(request, periods, counted, effort, _group_names(deployments, request))
    noted = changes(store.models_in_use(), deployments, request.first, request.last, request.zone, request.stations)
    return RateTrend(
        request,
        periods,
        table.overall(),
        table.series(),
        counted.untrusted,
        counted.records.taxa,
        effort.by_sensor,
        tuple(noted),
        tuple(sorted(simulated_stations(deployments) & {*counted.records.stations, *effort.stations})),
    )


def overall_rate(store: Store, request: TrendRequest, now: datetime | None = None) -> Rate:
    """Compute the rate of a request over all its days, as ``rate_trend`` does."""
    request = replace(_with_accepted_name(request), unit="year", group_by="taxon")
    periods = split(request.first, request.last, request.unit)
    counted, effort = count_records(store, request), effort_table(store, request, now)
    return _Table(request, periods, counted, effort, None).overall().total.rate


def _with_accepted_name(request: TrendRequest) -> TrendRequest:
    return replace(request, taxon=taxon_key(request.taxon, None) if request.taxon.strip() else "")


def _group_names(deployments: Sequence[Deployment], request: TrendRequest) -> Mapping[str, str] | None:
    """Return the group of each station; None if series are taxa."""
    if request.group_by == "taxon":
        return None
    return {} if request.group_by == "station" else groups(deployments, request.group_by)


class _Table:
    """Counts by series and period."""

    def __init__(
        self,
        request: TrendRequest,
        periods: Sequence[Period],
        counted: CountedRecords,
        effort: EffortTable,
        group_of: Mapping[str, str] | None,
    ) -> None:
        records = counted.records
        self._request, self._count = request, len(periods)
        self._stations = sorted({*records.stations, *effort.stations})
        row = {name: number for number, name in enumerate(self._stations)}
        by_day = np.zeros((len(self._stations) + 1, effort.by_day.shape[1]))  # sensor-days; the last row stays empty
        by_day[[row[name] for name in effort.stations]] = effort.by_day
        self._days = [period.days for period in periods]
        starts = np.cumsum([0, *(period.days for period in periods[:-1])])
        self._effort = np.add.reduceat(by_day, starts, axis=1)[:-1]
        station = np.array([row[name] for name in records.stations] or [0])[records.station]
        period = np.repeat(np.arange(self._count), [one.days for one in periods])[counted.day]
        is_animal = np.array([kind == "animal" for _, kind in records.taxa] or [False])
        counts_for_share = counted.independent & is_animal[records.taxon]
        self._all = self._by_station(station[counts_for_share], period[counts_for_share])
        wanted = of_taxon(records, request.taxon)
        self._station, self._period = station[wanted], period[wanted]
        self._independent, self._animals = counted.independent[wanted], counted.animals[wanted]
        self._has_effort = by_day[station, counted.day][wanted] > 0
        self._is_animal = bool(request.taxon) and bool(is_animal[records.taxon[wanted]].all())
        self._set_series(records.taxa, records.taxon[wanted], group_of)
        if request.method == "negative binomial" and (len(self._names) + 1) * (self._count + 1) > MAX_FITS:
            raise TooManyPeriods(
                f"{self._count} periods of {len(self._names)} series: expected at most {MAX_FITS} in all for "
                "negative-binomial intervals; choose one taxon or longer periods"
            )

    def _by_station(self, station: Integers, period: Integers) -> Integers:
        """Count records by station and period: (stations, periods)."""
        size = len(self._stations) * self._count
        return np.bincount(station * self._count + period, minlength=size).reshape(-1, self._count)

    def _set_series(
        self, taxa: Sequence[tuple[str, ObservationType]], taxon: Integers, group_of: Mapping[str, str] | None
    ) -> None:
        """Set the name of each series, the series of each record, and the stations of each series."""
        self._names: list[tuple[str, ObservationType | None]]
        if group_of is None:
            present = np.unique(taxon)
            self._names = [taxa[code] for code in present]
            self._code = np.searchsorted(present, taxon)
            self._members = [np.ones(len(self._stations), bool)] * len(self._names)
            return
        by_station = self._request.group_by == "station"
        group = [name if by_station else group_of.get(name, "") for name in self._stations]
        names = sorted(set(group))
        self._names = [(name, None) for name in names]
        code_of_station = np.array([names.index(name) for name in group] or [0])
        self._code = code_of_station[self._station]
        self._members = [code_of_station == code for code in range(len(names))]

    def overall(self) -> Series:
        """Return all series together."""
        every = np.arange(len(self._independent))
        return self._one("", None, every, np.ones(len(self._stations), bool), detailed=True)

    def series(self) -> tuple[Series, ...]:
        """Return each series, the most frequent first."""
        detailed = len(self._names) * self._count <= MAX_CELLS
        order = np.argsort(self._code, kind="stable")
        limits = np.searchsorted(self._code[order], np.arange(len(self._names) + 1))
        found = [
            self._one(name, kind, order[limits[code] : limits[code + 1]], self._members[code], detailed)
            for code, (name, kind) in enumerate(self._names)
        ]
        return tuple(sorted(found, key=lambda one: (-one.total.independent, one.name)))

    def _one(
        self, name: str, kind: ObservationType | None, chosen: Integers, members: NDArray[np.bool_], detailed: bool
    ) -> Series:
        period, station, independent = self._period[chosen], self._station[chosen], self._independent[chosen]
        kept = independent & self._has_effort[chosen]
        counts = self._by_station(station[kept], period[kept])[members]
        found = np.bincount(period[independent], minlength=self._count)
        captures = np.bincount(period, minlength=self._count)
        animals = np.bincount(period, self._animals[chosen], minlength=self._count).astype(np.int64)
        effort, everyone = self._effort[members], self._all[members].sum(axis=0)
        has_share = kind == "animal" if kind else self._is_animal

        def cell(rate: Rate, total: int, seen: int, number: int, of_all: int) -> Cell:
            return Cell(rate, total, seen, number, total / of_all if has_share and of_all else None)

        of_periods = (
            zip(
                self._rates(counts, effort, self._days),
                *(column.tolist() for column in (found, captures, animals, everyone)),
                strict=True,
            )
            if detailed
            else ()
        )
        (rate,) = self._rates(counts.sum(axis=1, keepdims=True), effort.sum(axis=1, keepdims=True), (sum(self._days),))
        sums = (int(column.sum()) for column in (found, captures, animals, everyone))
        return Series(name, kind, tuple(cell(*values) for values in of_periods), cell(rate, *sums))

    def _rates(self, counts: Integers, effort_days: Floats, days: Sequence[int]) -> list[Rate]:
        """Return the rate of each column of counts and effort (stations, periods), of periods of so many days."""
        confidence = self._request.confidence
        least = [least_effort_days(number) for number in days]
        if self._request.method == "negative binomial":
            columns = zip(counts.T, effort_days.T, least, strict=True)
            return [station_rate(count, effort, confidence, limit) for count, effort, limit in columns]
        sums = zip(counts.sum(axis=0).tolist(), effort_days.sum(axis=0).tolist(), least, strict=True)
        return [poisson_rate(count, effort, confidence, limit) for count, effort, limit in sums]
