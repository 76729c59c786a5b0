"""Finds captures and verdicts in InfluxDB: by id, or newest first."""

import time
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from contract import Event
from ingest.store.influxdb.conditions import all_of, any_of, bounds, integer
from ingest.store.influxdb.connection import InfluxConnection
from ingest.store.influxdb.counted_points import JudgedPoints
from ingest.store.influxdb.line_protocol import from_tag
from ingest.store.influxdb.points import MILLISECOND_NS, held, id_time, verdicts_from
from ingest.store.influxdb.timestamp_allocator import (
    REACH_NS,
    AllocatedTimestamp,
    TimestampAllocator,
    TimestampRequest,
    together,
)
from ingest.store.microseconds import microseconds
from ingest.store.port import EventQuery

_REMEMBERED = 3_000  # captures; some 10 MB. The queue sorts 2,000 flagged ones to its front
_DAY_NS = 86_400 * 1_000 * MILLISECOND_NS


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A capture and the nanosecond it stands at."""

    event: Event
    at_ns: int


class InfluxDbListing:
    """Reads captures and verdicts; writes nothing."""

    def __init__(self, link: InfluxConnection) -> None:
        """Read through this link."""
        self._link = link
        self._read: dict[
            str, StoredEvent
        ] = {}  # captures never change; the queue asks for the same flagged ones at every page
        self._index = TimestampAllocator(link, "event_index", "event_id", by_station=False, also=("at_ns", "station"))

    def index_places(self, event_ids: Collection[str]) -> dict[str, AllocatedTimestamp]:
        """Find where captures are, or will be, in the index."""
        return dict(zip(event_ids, self._index.places(_in_index(event_ids)), strict=True))

    @contextmanager
    def claim_index_places(self, event_ids: Collection[str]) -> Iterator[dict[str, AllocatedTimestamp]]:
        """Find the same, for captures that will be written before the block ends; see ``TimestampAllocator.claim``."""
        with self._index.claim(_in_index(event_ids)) as places:
            yield dict(zip(event_ids, places, strict=True))

    def stored(self, event_ids: Collection[str]) -> list[StoredEvent]:
        """Read those of the captures that are there."""
        found = {event_id: self._read[event_id] for event_id in event_ids if event_id in self._read}
        places = self.index_places([event_id for event_id in event_ids if event_id not in found])
        new = self._at(
            {
                event_id: (integer(place.row["at_ns"]), place.row["station"])
                for event_id, place in places.items()
                if place.taken
            }
        )
        self._remember(new)
        return [*found.values(), *new]

    def _remember(self, some: Iterable[StoredEvent]) -> None:
        remembered = self._read | {one.event.event_id: one for one in some}
        # Made anew and not changed: pages ask from several threads.
        self._read = dict(islice(remembered.items(), max(0, len(remembered) - _REMEMBERED), None))

    def judged(self, event_ids: Iterable[str]) -> dict[str, dict[int, JudgedPoints]]:
        """Read the verdicts in force: the latest on each detection, for captures that have any."""
        wanted = set(event_ids)
        latest: dict[tuple[str, int], dict[str, Any]] = {}
        for first, last in together((at, at + MILLISECOND_NS + REACH_NS) for at in map(verdicts_from, wanted)):
            for row in self._link.rows(f'SELECT * FROM "verdict" WHERE time >= {first} AND time <= {last}'):
                if None in row.values():
                    continue  # a reader may see a point half written; whoever writes it counts it afterwards
                key = (row["event_id"], integer(row["ordinal"]))
                if key[0] in wanted and (key not in latest or row["decided_us"] >= latest[key]["decided_us"]):
                    latest[key] = row
        found: dict[str, dict[int, JudgedPoints]] = {}
        for (event_id, ordinal), row in latest.items():
            found.setdefault(event_id, {})[ordinal] = JudgedPoints(
                row["outcome"], from_tag(row["taxon"]), row["observation_type"], row["classified_by"]
            )
        return found

    def events(self, query: EventQuery) -> list[Event]:
        """See ``Store.events``."""
        if query.event_ids:
            return self._by_id(query)
        found: dict[str, Event] = {}
        first, before = bounds(query.start, query.end)
        if query.after is not None:
            before = min(before, held(microseconds(query.after[0])) + MILLISECOND_NS)
        for start, end in going_back(first, before, time.time_ns()):
            cut: int | None = end
            while cut is not None and len(found) < query.limit:
                stored, cut = self._portion(query, start, cut)
                found |= {one.event.event_id: one.event for one in stored if _matches(query, one.event)}
            if len(found) >= query.limit:
                break
        return _newest(query, found.values())

    def _by_id(self, query: EventQuery) -> list[Event]:
        stored = self.stored(tuple(dict.fromkeys(query.event_ids)))
        if query.taxa or query.observation_types:
            counted = any_of("taxon", query.taxa) + any_of("observationType", query.observation_types)
            found = {
                row["event_id"]
                for first, last in together((one.at_ns, one.at_ns) for one in stored)
                for row in self._counting((), [f"time >= {first}", f"time <= {last}", *counted], "")
            }
            stored = [one for one in stored if one.event.event_id in found]
        return _newest(query, [one.event for one in stored if _matches(query, one.event)])

    def _portion(self, query: EventQuery, start: int, end: int) -> tuple[list[StoredEvent], int | None]:
        """Read the newest captures from a stretch, whole milliseconds of them, and say before which time to go on."""
        within_stretch = [f"time >= {start}", f"time < {end}"]
        rows = self._scan(query, within_stretch, f"ORDER BY time DESC LIMIT {query.limit}")
        before = None
        if len(rows) >= query.limit:
            # Within a millisecond captures stand in the order of a hash: the last one begun is read to its end.
            before = rows[-1]["time"] // MILLISECOND_NS * MILLISECOND_NS
            rows += self._scan(query, [f"time >= {before}", f"time < {rows[-1]['time']}"], "")
        rows = [row for row in rows if None not in row.values()]  # else it is being written at this moment
        if rows and "payload" in rows[0]:
            return [StoredEvent(_read(row), row["time"]) for row in rows], before
        return self._at({row["event_id"]: (row["time"], from_tag(row["station"])) for row in rows}), before

    def _scan(self, query: EventQuery, conditions: Sequence[str], ending: str) -> list[dict[str, Any]]:
        if not query.taxa and not query.observation_types:
            asked = all_of([*conditions, *any_of("station", query.stations)])
            return self._link.rows(f'SELECT "event_id", "payload" FROM "event" WHERE {asked} {ending}')
        counted = any_of("taxon", query.taxa) + any_of("observationType", query.observation_types)
        return self._counting(query.stations, [*conditions, *counted], ending)

    def _counting(self, stations: Sequence[str], conditions: Iterable[str], ending: str) -> list[dict[str, Any]]:
        measurement = "detection" if stations else "detection_by_taxon"
        asked = all_of([*conditions, *any_of("station", stations), '"counts" = 1'])
        return self._link.rows(f'SELECT "event_id", "station", "counts" FROM "{measurement}" WHERE {asked} {ending}')

    def _at(self, places: Mapping[str, tuple[int, str]]) -> list[StoredEvent]:
        """Read captures where they are; with its station named, only one series is opened for each."""
        found: list[StoredEvent] = []
        ordered = sorted(places.values())
        for first, last in together(((time_ns, time_ns) for time_ns, _ in ordered), MILLISECOND_NS):
            within_span = ordered[bisect_left(ordered, (first, "")) : bisect_left(ordered, (last + 1, ""))]
            stations = any_of("station", sorted({station for _, station in within_span}))
            conditions = all_of([f"time >= {first}", f"time <= {last}", *stations])
            rows = self._link.rows(f'SELECT "event_id", "payload" FROM "event" WHERE {conditions}')
            found += [
                StoredEvent(_read(row), row["time"])
                for row in rows
                if row["event_id"] in places and places[row["event_id"]][0] == row["time"]
            ]
        return found


def going_back(first: int, before: int, now: int) -> Iterator[tuple[int, int]]:
    """Cut a stretch of time into pieces, the latest first, each eight times as long as the one after it.

    InfluxDB opens every series in every shard that a question reaches, so the newest captures are asked for where they
    likely are. What a broken clock put into the future is in the first piece.

    Args:
        first: Where the stretch begins, in nanoseconds since 1970.
        before: Where it ends, itself not in it.
        now: The time; before it the newest captures are looked for.
    """
    length, start = _DAY_NS, min(now, before)
    while before > first:
        start = max(first, start - length)
        yield start, before
        before, length = start, 8 * length


def _in_index(event_ids: Iterable[str]) -> list[TimestampRequest]:
    return [TimestampRequest("", id_time(event_id), event_id) for event_id in event_ids]


def _read(row: Mapping[str, Any]) -> Event:
    return msgspec.json.decode(row["payload"], type=Event)


def _matches(query: EventQuery, event: Event) -> bool:
    return query.matches(event.station, microseconds(event.captured_at), event.event_id)


def _newest(query: EventQuery, events: Iterable[Event]) -> list[Event]:
    ordered = sorted(events, key=lambda event: (microseconds(event.captured_at), event.event_id), reverse=True)
    return ordered[: query.limit]
