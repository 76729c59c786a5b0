"""Grouping of captures into visits of one animal, person or vehicle, by the times at which they were taken."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contract import Detection, new_event_id


@dataclass(frozen=True, slots=True)
class Visit:
    """A series of captures of one sensor with only short pauses between them.

    Attributes:
        visit_id: Shared by the captures of the visit.
        series: Captures that may share a visit: the name of the sensor.
        start: Time of the first capture.
        end: Time at which the last capture ended.
        best: Best score of each label that was detected in the visit so far.
    """

    visit_id: str
    series: str
    start: datetime
    end: datetime
    best: Mapping[str, float]

    def distance(self, moment: datetime) -> timedelta:
        """Return the time between the visit and a moment; 0 within the visit."""
        return max(self.start - moment, moment - self.end, timedelta(0))

    def with_capture(self, captured_at: datetime, scores: Mapping[str, float], duration_s: float = 0.0) -> "Visit":
        """Return the visit with one more capture, its score of each label and its duration in seconds."""
        best = {label: max(score, self.best.get(label, 0.0)) for label, score in scores.items()}
        end = max(self.end, captured_at + timedelta(seconds=duration_s))
        return replace(self, start=min(self.start, captured_at), end=end, best={**self.best, **best})

    def improved_by(self, scores: Mapping[str, float]) -> bool:
        """Return whether a capture shows a label that is new in the visit, or one better than all before it."""
        return any(score > self.best.get(label, -1.0) for label, score in scores.items())


class Visits:
    """Assigns the captures of one sensor to visits, whatever the order in which they arrive."""

    def __init__(self, gap_s: float, around: Callable[[str, datetime], Sequence[Visit]]) -> None:
        """Set the longest pause between two captures of one visit.

        Args:
            gap_s: Longest pause between two captures of one visit, in seconds.
            around: Returns the stored visits of a series directly before and after a moment.
        """
        self._gap = timedelta(seconds=gap_s)
        self._around = around

    def visit_of(self, series: str, captured_at: datetime) -> Visit:
        """Return the visit of a capture: the nearest one within the gap, else a new one.

        A capture between two visits extends the nearer one; two visits are never joined, since their captures may have
        been sent already.
        """
        stored = self._around(series, captured_at)
        nearest = min(stored, key=lambda visit: visit.distance(captured_at), default=None)
        if nearest is not None and nearest.distance(captured_at) <= self._gap:
            return nearest
        return Visit(new_event_id(), series, captured_at, captured_at, {})


def scores_of(detections: Sequence[Detection], sharpness: float = 1.0) -> dict[str, float]:
    """Return the score of a capture for each of its labels: the best confidence, weighted by the sharpness.

    Args:
        detections: Detections of the capture.
        sharpness: Sharpness of the picture, 0 to 1; 1 for sound.
    """
    scores: dict[str, float] = {}
    for detection in detections:
        score = round(detection.confidence * sharpness, 4)
        scores[detection.label] = max(score, scores.get(detection.label, 0.0))
    return scores
