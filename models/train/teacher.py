"""Lets a detector draw the boxes that nobody drew: in pictures sorted by hand, and of kinds not looked for."""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from contract import Box, Detection
from models.evaluate.labels import KINDS, Kind, Truth
from models.train.manifest import ManifestRow
from models.vision import VisionDetector, detect_in_pictures

# Where a person says that an animal is in the picture, a doubtful find of an animal is probably that animal.
SAID = 0.2
UNSAID = 0.5
_SAME = 0.5  # of the smaller box: a find that lies so far within a box that a person drew is that same thing


def pseudo_label(
    entries: Sequence[ManifestRow], teacher: VisionDetector, done: Callable[[int], None] | None = None
) -> tuple[list[ManifestRow], Counter[str]]:
    """Add a teacher's boxes to pictures of the train split; val and test stay what people said.

    - A picture labelled as a whole gets boxes of the kind that it shows, from confidence 0.2, and of others from 0.5.
      Where the teacher does not find what a person saw, it stays as it was: it cannot be learnt from.
    - A picture in which not all kinds were looked for gets boxes of the others, from 0.5, where no box is yet.

    Args:
        entries: Of a manifest.
        teacher: Opened with a threshold of 0.2 or lower.
        done: Called with the number of pictures looked at.

    Returns:
        The entries, in their order, and counts: ``pictures`` changed, ``boxes`` added, ``not_found``, ``unusable``.
    """
    wanting = {
        at: entry
        for at, entry in enumerate(entries)
        if entry.split == "train" and (entry.shows or len(entry.known) < len(KINDS))
    }
    result, counts = list(entries), Counter[str]()
    looked = detect_in_pictures(teacher, [entry.path for entry in wanting.values()])
    for number, ((at, entry), one) in enumerate(zip(wanting.items(), looked, strict=True), 1):
        if one.problem is not None:
            counts["unusable"] += 1
        else:
            result[at] = _taught(entry, one.detections, counts)
        if done is not None:
            done(number)
    return result, counts


def _taught(entry: ManifestRow, found: Sequence[Detection], counts: Counter[str]) -> ManifestRow:
    shown = entry.shows or frozenset()
    added: list[Truth] = []
    for one in found:
        kind = next((kind for kind in KINDS if kind == one.observation_type), None)
        if kind is None or one.box is None or one.confidence < (SAID if kind in shown else UNSAID):
            continue
        if kind not in shown and kind in entry.known and not entry.shows:
            continue  # a person looked for it and did not draw it
        if all(_within(one.box, truth.box) < _SAME for truth in entry.truths):
            added.append(Truth(kind, one.box))
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


def _within(first: Box, second: Box) -> float:
    """The intersection as a share of the smaller box."""
    width = min(first.x + first.width, second.x + second.width) - max(first.x, second.x)
    height = min(first.y + first.height, second.y + second.height) - max(first.y, second.y)
    smaller = min(first.width * first.height, second.width * second.height)
    return max(width, 0) * max(height, 0) / smaller if smaller else 0.0
