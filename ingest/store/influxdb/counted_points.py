"""Which points of a capture count: the machine's, or those a person put in their place.

A tag cannot be changed, and InfluxDB 3 cannot delete. So every detection point says in fields whether it counts; a
correction writes a point under the new taxon and tells the old one to count no more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import msgspec

from contract import Detection, Event
from ingest.store.influxdb.line_protocol import tag_text, value_text
from ingest.store.influxdb.points import box_and_span

JUDGED = 1.0  # a person's word passes every threshold


@dataclass(frozen=True, slots=True)
class JudgedPoints:
    """The verdict in force on one detection."""

    outcome: str
    taxon: str
    observation_type: str
    classified_by: str


class PointKey(NamedTuple):
    """The tags that tell the points of one capture apart."""

    ordinal: int
    observation_type: str
    taxon: str
    model: str


class _Point(msgspec.Struct, gc=False):
    """What a point says; by itself that it counts no more. ``found``: what the machine did, as further fields."""

    found: str = ""
    certainty: float = 0.0
    counts: bool = False
    leads: bool = False
    review: str = "replaced"
    classified_by: str | None = None


def detection_lines(
    event: Event, at_ns: int, judged: Mapping[int, JudgedPoints], standing: Iterable[PointKey] = ()
) -> list[bytes]:
    """Write all points of a capture: those that count, and those that count no more.

    Args:
        event: The capture as it was sent.
        at_ns: Where it stands.
        judged: The verdict in force by ordinal.
        standing: Points it has already, of which some may be of earlier verdicts.
    """
    points = {key: _Point() for key in standing}
    for detection in event.detections:
        taxon = detection.scientific_name or detection.label
        key = PointKey(detection.ordinal, detection.observation_type, taxon, detection.model)
        found = _found(detection)
        verdict = judged.get(detection.ordinal)
        if verdict is None:
            counts = detection.observation_type != "blank"
            points[key] = _Point(found, detection.confidence, counts, review="machine")
        else:
            points[key] = _Point(found, review=verdict.outcome, classified_by=verdict.classified_by)
            _put_in_place(points, verdict, detection.ordinal, detection.model, found)
    if not event.detections and (verdict := judged.get(0)) is not None:
        _put_in_place(points, verdict, 0, "none", "")
    for point in _leading(points):
        point.leads = True
    return [line for key, point in points.items() for line in _lines(event, key, point, at_ns)]


def _put_in_place(points: dict[PointKey, _Point], verdict: JudgedPoints, ordinal: int, model: str, found: str) -> None:
    if verdict.outcome == "dismissed" or verdict.observation_type == "blank":
        return
    key = PointKey(ordinal, verdict.observation_type, verdict.taxon, model)
    points[key] = _Point(found, JUDGED, True, review=verdict.outcome, classified_by=verdict.classified_by)


def _leading(points: Mapping[PointKey, _Point]) -> list[_Point]:
    """Choose one point for each taxon in the capture, the surest: by these, captures are counted and not animals."""
    surest: dict[tuple[str, str], _Point] = {}
    for key, point in points.items():
        group = (key.taxon, key.observation_type)
        if point.counts and (group not in surest or point.certainty > surest[group].certainty):
            surest[group] = point
    return list(surest.values())


def _found(detection: Detection) -> str:
    said = f",label={value_text(detection.label)},confidence={value_text(detection.confidence)}"
    if detection.box is None and detection.span is None:
        return said
    where = box_and_span(detection)
    return said + "".join(f",{name}={text}" for name in where if (text := value_text(where[name])))


def _lines(event: Event, key: PointKey, point: _Point, at_ns: int) -> tuple[bytes, bytes]:
    """Write a point twice: with all of its marks, and with few, for what is asked of all stations together."""
    with_all, with_few = _marks(key, event.sensor, event.station)
    counted = (
        f"certainty={value_text(float(point.certainty))},counts={int(point.counts)}i,"
        f'event_id="{event.event_id}",leads={int(point.leads)}i'
    )
    by_whom = "" if point.classified_by is None else f",classified_by={value_text(point.classified_by)}"
    return (
        f'{with_all} {counted}{by_whom},review="{point.review}"{point.found} {at_ns}'.encode(),
        f'{with_few} {counted},station="{event.station}" {at_ns}'.encode(),
    )


@lru_cache(maxsize=10_000)
def _marks(key: PointKey, sensor: str, station: str) -> tuple[str, str]:
    kind = (("observationType", key.observation_type), ("ordinal", str(key.ordinal)), ("taxon", key.taxon))
    place = (("model", key.model), ("sensor", sensor), ("station", station))
    return f"detection{tag_text(kind + place)}", f"detection_by_taxon{tag_text(kind)}"
