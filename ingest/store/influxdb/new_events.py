"""Times and points of new events in InfluxDB."""

import time
from collections.abc import Iterator, Sequence

import msgspec

from contract import Event
from ingest.store.influxdb.conditions import integer
from ingest.store.influxdb.connection import InfluxConnection
from ingest.store.influxdb.counted_points import detection_lines
from ingest.store.influxdb.listing import backward_windows
from ingest.store.influxdb.points import FIRST_NS, LAST_NS, event_line, id_time, receipt_line
from ingest.store.influxdb.records import model_use_lines
from ingest.store.influxdb.timestamp_allocator import TimestampAllocator, TimestampRequest
from ingest.store.microseconds import microseconds
from ingest.store.model_use import days_of_use
from ingest.store.order import listed_us
from ingest.store.port import Received


class NewEvent(msgspec.Struct, frozen=True, gc=False):
    """A new event, with the timestamps under which InfluxDB will store it and its index entry."""

    item: Received
    event: Event
    at_ns: int
    index_ns: int
    listed_us: int


def event_lines(fresh: Sequence[NewEvent]) -> Iterator[bytes]:
    """Yield the line-protocol lines of new events and of their detections."""
    for one in fresh:
        yield event_line(one.item, one.event, one.at_ns, one.listed_us)
        yield from detection_lines(one.event, one.at_ns, {})
    yield from model_use_lines(days_of_use((one.event, one.listed_us) for one in fresh))


def listed_times(
    link: InfluxConnection, receipts: TimestampAllocator, fresh: Sequence[tuple[Received, Event]], newest_us: int
) -> list[int]:
    """Return the time under which each new event is listed, in microseconds since 1970.

    A time of receipt is written to ``event_receipt`` first, so that a redelivery after a crash finds it again.

    Args:
        link: Connection to the database.
        receipts: Allocator of timestamps in ``event_receipt``.
        fresh: New events.
        newest_us: The time under which the newest stored event is listed.
    """
    listed = [listed_us(event, microseconds(item.received_at), newest_us) for item, event in fresh]
    unbelieved = [n for n, (_, event) in enumerate(fresh) if listed[n] != microseconds(event.captured_at)]
    if unbelieved:
        events = [fresh[n][1] for n in unbelieved]
        requests = [TimestampRequest("", id_time(event.event_id), event.event_id) for event in events]
        lines = []
        for n, event, place in zip(unbelieved, events, receipts.find(requests), strict=True):
            if place.exists:
                listed[n] = integer(place.row["listed_us"])
            else:
                lines.append(receipt_line(event, listed[n], place.time_ns))
        link.write(lines)
    return listed


def newest_listed(link: InfluxConnection) -> int:
    """Return the time under which the newest event is listed; 0 if there is none."""
    for start, end in backward_windows(FIRST_NS, LAST_NS, time.time_ns()):
        statement = f'SELECT LAST("listed_us") AS "last" FROM "event" WHERE time >= {start} AND time < {end}'
        if rows := link.rows(statement):
            return integer(rows[0]["last"])
    return 0
