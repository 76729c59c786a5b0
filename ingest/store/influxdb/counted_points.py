"""Layout of detection points in InfluxDB, whose fields state whether a point is counted.

Tags cannot be changed, and InfluxDB 3 cannot delete points. Every detection point therefore has fields that state
whether it counts; a correction writes a point with the new taxon, and sets the old one to count no more.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import msgspec

from contract import Detection, Event
from ingest.store.influxdb.line_protocol import tag_text, value_text
from ingest.store.influxdb.points import box_and_span
from ingest.store.order import is_hour_known
from ingest.store.taxon_key import taxon_of

VERDICT_CERTAINTY = 1.0  # a verdict passes every threshold


@dataclass(frozen=True, slots=True)
class EffectiveVerdict:
    """The latest verdict on one detection, which replaces the machine's label in counts."""

    outcome: str
    taxon: str
    observation_type: str
    classified_by: str


class PointKey(NamedTuple):
    """The tags that distinguish the detection points of one event."""

    ordinal: int
    observation_type: str
    taxon: str
    model: str


class _Point(msgspec.Struct, gc=False):
    """Fields of a detection point; ``found`` contains the machine's fields as line protocol.

    By default, a point does not count.
    """

    found: str = ""
    certainty: float = 0.0
    counts: bool = False
    leads: bool = False
    animals: int = 1
    review: str = "replaced"
    classified_by: str | None = None


def detection_lines(
    event: Event, at_ns: int, verdicts: Mapping[int, EffectiveVerdict], existing: Iterable[PointKey] = ()
) -> list[bytes]:
    """Return the line-protocol lines of an event's detection points, including points that no longer count.

    Args:
        event: The event as it was sent.
        at_ns: Timestamp of its points.
        verdicts: The latest verdict on each detection, by ordinal.
        existing: Points already stored, some of which may come from earlier verdicts.
    """
    points = {key: _Point() for key in existing}
    for detection in event.detections:
        key = PointKey(detection.ordinal, detection.observation_type, taxon_of(detection), detection.model)
        found = _found(detection)
        verdict = verdicts.get(detection.ordinal)
        if verdict is None:
            counts = detection.observation_type != "blank"
            by = "" if key in points else None  # replaces the name of who decided before a withdrawal
            points[key] = _Point(found, detection.confidence, counts, review="machine", classified_by=by)
        else:
            points[key] = _Point(found, review=verdict.outcome, classified_by=verdict.classified_by)
            _add_verdict_point(points, verdict, detection.ordinal, detection.model, found)
    if not event.detections and (verdict := verdicts.get(0)) is not None:
        _add_verdict_point(points, verdict, 0, "none", "")
    for point in _leading(points):
        point.leads = True
    animals = Counter((key.taxon, key.observation_type) for key, point in points.items() if point.counts)
    for key, point in points.items():
        point.animals = animals[key.taxon, key.observation_type] or 1
    hour_known = is_hour_known(event, at_ns // 1000)
    return [line for key, point in points.items() for line in _lines(event, key, point, at_ns, hour_known)]


def _add_verdict_point(
    points: dict[PointKey, _Point], verdict: EffectiveVerdict, ordinal: int, model: str, found: str
) -> None:
    if verdict.outcome == "dismissed" or verdict.observation_type == "blank":
        return
    key = PointKey(ordinal, verdict.observation_type, verdict.taxon, model)
    points[key] = _Point(found, VERDICT_CERTAINTY, True, review=verdict.outcome, classified_by=verdict.classified_by)


def _leading(points: Mapping[PointKey, _Point]) -> list[_Point]:
    """Return the most confident counted point of each taxon and observation type in an event.

    Counting only these points counts the event once per taxon.
    """
    best: dict[tuple[str, str], _Point] = {}
    for key, point in points.items():
        group = (key.taxon, key.observation_type)
        if point.counts and (group not in best or point.certainty > best[group].certainty):
            best[group] = point
    return list(best.values())


def _found(detection: Detection) -> str:
    fields = f",label={value_text(detection.identification.label)},confidence={value_text(detection.confidence)}"
    if detection.box is None and detection.span is None:
        return fields
    position = box_and_span(detection)
    return fields + "".join(f",{name}={text}" for name in position if (text := value_text(position[name])))


def _lines(event: Event, key: PointKey, point: _Point, at_ns: int, hour_known: bool) -> tuple[bytes, bytes]:
    """Return two lines of a point: one for ``detection`` with all tags, one for ``detection_by_taxon`` with few tags.

    Few tags make queries over all stations fast. A point that counts in no hour has the field ``untimed``.
    """
    all_tags, few_tags = _tags(key, event.sensor, event.station)
    counted = (
        f"certainty={value_text(float(point.certainty))},counts={int(point.counts)}i,"
        f'event_id="{event.event_id}",leads={int(point.leads)}i'
    )
    if not hour_known:
        counted += f",untimed={int(point.counts)}i"
    by = "" if point.classified_by is None else f",classified_by={value_text(point.classified_by)}"
    return (
        f'{all_tags} animals={point.animals}i,{counted}{by},review="{point.review}"{point.found} {at_ns}'.encode(),
        f'{few_tags} {counted},station="{event.station}" {at_ns}'.encode(),
    )


@lru_cache(maxsize=10_000)
def _tags(key: PointKey, sensor: str, station: str) -> tuple[str, str]:
    kind = (("observationType", key.observation_type), ("ordinal", str(key.ordinal)), ("taxon", key.taxon))
    place = (("model", key.model), ("sensor", sensor), ("station", station))
    return f"detection{tag_text(kind + place)}", f"detection_by_taxon{tag_text(kind)}"
