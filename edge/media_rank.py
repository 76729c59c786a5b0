"""Ranks the thumbnail or clip of a capture: the best of each visit are sent first, and deleted last for the quota."""

from collections.abc import Sequence

import numpy as np

from contract import Detection, Event, MediaContent, encode
from edge.check.measures import SHARP, measure_picture
from edge.detect import Companion
from edge.outbox.message import BLANK, HIGH, LOW, NORMAL, OutboxMessage, Worth

URGENT = ("human", "vehicle")  # sent before any backlog
FIRST, LATER = 3, 4  # priorities in the outbox
UNCERTAIN = 0.5  # confidence below which a detection is of low worth


def is_urgent(found: Sequence[Detection]) -> bool:
    """Return whether a capture shows a person or a vehicle."""
    return any(detection.observation_type in URGENT for detection in found)


def media_rank(found: Sequence[Detection], improves_visit: bool) -> tuple[int, Worth]:
    """Return the priority and the worth of a capture's thumbnail or clip.

    Args:
        found: Detections of the capture.
        improves_visit: Whether it shows a label that is new in its visit, or one better than all captures before it.
    """
    if not found:
        return LATER, BLANK
    if is_urgent(found):
        return FIRST, HIGH
    if not improves_visit:
        return LATER, LOW
    certain = max(detection.confidence for detection in found) >= UNCERTAIN
    return FIRST, NORMAL if certain else LOW


def media_message(topic: str, event: Event, companion: Companion, improves_visit: bool) -> OutboxMessage:
    """Return the message with an event's thumbnail or clip, with its rank; see ``media_rank``."""
    content = MediaContent(
        event_id=event.event_id,
        station=event.station,
        sha256=companion.media.sha256,
        type=companion.media.type,
        role=companion.media.role,
        data=companion.data,
    )
    priority, worth = media_rank(event.detections, improves_visit)
    if companion.media.type.startswith("video/"):
        priority = LATER  # the poster of a film is sent first
    return OutboxMessage(topic, encode(content), priority, media=True, worth=worth)


def sharpness_of(companion: Companion | None = None) -> float:
    """Return the sharpness of a capture's thumbnail, 0 to 1; 1 for a sound clip, and if there is no thumbnail.

    A picture with the variance of the Laplacian at which ``station check`` calls it blurred has 0.5.
    """
    if companion is None or companion.media.role != "thumbnail":
        return 1.0
    import cv2

    pixels = cv2.imdecode(np.frombuffer(companion.data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        return 1.0
    measured = measure_picture(np.asarray(pixels, dtype=np.uint8)).sharpness
    return measured / (measured + SHARP)
