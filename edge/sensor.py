"""A sensor of a station: a source of captures with its trigger and detectors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from captures.decoded import Sound, Unreadable
from edge.capture.clip import Clip
from edge.capture.originals import Originals, Recordings
from edge.capture.port import PassesOver, Source
from models.port import Classifier, Detector


@dataclass(frozen=True, slots=True)
class Sensor:
    """A source of captures with its trigger and detectors.

    Attributes:
        name: Name of the sensor.
        source: Yields the captures.
        looking: Detectors for pictures.
        visit_gap_s: Longest pause between two captures of one visit, in seconds.
        triggered: Cheap test that runs before the detectors; a capture that fails it is only counted.
        listening: Detectors for sound.
        recordings: Stores original recordings of a microphone; None: none are stored, or the source stores them.
        originals: Folder of what the station records itself; its newest file is checked at the start; None: none.
        classifier: Classifies the animals that are found in pictures; None: they are not classified.
    """

    name: str
    source: Source
    looking: Sequence[Detector[Any, Any]]
    visit_gap_s: float
    triggered: Callable[[Clip], bool] = field(default=lambda _clip: True)
    listening: Sequence[Detector[Any, Any]] = ()
    recordings: Recordings | None = None
    classifier: Classifier | None = None
    originals: Originals | None = None

    @property
    def passed_over(self) -> Mapping[str, int]:
        """Number of entries of a watched folder that are no captures, by kind; empty for other sources."""
        return self.source.passed_over if isinstance(self.source, PassesOver) else {}

    def detectors_for(self, clip: Clip) -> Sequence[Detector[Any, Any]]:
        """Return the sensor's detectors for a capture: those for sound or those for pictures.

        Raises:
            Unreadable: the sensor has no detector for it.
        """
        sound = isinstance(clip.content, Sound)
        chosen = self.listening if sound else self.looking
        if not chosen:
            task = "sound" if sound else "pictures"
            raise Unreadable(f"{clip.name}: sensor {self.name!r} has no detector for {task}")
        return chosen
