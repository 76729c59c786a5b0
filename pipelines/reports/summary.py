"""What the store and the casebook know about a period: the figures of the work summary."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from casebook.flags import Flag
from casebook.verdicts import Verdict
from contract import Deployment, Event
from i18n.taxonomy import Taxonomy, shipped_taxonomy
from ingest.store.effort import EffortQuery, SensorEffort
from ingest.store.port import EventQuery, ListedEvent
from ingest.store.simulated import simulated_stations
from pipelines.camtrap_dp.classified import classify
from pipelines.trends.independence import USUAL_INTERVAL, independent_records
from pipelines.trends.rates import Rate, poisson_rate

PAGE = 1_000  # events read at once
NATIONAL = {"I": 1, "II": 2}


class SummarySource(Protocol):
    """The part of a detection store that a summary reads; see ``Store``."""

    def listing(self, query: EventQuery) -> list[ListedEvent]:
        """See ``Store.listing``."""
        ...

    def effort(self, query: EffortQuery) -> list[SensorEffort]:
        """See ``Store.effort``."""
        ...

    def deployments(self) -> list[Deployment]:
        """See ``Store.deployments``."""
        ...


class DecisionSource(Protocol):
    """The part of a casebook that a summary reads."""

    def verdicts_of(self, event_ids: Sequence[str]) -> Mapping[str, Sequence[Verdict]]:
        """See ``Casebook.verdicts_of``."""
        ...

    def flags_raised(self, start: datetime, end: datetime) -> list[Flag]:
        """See ``Casebook.flags_raised``."""
        ...


@dataclass(frozen=True, slots=True)
class SpeciesRecords:
    """Independent records of one taxon.

    Attributes:
        key: Accepted name.
        class_name: Class of the taxon; "" if not known.
        level: Level in the national list: 1 or 2; None: not listed.
        records: Number of independent records.
        rate: Records per 100 sensor-days with its interval; None without effort.
    """

    key: str
    class_name: str
    level: int | None
    records: int
    rate: Rate | None


@dataclass(frozen=True, slots=True)
class Watch:
    """Working time of the sensors.

    Attributes:
        stations: Stations that reported effort or sent a capture.
        sensors: Sensors that reported effort.
        watched_days: Sensor-days in which they watched; None if no sensor reported effort.
        gap_days: Sensor-days in which they reported a gap, by its cause.
        simulated: Number of the stations that are simulated.
    """

    stations: tuple[str, ...]
    sensors: int
    watched_days: float | None
    gap_days: Mapping[str, float]
    simulated: int = 0

    @property
    def watched_share(self) -> float | None:
        """Watched part of the time for which sensors accounted, 0 to 1; None without effort."""
        if self.watched_days is None:
            return None
        return self.watched_days / (self.watched_days + sum(self.gap_days.values()))


@dataclass(frozen=True, slots=True)
class Decisions:
    """Flags raised in the period, and what people decided.

    Attributes:
        flagged: Number of flagged captures.
        open: Flagged captures on which nobody has decided.
        confirmed: Flagged captures of which a detection was confirmed or corrected to something that is there.
        dismissed: Flagged captures of which every decided detection was dismissed.
        confirmed_by_kind: The confirmed ones by kind of finding: "human", "vehicle", "animal" or a sound's label.
        minutes_to_decision: Time from the flag within which nine in ten were decided; None if none was decided.
    """

    flagged: int
    open: int
    confirmed: int
    dismissed: int
    confirmed_by_kind: Mapping[str, int]
    minutes_to_decision: float | None


@dataclass(frozen=True, slots=True)
class PeriodSummary:
    """The figures of a period.

    Attributes:
        start: Start of the period, with offset.
        end: End of the period, not included.
        watch: Working time.
        species: Records by taxon, most first.
        captures: Number of captures.
        untimed: Captures left out of the records because their time is not known.
        decisions: Flags and decisions.
        station_gaps: Sensor-days of gaps by station and cause, longest first.
    """

    start: datetime
    end: datetime
    watch: Watch
    species: tuple[SpeciesRecords, ...]
    captures: int
    untimed: int
    decisions: Decisions
    station_gaps: tuple[tuple[str, str, float], ...]

    @property
    def records(self) -> int:
        """Number of independent records of all animals."""
        return sum(one.records for one in self.species)


def summarise(
    start: datetime, end: datetime, store: SummarySource, casebook: DecisionSource, taxonomy: Taxonomy | None = None
) -> PeriodSummary:
    """Read the figures of a period.

    Records are independent if 30 minutes have passed since the last independent one of the same taxon at the same
    station. A person's verdict counts instead of the machine's detection.

    Args:
        start: Start of the period, with offset.
        end: End of the period, not included.
        store: The detections and the effort.
        casebook: The flags and the verdicts.
        taxonomy: Names and protection lists; None: the shipped ones.

    Raises:
        StoreUnavailable: a database does not answer.
    """
    names = taxonomy or shipped_taxonomy()
    effort = store.effort(EffortQuery(start, end))
    gaps = _gaps(effort)
    times: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    stations = {one.station for one in effort}
    captures = untimed = 0
    for event, verdicts in _events(start, end, store, casebook):
        captures += 1
        stations.add(event.station)
        if event.clock.source == "none":
            untimed += 1
            continue
        keys = {one.key for one in classify(event, verdicts, names) if one.observation_type == "animal"}
        for key in keys:
            times[event.station, key].append(event.captured_at)
    watched = _watched(effort)
    return PeriodSummary(
        start,
        end,
        Watch(
            tuple(sorted(stations)),
            len(effort),
            watched,
            _by_cause(gaps),
            len(stations & simulated_stations(store.deployments())),
        ),
        _species(times, watched, names),
        captures,
        untimed,
        _decisions(casebook, start, end),
        tuple(sorted(((*where, days) for where, days in gaps.items()), key=lambda row: -row[2])),
    )


def _events(
    start: datetime, end: datetime, store: SummarySource, casebook: DecisionSource
) -> Iterator[tuple[Event, Sequence[Verdict]]]:
    query = EventQuery(start=start, end=end, limit=PAGE)
    while page := store.listing(query):
        verdicts = casebook.verdicts_of([one.event.event_id for one in page])
        for one in page:
            yield one.event, verdicts.get(one.event.event_id, ())
        query = replace(query, after=page[-1].key)


def _species(
    times: Mapping[tuple[str, str], list[datetime]], watched: float | None, names: Taxonomy
) -> tuple[SpeciesRecords, ...]:
    records: dict[str, int] = defaultdict(int)
    for (_, key), moments in times.items():
        records[key] += sum(independent_records(sorted(moments), USUAL_INTERVAL))
    found = []
    for key, number in records.items():
        taxon = names.find(key, "animal")
        levels = [NATIONAL[one.level] for one in names.protection(key) if one.level in NATIONAL]
        rate = None if watched is None else poisson_rate(number, watched)
        class_name = taxon.class_name if taxon else ""
        found.append(SpeciesRecords(key, class_name, min(levels, default=None), number, rate))
    return tuple(sorted(found, key=lambda one: (-one.records, one.key)))


def _watched(effort: Sequence[SensorEffort]) -> float | None:
    if not effort:
        return None
    spans = (span for sensor in effort for span in sensor.intervals if span.state == "watching")
    return sum(((span.end - span.start) / timedelta(days=1) for span in spans), 0.0) or None


def _gaps(effort: Sequence[SensorEffort]) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = defaultdict(float)
    for sensor in effort:
        for span in sensor.intervals:
            if span.state != "watching":
                found[sensor.station, span.state] += (span.end - span.start) / timedelta(days=1)
    return found


def _by_cause(gaps: Mapping[tuple[str, str], float]) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for (_, cause), days in gaps.items():
        found[cause] += days
    return dict(found)


def _decisions(casebook: DecisionSource, start: datetime, end: datetime) -> Decisions:
    flags: dict[str, list[Flag]] = defaultdict(list)
    for flag in casebook.flags_raised(start, end):
        flags[flag.event_id].append(flag)
    verdicts = casebook.verdicts_of(list(flags))
    confirmed: dict[str, int] = defaultdict(int)
    still_open = dismissed = 0
    waits = []
    for event_id, raised in flags.items():
        decided = verdicts.get(event_id, ())
        closed = [flag.closed_at for flag in raised if flag.closed_at is not None]
        if closed:
            waits.append((min(closed) - min(flag.raised_at for flag in raised)) / timedelta(minutes=1))
        if any(one.outcome != "dismissed" and one.observation_type != "blank" for one in decided):
            for kind in {_kind(flag) for flag in raised}:
                confirmed[kind] += 1
        elif decided:
            dismissed += 1
        else:
            still_open += 1
    return Decisions(
        len(flags),
        still_open,
        len(flags) - still_open - dismissed,
        dismissed,
        dict(sorted(confirmed.items())),
        sorted(waits)[-(-9 * len(waits) // 10) - 1] if waits else None,
    )


def _kind(flag: Flag) -> str:
    return flag.reason_values.get("label", "label") if flag.reason_key == "label" else flag.reason_key
