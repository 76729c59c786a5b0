"""Which points of a capture count: the machine's, or those a person put in their place.

A tag cannot be changed, and InfluxDB 3 cannot delete. So every detection point says in fields whether it counts; a
correction writes a point under the new taxon and tells the old one to count no more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from contract import Event
from ingest.store.influx_points import box_and_span
from ingest.store.line_protocol import Value, tag_text, value_text

JUDGED = 1.0  # a person's word passes every threshold


@dataclass(frozen=True, slots=True)
class Judged:
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
    """What a point says; by itself that it counts no more."""

    found: Mapping[str, Value] = {}
    certainty: float = 0.0
    counts: bool = False
    leads: bool = False
    review: str = "replaced"
    classified_by: str | None = None


def detection_lines(
    event: Event, at_ns: int, judged: Mapping[int, Judged], standing: Iterable[PointKey] = ()
) -> list[str]:
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
        found = {"label": detection.label, "confidence": detection.confidence, **box_and_span(detection)}
        verdict = judged.get(detection.ordinal)
        if verdict is None:
            counts = detection.observation_type != "blank"
            points[key] = _Point(found, detection.confidence, counts, review="machine")
        else:
            points[key] = _Point(found, review=verdict.outcome, classified_by=verdict.classified_by)
            _put_in_place(points, verdict, detection.ordinal, detection.model, found)
    if not event.detections and (verdict := judged.get(0)) is not None:
        _put_in_place(points, verdict, 0, "none", {})
    for point in _leading(points):
        point.leads = True
    return [line for key, point in points.items() for line in _lines(event, key, point, at_ns)]


def _put_in_place(
    points: dict[PointKey, _Point], verdict: Judged, ordinal: int, model: str, found: Mapping[str, Value]
) -> None:
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


def _lines(event: Event, key: PointKey, point: _Point, at_ns: int) -> tuple[str, str]:
    """Write a point twice: with all of its marks, and with few, for what is asked of all stations together."""
    kind = (("observationType", key.observation_type), ("ordinal", str(key.ordinal)), ("taxon", key.taxon))
    place = (("model", key.model), ("sensor", event.sensor), ("station", event.station))
    certainty, counts, leads = value_text(float(point.certainty)), int(point.counts), int(point.leads)
    counted = f'certainty={certainty},counts={counts}i,event_id="{event.event_id}",leads={leads}i'
    more = "".join(
        f",{name}={text}"
        for name, value in (("classified_by", point.classified_by), ("review", point.review), *point.found.items())
        if (text := value_text(value))
    )
    return (
        f"detection{tag_text(kind + place)} {counted}{more} {at_ns}",
        f'detection_by_taxon{tag_text(kind)} {counted},station="{event.station}" {at_ns}',
    )
