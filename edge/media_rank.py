"""Ranks the thumbnail or clip of a capture: the best of each visit are sent first, and deleted last for the quota."""

from collections.abc import Sequence

from captures.picture import read_picture
from contract import Detection, Event, MediaContent, encode
from edge.check.measures import SHARP, measure_picture
from edge.detect import Companion
from edge.outbox.message import BLANK, HIGH, LOW, NORMAL, OutboxMessage, Worth

URGENT = ("human", "vehicle")  # sent before any backlog
FIRST, LATER = 3, 4  # priorities in the outbox
_THUMBNAIL_PX = 960
UNCERTAIN = 0.5  # confidence below which a detection is of low worth


def is_urgent(found: Sequence[Detection]) -> bool:
    """Return whether a capture shows a person or a vehicle."""
    return any(detection.observation_type in URGENT for detection in found)


def media_message(event: Event, companion: Companion, topic: str, rank: tuple[int, Worth]) -> OutboxMessage:
    """Return the message with a thumbnail or clip of an event; of a film, the clip is sent after all thumbnails.

    Args:
        event: The event.
        companion: The thumbnail or clip.
        topic: MQTT topic of media.
        rank: Priority and worth, as ``media_rank`` returns them.
    """
    content = MediaContent(
        event_id=event.event_id,
        station=event.station,
        sha256=companion.media.sha256,
        type=companion.media.type,
        role=companion.media.role,
        data=companion.data,
    )
    priority, worth = rank
    if companion.media.type.startswith("video/"):
        priority = LATER
    return OutboxMessage(topic, encode(content), priority, media=True, worth=worth)


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


def sharpness_of(companion: Companion | None) -> float:
    """Return the sharpness of a capture's thumbnail, 0 to 1; 1 for a sound clip, and if there is no thumbnail.

    A picture with the variance of the Laplacian at which ``station check`` calls it blurred has 0.5.
    """
    if companion is None or companion.media.role != "thumbnail":
        return 1.0
    measured = measure_picture(read_picture(companion.data, _THUMBNAIL_PX).pixels).sharpness
    return measured / (measured + SHARP)
