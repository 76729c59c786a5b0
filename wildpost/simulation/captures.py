"""Draws the captures of a simulated station: when, of what, and what a detector would find in them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from contract import Box, Detection, Span
from contract.deployment import SensorKind
from wildpost.simulation.statistics import Finding, Statistics, poisson
from wildpost.simulation.thumbnail import LAYOUTS, SCENES, boxes_of, draw_thumbnail

LOCAL = timedelta(hours=8)  # China has one time zone, without summer time
CLIP_S = 60.0  # length of a recording


@dataclass(frozen=True, slots=True)
class DrawnCapture:
    """A capture to come.

    Attributes:
        at: When.
        sensor: By which sensor.
        finding: Of what; None: of nothing.
        visit_id: Shared by the captures of one visit.
        false: Whether a detector will find ``finding`` although nothing is there.
    """

    at: datetime
    sensor: SensorKind
    finding: Finding | None
    visit_id: str
    false: bool


class CaptureSource:
    """Draws captures of one station from the statistics and a source of random numbers."""

    def __init__(
        self, sensors: Sequence[SensorKind], statistics: Statistics, random: Random, busyness: float = 1.0
    ) -> None:
        """Draw how frequent each finding is at this station, and its landscape.

        Args:
            sensors: Sensors of the station.
            statistics: Frequencies of findings.
            random: Source of random numbers.
            busyness: Captures, as a multiple of the usual number.
        """
        self._sensors, self._statistics, self._random = sensors, statistics, random
        self._factors = [busyness * random.lognormvariate(0, 0.5) for _ in statistics.finding]
        self._blanks = statistics.blank.per_100_days / 100 * busyness
        self._scene = random.randrange(SCENES)

    def draw_day(self, start: datetime) -> Mapping[datetime, Sequence[DrawnCapture]]:
        """Draw the captures until the next local midnight, by hour and in order of time.

        Args:
            start: A whole hour.
        """
        local, random = start + LOCAL, self._random
        visits: list[tuple[Finding | None, SensorKind, str]] = []
        for finding, factor in zip(self._statistics.finding, self._factors, strict=True):
            if finding.sensor in self._sensors:
                season = 12 * finding.months[local.month - 1] / sum(finding.months)
                mean = finding.per_100_days / 100 * season * factor
                visits += [(finding, finding.sensor, finding.activity)] * poisson(mean, random)
        if "camera" in self._sensors:
            visits += [(None, "camera", self._statistics.blank.activity)] * poisson(self._blanks, random)
        found: dict[datetime, list[DrawnCapture]] = {}
        hours = range(24)
        for what, sensor, activity in visits:
            hour = random.choices(hours, self._statistics.activity[activity])[0]
            if hour < local.hour:
                continue  # before the simulated time begins
            begin = start + timedelta(hours=hour - local.hour)
            at = begin + timedelta(seconds=random.uniform(5, 3000))
            visit = drawn_uuid(at, random)
            false = what is not None and random.random() < what.false_share
            for number in range(1 if what is None or sensor == "microphone" else random.choice((1, 1, 2, 3))):
                moment = at + timedelta(seconds=number * random.uniform(8, 90))
                found.setdefault(begin, []).append(DrawnCapture(moment, sensor, what, visit, false))
        for captures in found.values():
            captures.sort(key=lambda one: one.at)
        return found

    def detections(self, one: DrawnCapture) -> tuple[Detection, ...]:
        """Draw what a detector finds in a capture."""
        what, random = one.finding, self._random
        if what is None:
            return ()
        boxes: Sequence[Box | None] = (None,)
        if one.sensor == "camera":
            boxes = boxes_of(what.observation_type, 1 + poisson(what.group - 1, random), random.randrange(LAYOUTS))
        found = []
        for ordinal, box in enumerate(boxes):
            confidence = random.triangular(0.5, 0.85, 0.6) if one.false else random.triangular(0.6, 0.99, 0.93)
            start_s = random.uniform(0, CLIP_S - 3)
            found.append(
                Detection(
                    ordinal=ordinal,
                    label=what.label,
                    observation_type=what.observation_type,
                    confidence=round(confidence, 3),
                    model=self._statistics.model.name,
                    scientific_name=what.scientific_name or None,
                    box=box,
                    span=None if box else Span(start_s=round(start_s, 1), end_s=round(start_s + 3, 1)),
                )
            )
        return tuple(found)

    def thumbnail(self, one: DrawnCapture, detections: Sequence[Detection]) -> bytes:
        """Return the thumbnail of a picture, as JPEG; if the detections are false, only the landscape is in it."""
        boxes = () if one.false else tuple(found.box for found in detections if found.box)
        night = not 6 <= (one.at + LOCAL).hour < 18
        return draw_thumbnail(detections[0].observation_type, boxes, night, self._scene)


def drawn_uuid(at: datetime, random: Random) -> str:
    """Return a UUIDv7 (RFC 9562) of a time whose other bits come from a source of random numbers."""
    drawn = random.getrandbits(12) << 64 | 2 << 62 | random.getrandbits(62)
    return str(uuid.UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | drawn))
