"""Examines the files of a card in worker processes: content hash, capture time, detections, thumbnails and clips."""

import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Literal

from captures.capture_time import picture_time, recording_time
from captures.decoded import Unreadable
from captures.file_kind import FileKind
from captures.folder_listing import printable_name
from captures.original_file import capture_kind, original_media
from captures.picture import THUMBNAIL_PX, read_picture
from captures.plausible_time import PossibleTimes
from contract import Clock, Detection, Location, Media, Model
from contract.bounds import is_representable
from contract.supervision import describe_exception
from edge.capture.clip import AlreadyHeard, Clip, FileMark, Unusable
from edge.capture.film_file import FilmReader
from edge.capture.recording_file import RecordingFiles
from edge.capture.triggers import SilenceTrigger
from edge.detect import Companion, companion, media_of, voice_in
from edge.films import examine_capture
from edge.media_rank import sharpness_of
from models.port import Classifier, Detector
from models.threat.voice import VoiceOptions
from pipelines.card_import.card_files import CardFile
from pipelines.card_import.ledger import KnownFile, LedgerReader

_HELD = 20  # captures of one file that are returned in memory; the others go through a file

Sensor = Literal["camera", "microphone"]


@dataclass(frozen=True, slots=True)
class Detectors:
    """Opened detectors of one worker process.

    Attributes:
        looking: For pictures and films.
        listening: For sound.
        classifier: Names the animals in pictures; None: they are not named.
        voice: Which clips with voices are kept.
    """

    looking: Sequence[Detector[Any, Any]]
    listening: Sequence[Detector[Any, Any]]
    classifier: Classifier | None = None
    voice: VoiceOptions = field(default_factory=VoiceOptions)


@dataclass(frozen=True, slots=True)
class ExaminationOptions:
    """How the files of a card are examined; picklable.

    Attributes:
        open_detectors: Opens the detectors; called once in each worker process.
        zone: Time zone of the clocks of cameras and recorders, for files that do not state one.
        stretch_s: Longer sounds are cut into stretches of this length, in seconds.
        silence_db: Level below which sound is not analysed, in decibels relative to full scale.
        ledger: Path of the ledger.
        spool: Folder for results that are too large to be held in memory.
    """

    open_detectors: Callable[[], Detectors]
    zone: tzinfo
    ledger: Path
    spool: Path
    stretch_s: float = 60.0
    silence_db: float = -90.0


@dataclass(frozen=True, slots=True)
class Capture:
    """What was found in a picture, a film or a stretch of sound: an event without its names and numbers."""

    kind: Literal["picture", "sound", "film"]
    captured_at: datetime
    clock: Clock
    duration_s: float
    models: tuple[Model, ...]
    detections: tuple[Detection, ...]
    media: tuple[Media, ...]
    beside: tuple[Companion, ...]
    sharpness: float


@dataclass(frozen=True, slots=True)
class ExaminedFile:
    """Result of examining one file.

    Attributes:
        sha256: Hash of its content; "" if it could not be read.
        sensor: The kind of device that made it.
        known: Set if the content was imported before; nothing else was examined then.
        captures: What was found in it, or the first part of that.
        more: File with further captures; None: there are none.
        used: Whether at least a part of it could be examined; silence has no captures.
        problem: Why it cannot be used, or only in part; "" if it can.
        temporary: Whether the problem may not be one of the content, so that the file should be tried again.
        remarks: What is wrong with it although it could be used.
        start: When it was taken, by a clock that can be relied on; None: unknown.
        end: When its sound or film ended.
        time_source: Source of the time, as ``Clock.source``.
    """

    sha256: str = ""
    sensor: Sensor = "camera"
    known: KnownFile | None = None
    captures: tuple[Capture, ...] = ()
    more: Path | None = None
    used: bool = False
    problem: str = ""
    temporary: bool = False
    remarks: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    time_source: str = "none"

    def all_captures(self) -> Iterator[Capture]:
        """Yield all captures; those in the file ``more`` are read one by one, then the file is removed."""
        yield from self.captures
        if self.more is None:
            return
        with self.more.open("rb") as file:
            while True:
                try:
                    yield pickle.load(file)  # noqa: S301, written by our own worker into a private folder
                except EOFError:
                    break
        self.more.unlink()


class CardExaminer:
    """Examines one file after the other with detectors that stay loaded."""

    def __init__(self, options: ExaminationOptions) -> None:
        """Open the detectors and the ledger."""
        self._options = options
        self._detectors = options.open_detectors()
        self._ledger = LedgerReader(options.ledger)
        self._triggered = SilenceTrigger(options.silence_db)

    def examine(self, file: CardFile) -> ExaminedFile:
        """Examine a file; whatever is wrong with it becomes its ``problem``."""
        name = printable_name(file.path.name)
        try:
            kind = capture_kind(file.path, file.size)
            if missing := self._missing_detector(kind):
                return ExaminedFile(problem=f"{name}: {missing}", temporary=True)
            sensor: Sensor = "microphone" if kind.family == "recording" else "camera"
            original = original_media(file.path, kind)
            assert original is not None, "nothing stops it"  # noqa: S101
            result = ExaminedFile(original.sha256, sensor, self._ledger.find(original.sha256))
            return result if result.known else self._examine(file, kind, original, result)
        except Unreadable as error:
            return ExaminedFile(problem=printable_name(str(error)))
        except OSError as error:
            return ExaminedFile(problem=f"{name}: {error.strerror or error}", temporary=True)

    def _missing_detector(self, kind: FileKind) -> str:
        """Return why no detector can use a file of this kind; "" if one can."""
        looks, listens = bool(self._detectors.looking), bool(self._detectors.listening)
        usable = {"picture": looks, "film": looks or listens, "recording": listens}[kind.family]
        return "" if usable else f"there is no detector for a {kind.family}"

    def _examine(self, file: CardFile, kind: FileKind, original: Media, result: ExaminedFile) -> ExaminedFile:
        captures = _CaptureList(self._options.spool / f"{original.sha256}-{os.getpid()}.captures")
        problem, temporary, used, remarks = "", False, False, list[str]()
        start: datetime | None = None
        end: datetime | None = None
        source = "none"
        try:
            for clip in self._clips(file, kind, original):
                if isinstance(clip, AlreadyHeard):
                    continue
                if isinstance(clip, Unusable):
                    problem = clip.reason
                    continue
                corrected = self._with_corrected_clock(file, clip)
                if self._triggered(corrected):
                    captures.add(self._capture(corrected, file.deployment.location))
                used = True
                remarks += corrected.remarks
                source = corrected.clock.source
                if corrected.clock.is_known:
                    start = start or corrected.captured_at
                    end = corrected.captured_at + timedelta(seconds=corrected.duration_s)
        except Unreadable as error:
            problem = printable_name(str(error))
            temporary = kind.family == "film" and not self._detectors.looking  # one for pictures may find something
        except OSError as error:
            problem, temporary = f"{original.name}: {error.strerror or error}", True
        except Exception as error:  # noqa: BLE001, whatever one file causes must not end the import
            # A fault of this program: a later version may be able to use the file.
            problem, temporary = f"{original.name}: an unexpected error: {describe_exception(error)}", True
        if temporary:
            captures.discard()
            return ExaminedFile(sensor=result.sensor, problem=problem, temporary=True)
        held, more = captures.close()
        return replace(
            result,
            captures=held,
            more=more,
            used=used,
            problem=problem,
            remarks=tuple(remarks),
            start=start,
            end=end,
            time_source=source,
        )

    def _clips(self, file: CardFile, kind: FileKind, original: Media) -> Iterator[Clip | AlreadyHeard | Unusable]:
        deployment, zone = file.deployment, self._options.zone
        mark = FileMark(file.inside, file.size, file.modified_ns, 1, finished=True)
        # The start of a deployment says nothing about the clock of a device whose times are corrected.
        deployed = deployment.start if file.clock_offset_us is None else None
        if kind.family == "film":
            sees, hears = bool(self._detectors.looking), bool(self._detectors.listening)
            reader = FilmReader(zone, deployment.location, self._options.stretch_s, deployed, sees, hears)
            yield from reader.captures(file.path, mark, None, lambda: original)
        elif kind.family == "picture":
            taken, clock = picture_time(file.path, zone, file.modified_ns, None, deployed)
            yield Clip(file.path, taken, clock, original.name, original)
        else:
            start, clock = recording_time(file.path, zone, file.modified_ns, None, deployed)
            recordings = RecordingFiles(deployment.location, self._options.stretch_s)
            yield from recordings.captures(file.path, mark, None, start, clock, original)

    def _with_corrected_clock(self, file: CardFile, clip: Clip) -> Clip:
        """Apply the correction of the device's clock, if one is given and makes the time of the capture possible."""
        was_reset = clip.clock.source == "none"
        if file.clock_offset_us is None or clip.clock.source == "copy" or was_reset != file.clock_was_reset:
            return clip
        moment = clip.captured_at + timedelta(microseconds=file.clock_offset_us)
        now = datetime.now(UTC)
        written = datetime.fromtimestamp(file.modified_ns / 1e9, UTC)
        if not is_representable(moment) or not PossibleTimes(now, written, file.deployment.start).contain(moment):
            return clip
        return replace(clip, captured_at=moment, clock=Clock(source="corrected", synchronised=False))

    def _capture(self, clip: Clip, location: Location | None) -> Capture:
        used = self._detectors
        detectors = used.listening if clip.kind == "sound" else used.looking
        classifier = None if clip.kind == "sound" else used.classifier
        if clip.kind == "picture" and classifier is None:  # decoded once, for the detectors and for the thumbnail
            clip = replace(clip, content=read_picture(Path(str(clip.content)), THUMBNAIL_PX))
        found, heard, beside = examine_capture(detectors, clip, classifier, location)
        may_leave, _ = voice_in(heard, found, used.voice)
        if may_leave and not beside:
            beside = tuple(filter(None, [companion(heard, found)]))
        return Capture(
            kind=heard.kind,
            captured_at=heard.captured_at,
            clock=heard.clock,
            duration_s=round(heard.duration_s, 3),
            models=tuple(one.model for one in (*detectors, classifier) if one is not None),
            detections=tuple(found),
            media=media_of(heard, beside),
            beside=beside,
            sharpness=sharpness_of(*beside[:1]) if found else 1.0,
        )


class _CaptureList:
    """Captures of one file: the first in memory, the others in a file, so that a long recording takes little memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: list[Capture] = []
        self._file: Any = None

    def add(self, capture: Capture) -> None:
        if len(self._held) < _HELD:
            self._held.append(capture)
            return
        if self._file is None:
            self._file = self._path.open("wb")
        pickle.dump(capture, self._file)

    def close(self) -> tuple[tuple[Capture, ...], Path | None]:
        """Return the captures in memory, and the file with the others."""
        if self._file is None:
            return tuple(self._held), None
        self._file.close()
        return tuple(self._held), self._path

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._path.unlink()
