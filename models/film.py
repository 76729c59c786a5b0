"""Detection in a film: the detectors look at its chosen frames, and the film gets the detections of all of them.

The poster is the frame that shows most: with a person or vehicle if there is one in the film, then with the most
different labels, the highest confidences and the most motion. Its detections have boxes. A film has as many animals as
the frame with the most of them shows, so that one animal with different labels in different frames counts once;
labels of other frames are added if at least two frames show them. What the poster does not show has no box.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from captures.decoded import Unreadable
from captures.decoding.messages import FilmFrame
from captures.film import Film
from contract import Detection, Span
from contract.messages import ObservationType
from models.port import Detector

_URGENT: tuple[ObservationType, ...] = ("human", "vehicle")
_FRAMES_OF_A_LABEL = 2


@dataclass(frozen=True, slots=True)
class FilmFindings:
    """Detections in a film.

    Attributes:
        detections: By falling confidence, with ordinals from 0. The span of each is from the first to the last frame
            that shows its label, in seconds from the film's beginning.
        poster: The frame that shows the boxes.
    """

    detections: list[Detection]
    poster: FilmFrame


def detect_in_film(detectors: Sequence[Detector[Any, Any]], film: Film) -> FilmFindings:
    """Run all detectors on the chosen frames of a film.

    Raises:
        Unreadable: the film has no frames.
    """
    if not film.frames:
        raise Unreadable(f"{film.path.name}: {film.head.problem or 'there are no pictures in it'}")
    by_frame = [_found(detectors, frame) for frame in film.frames]
    best = max(range(len(film.frames)), key=lambda at: (*_shown(by_frame[at]), film.frames[at].moved))
    chosen = list(by_frame[best])
    for kind in sorted({one.observation_type for frame in by_frame for one in frame}):
        chosen += _not_on_poster(kind, by_frame, best)
    spans = _spans(film, by_frame)
    chosen.sort(key=lambda one: -one.confidence)
    detections = [
        msgspec.structs.replace(one, ordinal=ordinal, span=spans[one.observation_type, one.label])
        for ordinal, one in enumerate(chosen)
    ]
    return FilmFindings(detections, film.frames[best])


def _found(detectors: Sequence[Detector[Any, Any]], frame: FilmFrame) -> list[Detection]:
    return [one for detector in detectors for one in detector.predict([detector.preprocess(frame.jpeg)])[0]]


def _shown(found: Sequence[Detection]) -> tuple[bool, int, float]:
    urgent = any(one.observation_type in _URGENT for one in found)
    return urgent, len({one.label for one in found}), sum(one.confidence for one in found)


def _not_on_poster(kind: ObservationType, by_frame: Sequence[Sequence[Detection]], best: int) -> list[Detection]:
    """Return the detections of one type that are added to those of the poster, without boxes."""
    of_kind = [[one for one in frame if one.observation_type == kind] for frame in by_frame]
    most = max(of_kind, key=lambda found: (len(found), sum(one.confidence for one in found)))
    poster = of_kind[best]
    labels = [one.label for one in poster]
    added: list[Detection] = []
    for one in sorted(most, key=lambda one: (one.label in labels, -one.confidence)):
        if len(poster) + len(added) < len(most):
            added.append(one)
    known = {one.label for one in (*poster, *added)}
    for label in sorted({one.label for frame in of_kind for one in frame} - known):
        shown = [[one for one in frame if one.label == label] for frame in of_kind]
        if sum(map(bool, shown)) >= _FRAMES_OF_A_LABEL:
            added.append(max((one for frame in shown for one in frame), key=lambda one: one.confidence))
    return [msgspec.structs.replace(one, box=None) for one in added]


def _spans(film: Film, by_frame: Sequence[Sequence[Detection]]) -> dict[tuple[ObservationType, str], Span]:
    times: dict[tuple[ObservationType, str], list[float]] = {}
    for frame, found in zip(film.frames, by_frame, strict=True):
        for one in found:
            times.setdefault((one.observation_type, one.label), []).append(frame.at_s)
    return {key: Span(start_s=min(seen), end_s=max(seen)) for key, seen in times.items()}
