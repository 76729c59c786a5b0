"""Finds each record a nanosecond of its own, or the one it has: so none overwrites another, and a repeat adds nothing.

A measurement is used as a hash table laid along time: a record asks for a nanosecond that its id chooses, and takes the
next one that is free. The same id always finds the same place.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from ingest.store.influxdb.connection import InfluxConnection
from ingest.store.influxdb.line_protocol import from_tag

REACH_NS = 1_000  # how far is looked ahead; who finds all of it taken looks once more from there
GAP_NS = 2_000_000_000  # records nearer to each other than this are looked up in one query

_Claims = Mapping[tuple[str, int], str]  # whose each place is to be


class TimestampRequest(msgspec.Struct, frozen=True, gc=False):
    """A record and where it would like to stand: its station (or ""), the nanosecond, its id."""

    station: str
    time_ns: int
    id: str


class AllocatedTimestamp(msgspec.Struct, frozen=True, gc=False):
    """Where a record stands, and what stood there of it before."""

    time_ns: int
    taken: bool
    row: Mapping[str, Any] = {}


class TimestampAllocator:
    """One measurement in which no two records of a station share a nanosecond."""

    def __init__(
        self, link: InfluxConnection, measurement: str, id_field: str, by_station: bool = True, also: Sequence[str] = ()
    ) -> None:
        """Name the measurement, the field by which its records are known, and further fields to read."""
        self._link = link
        self._measurement = measurement
        self._id_field = id_field
        self._by_station = by_station
        columns = [id_field, *also, *(["station"] if by_station else [])]
        self._columns = ", ".join(f'"{column}"' for column in columns)
        self._changing = threading.Lock()
        self._claims: tuple[_Claims, ...] = ()

    def places(self, wanted: Sequence[TimestampRequest]) -> list[AllocatedTimestamp]:
        """Find a place for each; equal ones get the same, and only the first of them finds it free."""
        return self._places(wanted, {})

    @contextmanager
    def claim(self, wanted: Sequence[TimestampRequest]) -> Iterator[list[AllocatedTimestamp]]:
        """Find places, and keep those that are free for these records until the block ends: while they are written.

        What another block has claimed for the same record is free: nobody knows yet whether that will be written.
        Two threads may be in such blocks at once, but not both at their beginning.
        """
        # The claims first: who lets go of one between this and the question has its points standing by then.
        claimed: dict[tuple[str, int], str] = {}
        for others in self._claims:
            claimed |= others
        places = self._places(wanted, claimed)
        mine = {(one.station, place.time_ns): one.id for one, place in zip(wanted, places, strict=True)}
        with self._changing:
            self._claims += (mine,)
        try:
            yield places
        finally:
            with self._changing:
                self._claims = tuple(claims for claims in self._claims if claims is not mine)

    def _places(self, wanted: Sequence[TimestampRequest], claimed: _Claims) -> list[AllocatedTimestamp]:
        known = self._standing((one.time_ns, one.time_ns + REACH_NS) for one in wanted)
        return [self._place(one, known, claimed) for one in wanted]

    def _place(
        self, one: TimestampRequest, known: dict[tuple[str, int], Mapping[str, Any]], claimed: _Claims
    ) -> AllocatedTimestamp:
        time_ns, seen_until = one.time_ns, one.time_ns + REACH_NS
        while True:
            key = (one.station, time_ns)
            standing, holder = known.get(key), claimed.get(key)
            if holder == one.id or (standing is None and holder is None):
                known[key] = {self._id_field: one.id}
                return AllocatedTimestamp(time_ns, taken=False)
            if standing is not None and standing[self._id_field] == one.id:
                return AllocatedTimestamp(time_ns, taken=True, row=standing)
            time_ns += 1
            if time_ns > seen_until:
                seen_until = time_ns + 100 * REACH_NS
                known.update(self._standing([(time_ns, seen_until)]))

    def _standing(self, spans: Iterable[tuple[int, int]]) -> dict[tuple[str, int], Mapping[str, Any]]:
        return {
            (from_tag(row["station"]) if self._by_station else "", row["time"]): row
            for first, last in together(spans)
            for row in self._link.rows(
                f'SELECT {self._columns} FROM "{self._measurement}" WHERE time >= {first} AND time <= {last}'
            )
        }


def together(spans: Iterable[tuple[int, int]], gap_ns: int = GAP_NS) -> Iterator[tuple[int, int]]:
    """Join spans of time that are nearer to each other than a gap, so that each is one query."""
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
