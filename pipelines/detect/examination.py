"""Lets a detector look at or listen to one file from beginning to end: what was found, or why it cannot be used."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from captures.capture_time import picture_time, recording_time
from captures.decoded import Sound, Unreadable
from captures.file_types import PICTURES, RECORDINGS
from contract import Detection, Location, Model
from models.registry import Registry, WeightsError, entry_named

if TYPE_CHECKING:
    from models.birdnet import BirdNet
    from models.port import Detector

_STRETCH_S = 60.0  # of a recording at once, for detectors that hear each stretch by itself


@dataclass(frozen=True, slots=True)
class ExaminationTask:
    """Which detector to run, and what is known of the files; travels to other processes.

    Attributes:
        model: As the registry has it.
        registry: That names it.
        weights: The folder of weights.
        cache: Where BirdNET's derived form is kept.
        zone: In which cameras' and recorders' clocks run, where a file does not say.
        location: Where they stood, for BirdNET's prior; None: not known.
        threshold: The lowest confidence that counts; None: the detector's own.
        overlap_s: By how much BirdNET's windows overlap.
        threads: Of the network; 0: one on each core.
        second_opinion: Ask YAMNet too about what the threat network takes for a shot or a saw.
    """

    model: str
    registry: Registry
    weights: Path
    cache: Path
    zone: tzinfo
    location: Location | None = None
    threshold: float | None = None
    overlap_s: float = 0.0
    threads: int = 0
    second_opinion: bool = False

    @property
    def kind(self) -> str:
        """What the detector is: vision, birdnet or threat.

        Raises:
            WeightsError: there is no model of this name.
        """
        return entry_named(self.model, self.registry).kind

    @property
    def suffixes(self) -> frozenset[str]:
        """Of the files that it can use."""
        return frozenset(PICTURES if self.kind == "vision" else RECORDINGS)


@dataclass(frozen=True, slots=True)
class Examined:
    """One file and what came of it.

    Attributes:
        path: Of the file.
        model: That made the claims.
        began: When it was taken, or begun; None where it could not even be opened.
        time_source: What that time is from, as ``Clock.source``.
        duration_s: How much was heard; 0 for a picture.
        found: With spans in seconds from the beginning.
        problem: Why it cannot be used, or only up to ``duration_s``; empty where it can.
    """

    path: Path
    model: Model | None
    began: datetime | None = None
    time_source: str = "none"
    duration_s: float = 0.0
    found: tuple[Detection, ...] = ()
    problem: str = ""


class Examiner:
    """A detector that is open."""

    def __init__(self, task: ExaminationTask) -> None:
        """Open the detector.

        Raises:
            WeightsError: there is no such model, or its weights are missing or not the right ones.
            ValueError: the model has no class to which the threshold could apply.
        """
        self._task = task
        self._kind = task.kind
        self._detector: Detector[Any, Any] = _opened(task)

    def examine(self, path: Path) -> Examined:
        """Examine a file from beginning to end, in memory that does not grow with its length."""
        task, model = self._task, self._detector.model
        began: datetime | None = None
        source, found, heard = "none", [], _Heard()
        problem = ""
        try:
            written_ns = path.stat().st_mtime_ns
            taken = picture_time if self._kind == "vision" else recording_time
            began, clock = taken(path, task.zone, written_ns)
            source = clock.source
            for detection in self._detections(path, began, heard):
                found.append(detection)  # noqa: PERF402, one by one: what came before a break is kept
        except (Unreadable, OSError) as error:
            problem = str(error)
        return Examined(path, model, began, source, round(heard.seconds, 3), tuple(found), problem)

    def _detections(self, path: Path, began: datetime, heard: "_Heard") -> Iterator[Detection]:
        if self._kind == "vision":
            yield from self._detector.predict([self._detector.preprocess(path)])[0]
            return
        from captures.sound import read_stretches

        stretch_s: float = getattr(self._detector, "stretch_s", _STRETCH_S)
        stretches = heard.counting(
            read_stretches(path, stretch_s=stretch_s, taken_at=began, location=self._task.location)
        )
        if self._kind == "birdnet":
            birdnet: BirdNet = self._detector  # type: ignore[assignment]
            for window in birdnet.detect_stream(stretches):
                yield from window
            return
        for stretch in stretches:
            start_s = heard.seconds - stretch.duration_s
            for detection in self._detector.predict([self._detector.preprocess(stretch)])[0]:
                yield _later(detection, start_s)


class _Heard:
    """Counts how much of a recording has been read."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def counting(self, stretches: Iterator[Sound]) -> Iterator[Sound]:
        for stretch in stretches:
            self.seconds += stretch.duration_s
            yield stretch


def time_in_file(examined: Examined, seconds: float) -> datetime | None:
    """Tell when something happened in a file."""
    return None if examined.began is None else examined.began + timedelta(seconds=seconds)


def _later(detection: Detection, by_s: float) -> Detection:
    span = detection.span
    if span is None:
        return detection
    moved = msgspec.structs.replace(span, start_s=round(span.start_s + by_s, 3), end_s=round(span.end_s + by_s, 3))
    return msgspec.structs.replace(detection, span=moved)


def _opened(task: ExaminationTask) -> "Detector[Any, Any]":
    if task.kind == "vision":
        from models.factory import open_vision
        from models.vision import VisionOptions

        return open_vision(
            task.model, task.weights, VisionOptions(threads=task.threads, threshold=task.threshold), task.registry
        )
    if task.kind == "birdnet":
        from models.birdnet import BirdNet, BirdNetOptions

        options = BirdNetOptions(threads=task.threads, cache=str(task.cache), overlap_s=task.overlap_s)
        return BirdNet(
            options if task.threshold is None else msgspec.structs.replace(options, threshold=task.threshold)
        )
    if task.kind != "threat":
        raise WeightsError(f"model {task.model!r} is of kind {task.kind!r}: expected vision, birdnet or threat")
    from models.threat import MEANINGS, ThreatOptions, ThreatSounds

    thresholds = {} if task.threshold is None else dict.fromkeys(MEANINGS, task.threshold)
    return ThreatSounds(
        ThreatOptions(threads=task.threads, thresholds=thresholds, second_opinion=task.second_opinion),
        task.weights,
        task.model,
        task.registry,
    )
