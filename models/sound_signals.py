"""Detection in a sound of several signals (channels that differ): each is heard, and a finding counts once."""

from collections.abc import Sequence
from typing import Any

import msgspec

from captures.decoded import Sound
from contract import Detection
from models.port import Detector


def detect_signals(detectors: Sequence[Detector[Any, Any]], sound: Sound) -> tuple[list[Detection], Sound]:
    """Run detectors on each signal of a sound.

    Returns:
        The detections, by falling confidence; what was found in several signals at the same time is in them once. And
        the signal with the most confident detection, for the clip.

    Raises:
        Unreadable: the sound is empty, or has samples that are not finite.
    """
    signals = sound.signals
    found: list[list[Detection]] = [[] for _ in signals]
    for detector in detectors:
        for heard, own in zip(found, detector.predict([detector.preprocess(one) for one in signals]), strict=True):
            heard += own
    best = max(range(len(signals)), key=lambda at: max((one.confidence for one in found[at]), default=-1.0))
    return merge_signals(found), signals[best]


def merge_signals(found: Sequence[Sequence[Detection]]) -> list[Detection]:
    """Merge the detections in several signals of one sound, numbered by falling confidence.

    A detection is left out if another signal has one of the same label and model at the same time, with a higher
    confidence.
    """
    kept: list[tuple[int, Detection]] = []
    ranked = sorted(((at, one) for at, some in enumerate(found) for one in some), key=lambda item: -item[1].confidence)
    for at, detection in ranked:
        if not any(other != at and _same(detection, known) for other, known in kept):
            kept.append((at, detection))
    return [msgspec.structs.replace(detection, ordinal=ordinal) for ordinal, (_, detection) in enumerate(kept)]


def _same(one: Detection, other: Detection) -> bool:
    if (one.label, one.model) != (other.label, other.model):
        return False
    if one.span is None or other.span is None:
        return True
    return one.span.start_s < other.span.end_s and other.span.start_s < one.span.end_s
