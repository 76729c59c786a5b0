"""Runs a sensor's detectors on one capture and makes the capture's thumbnail or sound clip."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from captures.decoded import Picture, Sound, Unreadable
from captures.film import Film
from contract import Detection, Location, Media
from contract.bounds import DAMAGE_CHARACTERS
from contract.messages import MediaRole
from edge.capture.clip import Clip
from models.crops import classify_animals
from models.port import Classifier, Detector
from models.sound_signals import detect_signals
from models.threat.voice import VoiceCounts, VoiceOptions, decide_voice

LOG = logging.getLogger("wildpost.station")
_WHOLE = 1_000_000  # pixels; no picture that ``read_picture`` accepts has a longer side


@dataclass(frozen=True, slots=True)
class Companion:
    """A thumbnail or sound clip that is sent in addition to its event message.

    Attributes:
        media: Its metadata.
        data: Its bytes.
        damage: How the file from which it was made is damaged; "" if that is whole.
    """

    media: Media
    data: bytes
    damage: str = ""


def detect(
    detectors: Sequence[Detector[Any, Any]],
    clip: Clip,
    classifier: Classifier | None = None,
    location: Location | None = None,
) -> list[Detection]:
    """Run all detectors on a picture, number the detections by falling confidence and classify the animals.

    Args:
        detectors: All of them process the same picture.
        clip: The picture.
        classifier: Gets each animal cut from the picture at full resolution; None: animals are not classified.
        location: Position of the station.

    Raises:
        Unreadable: the capture cannot be decoded.
        OSError: its file no longer exists or cannot be read.
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


def examine(
    detectors: Sequence[Detector[Any, Any]],
    clip: Clip,
    classifier: Classifier | None = None,
    location: Location | None = None,
) -> tuple[list[Detection], Clip]:
    """Run all detectors on a picture or sound; arguments and errors as in ``detect``.

    Returns:
        The detections, and the capture: of a sound of several signals only the one with the best detection.
    """
    if not isinstance(clip.content, Sound):
        return detect(detectors, clip, classifier, location), clip
    found, best = detect_signals(detectors, clip.content)
    return found, replace(clip, content=best)


def voice_in(clip: Clip, found: Sequence[Detection], options: VoiceOptions) -> tuple[bool, dict[str, int]]:
    """Return whether the voice policy allows sending a clip, and how much to add to each counter of its decisions."""
    if not isinstance(clip.content, Sound):
        return True, {}
    decision = decide_voice(found, options)
    counts = VoiceCounts().with_decision(decision)
    return decision.send, {f"voice_{name}": value for name, value in msgspec.structs.asdict(counts).items() if value}


def companion(clip: Clip, found: Sequence[Detection]) -> Companion | None:
    """Return a picture's thumbnail, or the clip of a sound with detections; None for a sound without detections.

    Raises:
        Unreadable: the capture cannot be decoded.
    """
    if isinstance(clip.content, Sound):
        if not found:
            return None
        from captures.sound import encode_clip

        data, kind = encode_clip(clip.content)
        return companion_of(data, kind, "clip")
    if isinstance(clip.content, Film):
        raise TypeError("a film has two companions: see edge.films")
    from captures.picture import THUMBNAIL_PX, read_picture, thumbnail

    picture = clip.content if isinstance(clip.content, Picture) else read_picture(clip.content, THUMBNAIL_PX)
    if picture.damage:
        LOG.warning("%s is damaged: %s", clip.name, picture.damage)
    return companion_of(thumbnail(picture), "image/jpeg", "thumbnail", picture.damage)


def media_of(clip: Clip, beside: Sequence[Companion]) -> tuple[Media, ...]:
    """Return the metadata of a capture's original, with its damage, and of its thumbnail and clip, if it has them."""
    original = clip.original
    damage = next((one.damage for one in beside if one.damage), "")
    if original is not None and damage:
        original = msgspec.structs.replace(original, damage=damage[:DAMAGE_CHARACTERS])
    return tuple(media for media in (original, *(one.media for one in beside)) if media)


def _native(content: Path | Picture | Film | Sound) -> Picture:
    """Return a picture at full resolution for the classifier; detectors read large JPEGs at a reduced scale."""
    from captures.picture import read_picture

    if isinstance(content, (Sound, Film)):
        raise TypeError(f"{type(content).__name__}: expected a picture")
    return content if isinstance(content, Picture) else read_picture(content, longest_px=_WHOLE)


def companion_of(data: bytes, kind: str, role: MediaRole, damage: str = "") -> Companion:
    """Return content that is sent beside its event, with its hash."""
    return Companion(Media(sha256=hashlib.sha256(data).hexdigest(), type=kind, size=len(data), role=role), data, damage)
