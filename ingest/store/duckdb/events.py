"""Writing of events and their detections to DuckDB."""

from collections.abc import Mapping, Sequence, Set

import duckdb

from contract import Event
from ingest.store.conflict import conflict_with, conflict_with_payload
from ingest.store.duckdb.clock_shifts import ShiftedEvent, corrected_event, insert_shifted, shifted, shifts_in_force
from ingest.store.duckdb.columns import as_table, detection_columns, event_columns
from ingest.store.duckdb.counting import recount
from ingest.store.duckdb.listing import portions
from ingest.store.duckdb.records import write_model_use
from ingest.store.microseconds import microseconds
from ingest.store.model_use import days_of_use
from ingest.store.order import listed_us
from ingest.store.port import Conflict, Received


def write_events(
    connection: duckdb.DuckDBPyConnection, items: Sequence[Received], newest_us: int
) -> tuple[int, list[Conflict], int, dict[str, Event]]:
    """Insert the new events of a batch, within a transaction of the caller.

    Args:
        connection: Connection of the store.
        items: The batch; records other than events are left out.
        newest_us: The time under which the newest stored event is listed, in microseconds since 1970.

    Returns:
        Number of new events, conflicts, ``newest_us`` after the insertion, and the events whose clock is corrected.
    """
    first: dict[str, tuple[Event, Received]] = {}
    again: list[tuple[Event, Received]] = []  # further events of the batch with the same id
    for item in items:
        event = item.record
        if isinstance(event, Event) and first.setdefault(event.event_id, (event, item))[1] is not item:
            again.append((event, item))
    if not first:
        return 0, [], newest_us, {}
    listed: dict[str, int] = {}
    for event_id, (event, item) in first.items():
        listed[event_id] = listed_us(event, microseconds(item.received_at), newest_us)
    moved: dict[str, ShiftedEvent] = {}
    corrected: dict[str, Event] = {}
    if shifts := shifts_in_force(connection):
        for event_id, (event, item) in first.items():
            correction = shifted(shifts, event, microseconds(item.received_at), listed[event_id])
            if correction is not None:
                moved[event_id] = correction
                corrected[event_id] = corrected_event(event, correction.shift_us)
                listed[event_id] = microseconds(event.captured_at) + correction.shift_us
    with as_table(connection, "arrived", event_columns(first.values(), listed)):
        rows = connection.execute(
            "INSERT INTO event SELECT * EXCLUDE (blank), false, blank FROM arrived "
            "ON CONFLICT DO NOTHING RETURNING event_id"
        ).fetchall()
    new = [row[0] for row in rows]
    conflicts = _conflicts(connection, first, again, set(new))
    if not new:
        return 0, conflicts, newest_us, corrected
    with as_table(connection, "found", detection_columns(first, new, listed, moved.keys())):
        connection.execute(
            "INSERT INTO detection SELECT * EXCLUDE (leads, listed_us, hour_known, sensor, animals), "
            "CASE WHEN observation_type <> 'blank' THEN taxon END, "
            "CASE WHEN observation_type <> 'blank' THEN observation_type END, "
            "confidence, leads AND observation_type <> 'blank', listed_us, hour_known, false, sensor, animals "
            "FROM found"
        )
    if moved:
        insert_shifted(connection, [moved[event_id] for event_id in new if event_id in moved])
    write_model_use(connection, days_of_use((first[event_id][0], listed[event_id]) for event_id in new))
    judged = set(new).intersection(
        row[0] for row in connection.execute("SELECT event_id FROM judged_before").fetchall()
    )
    for portion in portions(sorted(judged)):
        recount(connection, portion)
        connection.execute("DELETE FROM judged_before WHERE list_contains(?::VARCHAR[], event_id)", [list(portion)])
    return len(new), conflicts, max(newest_us, *(listed[event_id] for event_id in new)), corrected


def _conflicts(
    connection: duckdb.DuckDBPyConnection,
    first: Mapping[str, tuple[Event, Received]],
    again: Sequence[tuple[Event, Received]],
    new: Set[str],
) -> list[Conflict]:
    """Compare the events that were not inserted with those that the store has under their ids."""
    known = [event_id for event_id in first if event_id not in new]
    payloads: dict[str, bytes] = {}
    for portion in portions(known):
        marks = ", ".join("?" * len(portion))
        rows = connection.execute(f"SELECT event_id, payload FROM event WHERE event_id IN ({marks})", [*portion])
        payloads |= {event_id: payload.encode() for event_id, payload in rows.fetchall()}
    found = [conflict_with_payload(first[event_id][1], payloads[event_id]) for event_id in known]
    for event, item in again:
        payload = payloads.get(event.event_id)
        stored = first[event.event_id][0]
        found.append(conflict_with(item, stored) if payload is None else conflict_with_payload(item, payload))
    return [conflict for conflict in found if conflict is not None]
