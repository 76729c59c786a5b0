"""Adds a detector's boxes as pseudo-labels to pictures that have no boxes, or have boxes of only some kinds."""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from contract import Box, Detection
from models.evaluate.labels import KINDS, Kind, Truth
from models.train.manifest import ManifestRow
from models.vision import VisionDetector, detect_in_pictures

# If a picture is labelled with a kind, a detection of low confidence of that kind is probably correct.
LABELLED_THRESHOLD = 0.2  # lowest confidence of kinds that the picture is labelled with
UNLABELLED_THRESHOLD = 0.5  # lowest confidence of other kinds
_MAX_OVERLAP = 0.5  # fraction of the smaller box; a detection with a larger overlap with a labelled box is dropped


def pseudo_label(
    entries: Sequence[ManifestRow], teacher: VisionDetector, done: Callable[[int], None] | None = None
) -> tuple[list[ManifestRow], Counter[str]]:
    """Add the boxes that a detector (the teacher) finds to the incompletely labelled training pictures.

    The splits val and test keep only labels by people.

    - A picture labelled as a whole gets boxes of its labelled kinds, from confidence 0.2, and of other kinds, from 0.5.
      If the teacher misses a labelled kind, the picture stays unchanged and cannot be used for training.
    - A picture in which not all kinds are labelled gets boxes of the other kinds, from confidence 0.5, where there is
      no box yet.

    Args:
        entries: The entries of a manifest.
        teacher: A detector with a threshold of 0.2 or lower.
        done: Called with the number of processed pictures.

    Returns:
        The entries in the same order, and counts: ``pictures`` changed, ``boxes`` added, ``not_found``, ``unusable``.
    """
    incomplete = {
        at: entry
        for at, entry in enumerate(entries)
        if entry.split == "train" and (entry.shows or len(entry.known) < len(KINDS))
    }
    result, counts = list(entries), Counter[str]()
    pictures = detect_in_pictures(teacher, [entry.path for entry in incomplete.values()])
    for number, ((at, entry), picture) in enumerate(zip(incomplete.items(), pictures, strict=True), 1):
        if picture.problem is not None:
            counts["unusable"] += 1
        else:
            result[at] = _add_boxes(entry, picture.detections, counts)
        if done is not None:
            done(number)
    return result, counts


def _add_boxes(entry: ManifestRow, detections: Sequence[Detection], counts: Counter[str]) -> ManifestRow:
    shown = entry.shows or frozenset()
    added: list[Truth] = []
    for detection in detections:
        kind = next((kind for kind in KINDS if kind == detection.observation_type), None)
        threshold = LABELLED_THRESHOLD if kind in shown else UNLABELLED_THRESHOLD
        if kind is None or detection.box is None or detection.confidence < threshold:
            continue
        if kind not in shown and kind in entry.known and not entry.shows:
            continue  # this kind is labelled completely by a person
        if all(_overlap(detection.box, truth.box) < _MAX_OVERLAP for truth in entry.truths):
            added.append(Truth(kind, detection.box))
    kinds: set[Kind] = {truth.kind for truth in added}
    if not shown <= kinds:
        counts["not_found"] += 1
        return entry
    counts["pictures"] += 1
    counts["boxes"] += len(added)
    return msgspec.structs.replace(
        entry,
        truths=(*entry.truths, *added),
        shows=None,
        known=frozenset(KINDS),
        taught=tuple(kind for kind in KINDS if kind in kinds),
    )


def _overlap(first: Box, second: Box) -> float:
    """Return the area of the intersection of two boxes divided by the area of the smaller box."""
    width = min(first.x + first.width, second.x + second.width) - max(first.x, second.x)
    height = min(first.y + first.height, second.y + second.height) - max(first.y, second.y)
    smaller = min(first.width * first.height, second.width * second.height)
    return max(width, 0) * max(height, 0) / smaller if smaller else 0.0
