"""Runs a detector on one complete picture, film or recording, and returns the detections or an error description."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from captures.capture_time import film_time, picture_time, recording_time
from captures.decoded import Sound, Unreadable
from captures.file_kind import kind_of_path
from captures.file_types import FILMS, PICTURES, RECORDINGS
from captures.film import read_film
from captures.folder_listing import modified_ns
from contract import Detection, Location, Model
from contract.supervision import describe_exception
from models.registry import Registry, WeightsError, entry_named

if TYPE_CHECKING:
    from captures.sound import Stretch
    from models.birdnet import BirdNet
    from models.port import Detector

_STRETCH_S = 60.0  # length of the segments of a recording, for detectors that process each segment independently


@dataclass(frozen=True, slots=True)
class ExaminationTask:
    """Parameters for running a detector on files: the model, its settings and its folders; picklable.

    Attributes:
        model: Model name in the registry.
        registry: The registry that contains it.
        weights: The folder of weights.
        cache: Folder for BirdNET's converted model.
        zone: Time zone of the clocks of cameras and recorders, for files without a UTC offset.
        location: Location of the recordings, for BirdNET's species range filter; None: unknown.
        threshold: Lowest confidence to report; None: the detector's own.
        overlap_s: Overlap of BirdNET's windows, in seconds.
        threads: Threads of the network; 0: one per core.
        second_opinion: Whether YAMNet confirms detections of shots and saws.
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
        """Kind of the detector: vision, birdnet or threat.

        Raises:
            WeightsError: there is no model of this name.
        """
        return entry_named(self.model, self.registry).kind

    @property
    def suffixes(self) -> frozenset[str]:
        """Suffixes of the files that the detector can read."""
        return frozenset(PICTURES | FILMS if self.kind in ("vision", "species") else RECORDINGS)


@dataclass(frozen=True, slots=True)
class Examined:
    """Detections in one file, or the reason why the file is not usable.

    Attributes:
        path: Path of the file.
        model: The model that made the detections.
        began: Capture time, or start of the recording; None if the file could not be opened.
        time_source: Source of that time, as ``Clock.source``.
        duration_s: Length of the analysed sound or film, in seconds; 0 for a picture.
        found: Detections, with spans in seconds from the start.
        problem: Why the file is not usable, or only in part (a damaged picture; a recording up to ``duration_s``);
            "" if there was no problem.
        remark: What is wrong with a recording that was analysed to its end, such as a header that was never finished
            or a dead channel; "" if nothing is.
    """

    path: Path
    model: Model | None
    began: datetime | None = None
    time_source: str = "none"
    duration_s: float = 0.0
    found: tuple[Detection, ...] = ()
    problem: str = ""
    remark: str = ""


class Examiner:
    """Runs one detector, which stays loaded, on one file after the other."""

    def __init__(self, task: ExaminationTask) -> None:
        """Open the detector ``task.model``.

        Raises:
            WeightsError: there is no such model, or its weights are missing or their hash does not match.
            ValueError: the model has no class to which the threshold could apply.
        """
        self._task = task
        self._kind = task.kind
        self._detector: Detector[Any, Any] = _open_detector(task)

    def examine(self, path: Path) -> Examined:
        """Run the detector on one complete file.

        Memory use does not grow with the length of the file.
        """
        task, model = self._task, self._detector.model
        began: datetime | None = None
        source, found, progress = "none", [], _ReadProgress()
        problem = ""
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):  # opening a named pipe would wait for a writer
                raise Unreadable("a folder, named pipe, socket or device: expected a file")
            written = modified_ns(status)
            kind = kind_of_path(path)
            if self._kind == "vision" and kind is not None and kind.family == "film":
                return self._examine_film(path, written)
            read_time = picture_time if self._kind == "vision" else recording_time
            began, clock = read_time(path, task.zone, written)
            source = clock.source
            for detection in self._detections(path, began, progress):
                found.append(detection)  # noqa: PERF402, one by one, to keep the detections before an error
        except (Unreadable, OSError) as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001, whatever one file causes must not end the run
            problem = f"an unexpected error: {describe_exception(error)}"
        return Examined(path, model, began, source, round(progress.seconds, 3), tuple(found), problem, progress.remark)

    def _examine_film(self, path: Path, written_ns: int) -> Examined:
        """Run the detector on the chosen frames of a film, in a process that may die."""
        from models.film import detect_in_film

        film = read_film(path)
        began, clock = film_time(path, film.head.tags, self._task.zone, written_ns)
        found = detect_in_film([self._detector], film).detections
        head, model = film.head, self._detector.model
        return Examined(path, model, began, clock.source, head.duration_s, tuple(found), remark=head.problem)

    def _detections(self, path: Path, began: datetime, progress: "_ReadProgress") -> Iterator[Detection]:
        if self._kind == "vision":
            prepared = self._detector.preprocess(path)
            yield from self._detector.predict([prepared])[0]
            if damage := getattr(prepared, "damage", ""):
                raise Unreadable(f"damaged, examined as far as it goes: {damage}")
            return
        from captures.sound import read_recording
        from models.sound_signals import detect_signals

        stretch_s: float = getattr(self._detector, "stretch_s", _STRETCH_S)
        stretches = progress.count(
            read_recording(path, stretch_s=stretch_s, taken_at=began, location=self._task.location)
        )
        if self._kind == "birdnet":
            birdnet: BirdNet = self._detector  # type: ignore[assignment]
            for window in birdnet.detect_stream(stretches):
                yield from window
            return
        for stretch in stretches:
            start_s = progress.seconds - stretch.duration_s
            for detection in detect_signals([self._detector], stretch)[0]:
                yield _shifted(detection, start_s)


class _ReadProgress:
    """Counts the seconds of a recording that have been read, and collects what is wrong with it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.remark = ""
        self._faults: dict[tuple[int, str], str] = {}

    def count(self, stretches: "Iterator[Stretch]") -> Iterator[Sound]:
        for stretch in stretches:
            self.seconds += stretch.sound.duration_s
            for fault in stretch.faults:
                self._faults.setdefault((fault.channel, fault.kind), str(fault))
            if stretch.last:
                self.remark = "; ".join((*stretch.remarks, *self._faults.values()))
            yield stretch.sound


def time_in_file(examined: Examined, seconds: float) -> datetime | None:
    """Return the time at an offset from the start of a recording; None if the start time is unknown."""
    return None if examined.began is None else examined.began + timedelta(seconds=seconds)


def _shifted(detection: Detection, by_s: float) -> Detection:
    span = detection.span
    if span is None:
        return detection
    moved = msgspec.structs.replace(span, start_s=round(span.start_s + by_s, 3), end_s=round(span.end_s + by_s, 3))
    return msgspec.structs.replace(detection, span=moved)


def _open_detector(task: ExaminationTask) -> "Detector[Any, Any]":
    from models.factory import open_birdnet, open_threat, open_vision

    if task.kind == "vision":
        from models.vision import VisionOptions

        return open_vision(
            task.model, task.weights, VisionOptions(threads=task.threads, threshold=task.threshold), task.registry
        )
    if task.kind == "birdnet":
        from models.birdnet import BirdNetOptions

        options = BirdNetOptions(threads=task.threads, cache=str(task.cache), overlap_s=task.overlap_s)
        return open_birdnet(
            options if task.threshold is None else msgspec.structs.replace(options, threshold=task.threshold)
        )
    if task.kind != "threat":
        raise WeightsError(f"model {task.model!r} is of kind {task.kind!r}: expected vision, birdnet or threat")
    from models.threat import MEANINGS, ThreatOptions

    thresholds = {} if task.threshold is None else dict.fromkeys(MEANINGS, task.threshold)
    threats = ThreatOptions(threads=task.threads, thresholds=thresholds, second_opinion=task.second_opinion)
    return open_threat(task.model, task.weights, threats, task.registry)
