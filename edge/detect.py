"""Looks at or listens to one capture with every detector of its sensor, and makes what goes with the finding."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from captures.decoded import Picture, Sound, Unreadable
from contract import Detection, Location, Media
from edge.capture.clip import Clip
from models.crops import classify_animals
from models.port import Classifier, Detector
from models.threat.voice import VoiceCounts, VoiceOptions, decide_voice

LOG = logging.getLogger("wildpost.station")
Triggered = Callable[[Clip], bool]
_WHOLE = 1_000_000  # pixels; no picture that ``read_picture`` accepts has a longer side


@dataclass(frozen=True, slots=True)
class Companion:
    """A thumbnail or clip that travels beside its event."""

    media: Media
    data: bytes


def detect(
    detectors: Sequence[Detector[Any, Any]],
    clip: Clip,
    classifier: Classifier | None = None,
    location: Location | None = None,
) -> list[Detection]:
    """Run every detector, number what they found, the surest first, and let the classifier name the animals.

    Args:
        detectors: All look at or listen to the same capture.
        clip: The capture.
        classifier: Gets each animal cut from the picture at full resolution; None: animals are not classified.
        location: Where the station stands.

    Raises:
        Unreadable: the capture cannot be used.
        OSError: its file is not there any more.
    """
    found: list[Detection] = []
    for detector in detectors:
        found += detector.predict([detector.preprocess(clip.content)])[0]
    found.sort(key=lambda detection: -detection.confidence)
    found = [msgspec.structs.replace(detection, ordinal=ordinal) for ordinal, detection in enumerate(found)]
    if classifier is None or not any(detection.observation_type == "animal" for detection in found):
        return found
    try:
        picture = _native(clip.content)
    except Unreadable as error:  # the detectors could read it at a fraction: what they found is not lost for that
        LOG.warning("%s: animals are not classified: %s", clip.name, error)
        return found
    return classify_animals(classifier, picture.pixels, found, clip.captured_at, location)


def voice_in(clip: Clip, found: Sequence[Detection], options: VoiceOptions) -> tuple[bool, dict[str, int]]:
    """Tell whether a clip of this capture may leave the station, and what to add to the counts of voices."""
    if not isinstance(clip.content, Sound):
        return True, {}
    decision = decide_voice(found, options)
    counts = VoiceCounts().after(decision)
    return decision.send, {f"voice_{name}": value for name, value in msgspec.structs.asdict(counts).items() if value}


def companion(clip: Clip, found: Sequence[Detection]) -> Companion | None:
    """Make what a ranger looks at or listens to: a thumbnail of every picture, a clip of a sound with findings.

    Raises:
        Unreadable: the capture cannot be used.
    """
    if isinstance(clip.content, Sound):
        if not found:
            return None
        from captures.sound import encode_clip

        data, kind = encode_clip(clip.content)
        return _companion(data, kind, "clip")
    from captures.picture import thumbnail

    return _companion(thumbnail(clip.content), "image/jpeg", "thumbnail")


def _native(content: Path | Picture | Sound) -> Picture:
    """Read a picture at full resolution: detectors read a large JPEG at a fraction of it."""
    from captures.picture import read_picture

    if isinstance(content, Sound):
        raise TypeError("a sound has no pixels: expected a picture")
    return content if isinstance(content, Picture) else read_picture(content, longest_px=_WHOLE)


def _companion(data: bytes, kind: str, role: Any) -> Companion:
    return Companion(Media(sha256=hashlib.sha256(data).hexdigest(), type=kind, size=len(data), role=role), data)
