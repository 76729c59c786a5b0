"""Runs the detectors of a sensor on one capture and makes its thumbnail or sound clip."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from captures.decoded import Sound
from contract import Detection, Media
from edge.capture.clip import Clip
from models.port import Detector
from models.threat.voice import VoiceCounts, VoiceOptions, decide_voice

Triggered = Callable[[Clip], bool]


@dataclass(frozen=True, slots=True)
class Companion:
    """A thumbnail or sound clip that is sent along with its event."""

    media: Media
    data: bytes


def detect(detectors: Sequence[Detector[Any, Any]], clip: Clip) -> list[Detection]:
    """Run every detector; return the detections numbered by falling confidence.

    Raises:
        Unreadable: the capture cannot be decoded.
        OSError: its file no longer exists or cannot be read.
    """
    found: list[Detection] = []
    for detector in detectors:
        found += detector.predict([detector.preprocess(clip.content)])[0]
    found.sort(key=lambda detection: -detection.confidence)
    return [msgspec.structs.replace(detection, ordinal=ordinal) for ordinal, detection in enumerate(found)]


def voice_in(clip: Clip, found: Sequence[Detection], options: VoiceOptions) -> tuple[bool, dict[str, int]]:
    """Return whether the voice policy lets a clip leave the station, and the increments of the voice counters."""
    if not isinstance(clip.content, Sound):
        return True, {}
    decision = decide_voice(found, options)
    counts = VoiceCounts().with_decision(decision)
    return decision.send, {f"voice_{name}": value for name, value in msgspec.structs.asdict(counts).items() if value}


def companion(clip: Clip, found: Sequence[Detection]) -> Companion | None:
    """Make the thumbnail of a picture, or the clip of a sound with detections; None for a sound without detections.

    Raises:
        Unreadable: the capture cannot be decoded.
    """
    if isinstance(clip.content, Sound):
        if not found:
            return None
        from captures.sound import encode_clip

        data, kind = encode_clip(clip.content)
        return _companion(data, kind, "clip")
    from captures.picture import thumbnail

    return _companion(thumbnail(clip.content), "image/jpeg", "thumbnail")


def _companion(data: bytes, kind: str, role: Any) -> Companion:
    return Companion(Media(sha256=hashlib.sha256(data).hexdigest(), type=kind, size=len(data), role=role), data)
