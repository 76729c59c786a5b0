"""Listing of events in a DuckDB store, by id or newest first.

Only the payloads of the listed events are read.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from contract import Event
from contract.validation import decode_stored
from ingest.store.duckdb.clock_shifts import corrected_event
from ingest.store.duckdb.conditions import all_of, any_of, within
from ingest.store.duckdb.tables import Relations
from ingest.store.microseconds import EPOCH, MICROSECOND, microseconds
from ingest.store.port import EventQuery, ListedEvent
from ingest.store.taxon_key import stored_names

Read = Callable[[str, list[Any]], list[tuple[Any, ...]]]
Key = tuple[int, str]  # listed_us, event_id: the sort key of events
MAX_IDS = 1_000  # ids per query; from 2,048 on, DuckDB scans the table instead of using its index


class DuckDbListing:
    """Read access to the events of a DuckDB store."""

    def __init__(self, read: Read, relations: Relations) -> None:
        """Create the listing with a function ``read``, which runs one SQL query and returns the rows."""
        self._read = read
        self._event, self._detection = relations.event, relations.detection
        self._shifted = relations.shifted_event

    def listing(self, query: EventQuery) -> list[ListedEvent]:
        """List the events that meet a query, newest first; see ``Store.listing``."""
        keys = self._keys(query)
        payloads = self.payloads([event_id for _, event_id in keys])
        shifts_us = self._shifts_of(list(payloads))
        return [
            _listed(decode_stored(payloads[event_id], Event), EPOCH + time_us * MICROSECOND, shifts_us.get(event_id))
            for time_us, event_id in keys
        ]

    def payloads(self, event_ids: Sequence[str]) -> dict[str, str]:
        """Return the messages of events; see ``Store.payloads``."""
        found: dict[str, str] = {}
        for portion in portions(list(dict.fromkeys(event_ids))):
            found |= self._by_id("event_id, payload", portion)
        return found

    def keys(self, query: EventQuery) -> list[tuple[datetime, str]]:
        """List the sort keys of the events that meet a query, newest first; see ``Store.keys``."""
        return [(EPOCH + time_us * MICROSECOND, event_id) for time_us, event_id in self._keys(query)]

    def _keys(self, query: EventQuery) -> list[Key]:
        if query.limit <= 0:
            return []
        if query.event_ids:
            return sorted(self._wanted(query), reverse=True)[: query.limit]
        if query.taxa or query.observation_types:
            return self._newest(self._detection, query, *_counts_as(query))
        return self._newest(self._event, query, ["blank"] if query.blank else [])

    def _shifts_of(self, event_ids: Sequence[str]) -> dict[str, int]:
        """Return by how many microseconds the clocks of some events were corrected, by event id."""
        found: dict[str, int] = {}
        if self._shifted and self._read(f"SELECT 1 FROM {self._shifted} LIMIT 1", []):
            for portion in portions(event_ids):
                marks = ", ".join("?" * len(portion))
                rows = self._read(
                    f"SELECT event_id, shift_us FROM {self._shifted} WHERE event_id IN ({marks})", [*portion]
                )
                found |= {row[0]: row[1] for row in rows}
        return found

    def _wanted(self, query: EventQuery) -> list[Key]:
        """Return the sort keys of the events with the requested ids that meet the query's other conditions."""
        found: list[Key] = []
        for portion in portions(list(dict.fromkeys(query.event_ids))):
            rows = self._by_id("listed_us, event_id, station, coalesce(decided, false), blank", portion)
            keys = [
                (time_us, event_id)
                for time_us, event_id, station, decided, blank in rows
                if query.matches(station, time_us, event_id)
                and query.decided in (None, decided)
                and (blank or not query.blank)
            ]
            if keys and (query.taxa or query.observation_types):
                conditions, values = _counts_as(query)
                any_of(
                    conditions,
                    values,
                    {"listed_us": [time_us for time_us, _ in keys], "event_id": [event_id for _, event_id in keys]},
                )
                sql = f"SELECT DISTINCT listed_us, event_id FROM {self._detection} WHERE {all_of(conditions)}"
                keys = [(time_us, event_id) for time_us, event_id in self._read(sql, values)]
            found += keys
        return found

    def _newest(
        self, table: str, query: EventQuery, also: Sequence[str] = (), also_values: Sequence[Any] = ()
    ) -> list[Key]:
        """Return the sort keys of the newest events that have a matching row in the given table.

        The first query sorts times only, which is fast; the second reads ids of rows at least as new as the last time.
        """
        conditions, values = within(query.start, query.end)
        any_of(conditions, values, {"station": query.stations})
        if query.decided is not None:
            conditions.append("decided" if query.decided else "coalesce(NOT decided, true)")
        conditions += also
        values += also_values
        if query.after is not None:
            conditions.append("listed_us <= ?")
            values.append(microseconds(query.after[0]))
        rows_wanted = query.limit
        while True:
            times = self._read(
                f"SELECT listed_us FROM {table} WHERE {all_of(conditions)} ORDER BY listed_us DESC LIMIT ?",
                [*values, rows_wanted],
            )
            if not times:
                return []
            bounded, bounded_values = [*conditions, "listed_us >= ?"], [*values, times[-1][0]]
            if query.after is not None:
                bounded.append("(listed_us, event_id) < (?, ?)")
                bounded_values += [microseconds(query.after[0]), query.after[1]]
            keys = self._read(
                f"SELECT DISTINCT listed_us, event_id FROM {table} WHERE {all_of(bounded)} "
                "ORDER BY listed_us DESC, event_id DESC LIMIT ?",
                [*bounded_values, query.limit],
            )
            # An event may have several such rows, and some may have been on the previous page.
            if len(keys) == query.limit or len(times) < rows_wanted:
                return [(time_us, event_id) for time_us, event_id in keys]
            rows_wanted *= 4

    def _by_id(self, columns: str, event_ids: Sequence[str]) -> list[tuple[Any, ...]]:
        # No ORDER BY or LIMIT: they would keep DuckDB from using its index.
        return self._read(
            f"SELECT {columns} FROM {self._event} WHERE event_id IN ({', '.join('?' * len(event_ids))})", [*event_ids]
        )


def _listed(event: Event, at: datetime, shift_us: int | None) -> ListedEvent:
    return ListedEvent(event, at) if shift_us is None else ListedEvent(corrected_event(event, shift_us), at, event)


def portions(event_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Split event ids into sequences of at most ``MAX_IDS`` ids, each for one query."""
    for start in range(0, len(event_ids), MAX_IDS):
        yield event_ids[start : start + MAX_IDS]


def _counts_as(query: EventQuery) -> tuple[list[str], list[Any]]:
    conditions, values = ["counts_as IS NOT NULL"], list[Any]()
    any_of(conditions, values, {"counts_as": stored_names(query.taxa), "counts_as_type": query.observation_types})
    return conditions, values
