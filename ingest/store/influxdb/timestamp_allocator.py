"""Allocator of a unique timestamp for each record, so that no InfluxDB point overwrites another.

A measurement is used as a hash table over time with linear probing: a hash of the id selects a nanosecond, and the
record takes the next free one. The same id always finds the same timestamp.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from ingest.store.influxdb.connection import InfluxConnection
from ingest.store.influxdb.line_protocol import from_tag

REACH_NS = 1_000  # range of one probe; if all of it is taken, the search continues from its end
GAP_NS = 2_000_000_000  # records closer than this are looked up in one query

_Claims = Mapping[tuple[str, int], str]  # (station, timestamp) to the id that claims it


class TimestampRequest(msgspec.Struct, frozen=True, gc=False):
    """Request for the timestamp of a record, with the record's id.

    Attributes:
        station: Station of the record, or "" if stations share the timestamps.
        time_ns: Preferred timestamp in nanoseconds since 1970.
        id: Unique id of the record.
    """

    station: str
    time_ns: int
    id: str


class AllocatedTimestamp(msgspec.Struct, frozen=True, gc=False):
    """Timestamp of a record, and the stored point if the record is stored already.

    Attributes:
        time_ns: Timestamp in nanoseconds since 1970.
        exists: Whether the record is stored already.
        row: The stored point, by column; empty if the record is not stored.
    """

    time_ns: int
    exists: bool
    row: Mapping[str, Any] = {}


class TimestampAllocator:
    """Allocator of timestamps in one measurement; no two records of one station share a timestamp."""

    def __init__(
        self, link: InfluxConnection, measurement: str, id_field: str, by_station: bool = True, also: Sequence[str] = ()
    ) -> None:
        """Create the allocator of timestamps in one InfluxDB measurement.

        ``id_field`` is the field that contains a record's id, and ``also`` names further fields to read.
        """
        self._link = link
        self._measurement = measurement
        self._id_field = id_field
        self._by_station = by_station
        columns = [id_field, *also, *(["station"] if by_station else [])]
        self._columns = ", ".join(f'"{column}"' for column in columns)
        self._claims_lock = threading.Lock()
        self._claims: tuple[_Claims, ...] = ()

    def find(self, wanted: Sequence[TimestampRequest]) -> list[AllocatedTimestamp]:
        """Return the timestamp of each record: that of its stored point, or a free one.

        Equal records share a timestamp, and ``exists`` is False only for the first of them.
        """
        return self._find(wanted, {})

    @contextmanager
    def claim(self, wanted: Sequence[TimestampRequest]) -> Iterator[list[AllocatedTimestamp]]:
        """Find a timestamp for each record, and reserve the free timestamps during the ``with`` block.

        A timestamp that another block has claimed for the same record counts as free, since that block may fail.
        Threads may be in such blocks concurrently, but the caller must serialise entering them.
        """
        # Copy the claims before the query: a claim released in between has its points stored by the time of the query.
        claimed: dict[tuple[str, int], str] = {}
        for others in self._claims:
            claimed |= others
        places = self._find(wanted, claimed)
        mine = {(one.station, place.time_ns): one.id for one, place in zip(wanted, places, strict=True)}
        with self._claims_lock:
            self._claims += (mine,)
        try:
            yield places
        finally:
            with self._claims_lock:
                self._claims = tuple(claims for claims in self._claims if claims is not mine)

    def _find(self, wanted: Sequence[TimestampRequest], claimed: _Claims) -> list[AllocatedTimestamp]:
        known = self._existing((one.time_ns, one.time_ns + REACH_NS) for one in wanted)
        return [self._find_one(one, known, claimed) for one in wanted]

    def _find_one(
        self, one: TimestampRequest, known: dict[tuple[str, int], Mapping[str, Any]], claimed: _Claims
    ) -> AllocatedTimestamp:
        time_ns, seen_until = one.time_ns, one.time_ns + REACH_NS
        while True:
            key = (one.station, time_ns)
            row, holder = known.get(key), claimed.get(key)
            if holder == one.id or (row is None and holder is None):
                known[key] = {self._id_field: one.id}
                return AllocatedTimestamp(time_ns, exists=False)
            if row is not None and row[self._id_field] == one.id:
                return AllocatedTimestamp(time_ns, exists=True, row=row)
            time_ns += 1
            if time_ns > seen_until:
                seen_until = time_ns + 100 * REACH_NS
                known.update(self._existing([(time_ns, seen_until)]))

    def _existing(self, spans: Iterable[tuple[int, int]]) -> dict[tuple[str, int], Mapping[str, Any]]:
        return {
            (from_tag(row["station"]) if self._by_station else "", row["time"]): row
            for first, last in merge_ranges(spans)
            for row in self._link.rows(
                f'SELECT {self._columns} FROM "{self._measurement}" WHERE time >= {first} AND time <= {last}'
            )
        }


def merge_ranges(spans: Iterable[tuple[int, int]], gap_ns: int = GAP_NS) -> Iterator[tuple[int, int]]:
    """Merge time ranges whose distance is at most ``gap_ns``, so that one query reads each merged range."""
    ordered = sorted(spans)
    if not ordered:
        return
    first, last = ordered[0]
    for start, end in ordered[1:]:
        if start > last + gap_ns:
            yield first, last
            first, last = start, end
        last = max(last, end)
    yield first, last
