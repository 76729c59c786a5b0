"""Reading of events and verdicts from InfluxDB, by id or newest first."""

import time
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from contract import Event
from contract.validation import decode_stored
from ingest.store.influxdb.conditions import all_of, any_of, bounds, integer
from ingest.store.influxdb.connection import InfluxConnection
from ingest.store.influxdb.counted_points import EffectiveVerdict
from ingest.store.influxdb.decisions import MEASUREMENT as DECISIONS
from ingest.store.influxdb.decisions import filtered, is_filtered
from ingest.store.influxdb.line_protocol import from_tag
from ingest.store.influxdb.points import MILLISECOND_NS, clamp_ns, id_time, verdict_base_time
from ingest.store.influxdb.timestamp_allocator import (
    REACH_NS,
    AllocatedTimestamp,
    TimestampAllocator,
    TimestampRequest,
    merge_ranges,
)
from ingest.store.microseconds import EPOCH, MICROSECOND, microseconds
from ingest.store.port import EventQuery, ListedEvent
from ingest.store.taxon_key import stored_names

_CACHED_EVENTS = 3_000  # about 10 MB; the review queue sorts 2,000 flagged events to its front
_EVENT = '"event_id", "payload", "listed_us"'
_KEY = '"event_id", "station", "listed_us", "captured_us"'
_LARGEST_PORTION = 20_000  # rows without payload, about 3 MB
_DAY_NS = 86_400 * 1_000 * MILLISECOND_NS


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A stored event, the timestamp of its point in nanoseconds since 1970, and the time under which it is listed."""

    event: Event
    at_ns: int
    listed_us: int


class InfluxDbListing:
    """Read access to events and verdicts in InfluxDB, with a cache of events."""

    def __init__(self, link: InfluxConnection) -> None:
        """Create the listing with an empty cache of events."""
        self._link = link
        # Events never change, and every page of the review queue reads the same flagged ones.
        self._cache: dict[str, StoredEvent] = {}
        self._index = TimestampAllocator(link, "event_index", "event_id", by_station=False, also=("at_ns", "station"))

    def find_in_index(self, event_ids: Collection[str]) -> dict[str, AllocatedTimestamp]:
        """Return the timestamp of each event's point in the measurement ``event_index``, by event id.

        An event that is not stored gets a free timestamp.
        """
        return dict(zip(event_ids, self._index.find(_in_index(event_ids)), strict=True))

    @contextmanager
    def claim_in_index(self, event_ids: Collection[str]) -> Iterator[dict[str, AllocatedTimestamp]]:
        """Return timestamps like ``find_in_index``, and reserve the free timestamps during the ``with`` block."""
        with self._index.claim(_in_index(event_ids)) as places:
            yield dict(zip(event_ids, places, strict=True))

    def stored(self, event_ids: Collection[str]) -> list[StoredEvent]:
        """Return those of the given events that are stored, from the cache or from InfluxDB."""
        cache = self._cache
        found = [cache[event_id] for event_id in event_ids if event_id in cache]
        missing = [event_id for event_id in event_ids if event_id not in cache]
        return found + self.stored_at(self.find_in_index(missing))

    def stored_at(self, places: Mapping[str, AllocatedTimestamp]) -> list[StoredEvent]:
        """Return the stored ones of some events from InfluxDB, by the places of their points in ``event_index``."""
        new = self._read_at(_indexed(places))
        self._add_to_cache(new)
        return new

    def payloads(self, event_ids: Sequence[str]) -> dict[str, bytes]:
        """Return the messages of events; see ``Store.payloads``."""
        places = self.find_in_index(tuple(dict.fromkeys(event_ids)))
        return {row["event_id"]: row["payload"].encode() for row in self._rows_at(_indexed(places))}

    def _add_to_cache(self, some: Iterable[StoredEvent]) -> None:
        cached = self._cache | {one.event.event_id: one for one in some}
        # Replaced, not changed in place: several threads read it.
        self._cache = dict(islice(cached.items(), max(0, len(cached) - _CACHED_EVENTS), None))

    def verdicts_of(self, event_ids: Iterable[str]) -> dict[str, dict[int, EffectiveVerdict]]:
        """Return the latest verdict on each detection of the given events, by event id and ordinal."""
        wanted = set(event_ids)
        latest: dict[tuple[str, int], dict[str, Any]] = {}
        for first, last in merge_ranges((at, at + MILLISECOND_NS + REACH_NS) for at in map(verdict_base_time, wanted)):
            for row in self._link.rows(f'SELECT * FROM "verdict" WHERE time >= {first} AND time <= {last}'):
                if any(row[name] is None for name in row if name != "sequence"):
                    continue  # a partially written point; its writer recounts the event afterwards
                key = (row["event_id"], integer(row["ordinal"]))
                if key[0] in wanted and (key not in latest or _order(row) >= _order(latest[key])):
                    latest[key] = row
        found: dict[str, dict[int, EffectiveVerdict]] = {}
        for (event_id, ordinal), row in latest.items():
            of_event = found.setdefault(event_id, {})  # also where every verdict was withdrawn
            if row["outcome"] != "withdrawn":
                of_event[ordinal] = EffectiveVerdict(
                    row["outcome"], from_tag(row["taxon"]), row["observation_type"], row["classified_by"]
                )
        return found

    def listing(self, query: EventQuery) -> list[ListedEvent]:
        """List the events that meet a query, newest first; see ``Store.listing``."""
        if query.event_ids:
            return self._by_id(query)
        found: dict[str, StoredEvent] = {}
        for rows in self._portions(query, _EVENT, lambda: query.limit - len(found)):
            with_payload = bool(rows) and "payload" in rows[0]
            places = {row["event_id"]: (row["time"], from_tag(row["station"])) for row in rows if not with_payload}
            stored = [_stored(row) for row in rows] if with_payload else self._read_at(places)
            found.update({one.event.event_id: one for one in stored if _matches(query, one)})
        return _newest(query, found.values())

    def keys(self, query: EventQuery) -> list[tuple[datetime, str]]:
        """List the sort keys of the events that meet a query, newest first; see ``Store.keys``."""
        if query.event_ids or query.taxa or query.observation_types:
            return [one.key for one in self.listing(query)]
        found: dict[str, int] = {}
        for rows in self._portions(query, _KEY, lambda: query.limit - len(found)):
            for row in rows:
                time_us = integer(row["captured_us"] if row["listed_us"] is None else row["listed_us"])
                if query.matches(from_tag(row["station"]), time_us, row["event_id"]):
                    found[row["event_id"]] = time_us
        keys = sorted(((time_us, event_id) for event_id, time_us in found.items()), reverse=True)[: query.limit]
        return [(EPOCH + time_us * MICROSECOND, event_id) for time_us, event_id in keys]

    def _filtered(self, query: EventQuery, stored: Sequence[StoredEvent]) -> list[StoredEvent]:
        rows = [{"time": one.at_ns, "event_id": one.event.event_id} for one in stored]
        kept = {row["event_id"] for row in filtered(self._link, replace(query, stations=()), rows)}
        return [one for one in stored if one.event.event_id in kept]

    def _portions(
        self, query: EventQuery, fields: str, missing: Callable[[], int]
    ) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Yield rows of events, newest first, until none are missing; a row may still not match the query."""
        first, before = bounds(query.start, query.end)
        if query.after is not None:
            before = min(before, clamp_ns(microseconds(query.after[0])) + MILLISECOND_NS)
        size = query.limit
        for start, end in backward_windows(first, before, time.time_ns()):
            cut: int | None = end
            while cut is not None and missing() > 0:
                rows, cut = self._portion(query, fields, start, cut, size)
                if not is_filtered(query):
                    yield rows
                    continue
                yield _newest_rows(filtered(self._link, query, rows), missing())
                size = min(4 * size, max(_LARGEST_PORTION, query.limit))  # few of them may match
            if missing() <= 0:
                return

    def _by_id(self, query: EventQuery) -> list[ListedEvent]:
        stored = self.stored(tuple(dict.fromkeys(query.event_ids)))
        if query.taxa or query.observation_types:
            counted = any_of("taxon", stored_names(query.taxa)) + any_of("observationType", query.observation_types)
            found = {
                row["event_id"]
                for first, last in merge_ranges((one.at_ns, one.at_ns) for one in stored)
                for row in self._counting((), [f"time >= {first}", f"time <= {last}", *counted], "")
            }
            stored = [one for one in stored if one.event.event_id in found]
        if is_filtered(query):
            stored = [
                one
                for first, last in merge_ranges((one.at_ns, one.at_ns) for one in stored)
                for one in self._filtered(query, [one for one in stored if first <= one.at_ns <= last])
            ]
        return _newest(query, [one for one in stored if _matches(query, one)])

    def _portion(
        self, query: EventQuery, fields: str, start: int, end: int, size: int
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Return the newest rows of a time range, and the end of the unread part of the range, if there is one.

        A millisecond is read as a whole.
        """
        within_range = [f"time >= {start}", f"time < {end}"]
        rows = self._scan(query, fields, within_range, f"ORDER BY time DESC LIMIT {size}")
        before = None
        if len(rows) >= size:
            # Within a millisecond, events are in the order of a hash, so the last millisecond is read completely.
            before = rows[-1]["time"] // MILLISECOND_NS * MILLISECOND_NS
            rows += self._scan(query, fields, [f"time >= {before}", f"time < {rows[-1]['time']}"], "")
        return [
            row for row in rows if row["event_id"] is not None and row.get("payload", "") is not None
        ], before  # without partial points

    def _scan(self, query: EventQuery, fields: str, conditions: Sequence[str], ending: str) -> list[dict[str, Any]]:
        if query.taxa or query.observation_types:
            counted = any_of("taxon", stored_names(query.taxa)) + any_of("observationType", query.observation_types)
            return self._counting(query.stations, [*conditions, *counted], ending)
        condition = all_of([*conditions, *any_of("station", query.stations)])
        if query.decided:
            where = f'{condition} AND "decided" = 1'
            return self._link.rows(
                f'SELECT "event_id", "station", "listed_us", "decided" FROM "{DECISIONS}" WHERE {where} {ending}'
            )
        chosen = _KEY if is_filtered(query) else fields
        return self._link.rows(f'SELECT {chosen} FROM "event" WHERE {condition} {ending}')

    def _counting(self, stations: Sequence[str], conditions: Iterable[str], ending: str) -> list[dict[str, Any]]:
        measurement = "detection" if stations else "detection_by_taxon"
        where = all_of([*conditions, *any_of("station", stations), '"counts" = 1'])
        return self._link.rows(f'SELECT "event_id", "station", "counts" FROM "{measurement}" WHERE {where} {ending}')

    def _read_at(self, places: Mapping[str, tuple[int, str]]) -> list[StoredEvent]:
        return [_stored(row) for row in self._rows_at(places)]

    def _rows_at(self, places: Mapping[str, tuple[int, str]]) -> list[dict[str, Any]]:
        """Read the points of the events at the given timestamps and stations.

        With the station in the query, InfluxDB opens one series per event.
        """
        found: list[dict[str, Any]] = []
        ordered = sorted(places.values())
        for first, last in merge_ranges(((time_ns, time_ns) for time_ns, _ in ordered), MILLISECOND_NS):
            within_span = ordered[bisect_left(ordered, (first, "")) : bisect_left(ordered, (last + 1, ""))]
            stations = any_of("station", sorted({station for _, station in within_span}))
            conditions = all_of([f"time >= {first}", f"time <= {last}", *stations])
            rows = self._link.rows(f'SELECT {_EVENT} FROM "event" WHERE {conditions}')
            found += [row for row in rows if row["event_id"] in places and places[row["event_id"]][0] == row["time"]]
        return found


def backward_windows(first: int, before: int, now: int) -> Iterator[tuple[int, int]]:
    """Split a time range into windows, latest first, each eight times as long as the previous window.

    InfluxDB opens every series in every shard that a query touches, so the search starts where the newest events
    likely are. The first window includes events that a wrong clock put into the future.

    Args:
        first: Start of the range in nanoseconds since 1970, included.
        before: End of the range, not included.
        now: Current time in nanoseconds since 1970, near which the newest events are expected.
    """
    length, start = _DAY_NS, min(now, before)
    while before > first:
        start = max(first, start - length)
        yield start, before
        before, length = start, 8 * length


def _indexed(places: Mapping[str, AllocatedTimestamp]) -> dict[str, tuple[int, str]]:
    """Return timestamp and station of the points of those events that the index knows."""
    return {
        event_id: (integer(place.row["at_ns"]), place.row["station"])
        for event_id, place in places.items()
        if place.exists
    }


def _in_index(event_ids: Iterable[str]) -> list[TimestampRequest]:
    return [TimestampRequest("", id_time(event_id), event_id) for event_id in event_ids]


def _stored(row: Mapping[str, Any]) -> StoredEvent:
    event = decode_stored(row["payload"], Event)
    listed_us = row["listed_us"]  # older points are listed by the time of capture
    return StoredEvent(event, row["time"], microseconds(event.captured_at) if listed_us is None else integer(listed_us))


def _order(verdict: Mapping[str, Any]) -> int:
    sequence = verdict.get("sequence")  # older points have their time only
    return integer(verdict["decided_us"] if sequence is None else sequence)


def _matches(query: EventQuery, stored: StoredEvent) -> bool:
    return query.matches(stored.event.station, stored.listed_us, stored.event.event_id)


def _newest(query: EventQuery, found: Iterable[StoredEvent]) -> list[ListedEvent]:
    ordered = sorted(found, key=lambda one: (one.listed_us, one.event.event_id), reverse=True)
    return [ListedEvent(one.event, EPOCH + one.listed_us * MICROSECOND) for one in ordered[: query.limit]]


def _newest_rows(rows: Sequence[Mapping[str, Any]], wanted: int) -> list[Mapping[str, Any]]:
    """Return at least the given number of newest rows, with all rows of the last one's millisecond."""
    ordered = sorted(rows, key=lambda row: int(row["time"]), reverse=True)
    if len(ordered) <= wanted:
        return ordered
    last = ordered[wanted - 1]["time"] // MILLISECOND_NS * MILLISECOND_NS
    return [row for row in ordered if row["time"] >= last]
