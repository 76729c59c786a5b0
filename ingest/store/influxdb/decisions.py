"""Points that say which events are decided, and the filter of listings by them.

A point of the measurement ``decision`` has the timestamp of the event's point, so that later verdicts overwrite it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from contract import Event
from ingest.store.influxdb.conditions import all_of, any_of
from ingest.store.influxdb.connection import InfluxConnection
from ingest.store.influxdb.counted_points import EffectiveVerdict
from ingest.store.influxdb.line_protocol import tag_text
from ingest.store.port import EventQuery

MEASUREMENT = "decision"


def decision_line(event: Event, at_ns: int, listed_us: int, verdicts: Mapping[int, EffectiveVerdict]) -> bytes:
    """Return the line-protocol line that says whether every detection of an event has a verdict."""
    ordinals = {detection.ordinal for detection in event.detections} or {0}
    decided = int(ordinals <= verdicts.keys())
    tags = tag_text((("station", event.station),))
    return f'{MEASUREMENT}{tags} decided={decided}i,event_id="{event.event_id}",listed_us={listed_us}i {at_ns}'.encode()


def complete_line(at_ns: int) -> bytes:
    """Return the line of the point that says that the verdicts of older versions have their points."""
    return f'{MEASUREMENT} decided=0i,event_id="",listed_us=0i {at_ns}'.encode()


def is_filtered(query: EventQuery) -> bool:
    """Return whether a query depends on verdicts, so that its events are found by their points first."""
    return query.decided is not None or query.blank


def filtered(link: InfluxConnection, query: EventQuery, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the rows of events that meet the conditions ``decided`` and ``blank`` of a query.

    Args:
        link: Connection to the database.
        query: The query.
        rows: Rows of a contiguous range of time, each with ``time`` and ``event_id``.
    """
    if not rows:
        return []
    times = [int(row["time"]) for row in rows]
    conditions = [f"time >= {min(times)}", f"time <= {max(times)}", *any_of("station", query.stations)]
    if query.decided is not None:
        decided = _event_ids(link, MEASUREMENT, [*conditions, '"decided" = 1'])
        rows = [row for row in rows if (row["event_id"] in decided) == query.decided]
    if query.blank:
        counted = _event_ids(link, "detection", [*conditions, '"counts" = 1'])
        rows = [row for row in rows if row["event_id"] not in counted]
    return list(rows)


def _event_ids(link: InfluxConnection, measurement: str, conditions: Iterable[str]) -> set[str]:
    return {row["event_id"] for row in link.rows(f'SELECT "event_id" FROM "{measurement}" WHERE {all_of(conditions)}')}
