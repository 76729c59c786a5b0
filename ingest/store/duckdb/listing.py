"""Finds captures in a DuckDB store, by id or newest first, without reading what is not listed."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from contract import Event
from ingest.store.duckdb.conditions import all_of, any_of, within
from ingest.store.microseconds import microseconds
from ingest.store.port import EventQuery

Read = Callable[[str, list[Any]], list[tuple[Any, ...]]]
Key = tuple[int, str]  # captured_us, event_id: by these captures are sorted
AT_ONCE = 1_000  # ids in one question; from 2,048 on DuckDB reads the whole table instead of its index


class DuckDbListing:
    """Reads captures."""

    def __init__(self, read: Read, detection: str = "detection") -> None:
        """Read by what runs one question, from the table of detections or from what stands for it."""
        self._read = read
        self._detection = detection

    def events(self, query: EventQuery) -> list[Event]:
        """See ``Store.events``."""
        if query.limit <= 0:
            return []
        if query.event_ids:
            keys = sorted(self._wanted(query), reverse=True)[: query.limit]
        elif query.taxa or query.observation_types:
            keys = self._newest(self._detection, query, *_counting_as(query))
        else:
            keys = self._newest("event", query)
        payloads: dict[str, str] = {}
        for portion in portions([event_id for _, event_id in keys]):
            payloads |= self._by_id("event_id, payload", portion)
        return [msgspec.json.decode(payloads[event_id], type=Event) for _, event_id in keys]

    def _wanted(self, query: EventQuery) -> list[Key]:
        """Find those of the ids asked for that meet the rest of the question."""
        found: list[Key] = []
        for portion in portions(list(dict.fromkeys(query.event_ids))):
            rows = self._by_id("captured_us, event_id, station", portion)
            keys = [
                (time_us, event_id) for time_us, event_id, station in rows if query.matches(station, time_us, event_id)
            ]
            if keys and (query.taxa or query.observation_types):
                conditions, values = _counting_as(query)
                any_of(
                    conditions,
                    values,
                    {"captured_us": [time_us for time_us, _ in keys], "event_id": [event_id for _, event_id in keys]},
                )
                sql = f"SELECT DISTINCT captured_us, event_id FROM {self._detection} WHERE {all_of(conditions)}"
                keys = [(time_us, event_id) for time_us, event_id in self._read(sql, values)]
            found += keys
        return found

    def _newest(
        self, table: str, query: EventQuery, also: Sequence[str] = (), also_values: Sequence[Any] = ()
    ) -> list[Key]:
        """Find the newest captures of which a table has rows that meet the question.

        Times alone are sorted first, being quick to read; ids only of what is as new as the last of these.
        """
        conditions, values = within(query.start, query.end)
        any_of(conditions, values, {"station": query.stations})
        conditions += also
        values += also_values
        if query.after is not None:
            conditions.append("captured_us <= ?")
            values.append(microseconds(query.after[0]))
        rows_wanted = query.limit
        while True:
            times = self._read(
                f"SELECT captured_us FROM {table} WHERE {all_of(conditions)} ORDER BY captured_us DESC LIMIT ?",
                [*values, rows_wanted],
            )
            if not times:
                return []
            exactly, exact_values = [*conditions, "captured_us >= ?"], [*values, times[-1][0]]
            if query.after is not None:
                exactly.append("(captured_us, event_id) < (?, ?)")
                exact_values += [microseconds(query.after[0]), query.after[1]]
            keys = self._read(
                f"SELECT DISTINCT captured_us, event_id FROM {table} WHERE {all_of(exactly)} "
                "ORDER BY captured_us DESC, event_id DESC LIMIT ?",
                [*exact_values, query.limit],
            )
            # One capture may have several such rows, and some may have been on the page before.
            if len(keys) == query.limit or len(times) < rows_wanted:
                return [(time_us, event_id) for time_us, event_id in keys]
            rows_wanted *= 4

    def _by_id(self, columns: str, event_ids: Sequence[str]) -> list[tuple[Any, ...]]:
        # Without an order or a limit, which would keep DuckDB from its index.
        return self._read(
            f"SELECT {columns} FROM event WHERE event_id IN ({', '.join('?' * len(event_ids))})", [*event_ids]
        )


def portions(event_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Divide ids into as many questions as they need."""
    for start in range(0, len(event_ids), AT_ONCE):
        yield event_ids[start : start + AT_ONCE]


def _counting_as(query: EventQuery) -> tuple[list[str], list[Any]]:
    conditions, values = ["counts_as IS NOT NULL"], list[Any]()
    any_of(conditions, values, {"counts_as": query.taxa, "counts_as_type": query.observation_types})
    return conditions, values
