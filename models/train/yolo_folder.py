"""Writes a manifest's pictures as the folders that ultralytics reads: small copies, and a text file of boxes each."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from captures.picture import read_picture, shrink
from models.evaluate.labels import KINDS, BadLabels
from models.train.dataset_settings import Split
from models.train.manifest import ManifestRow

_QUALITY = 95
_SPLITS: tuple[Split, ...] = ("train", "val")


@dataclass(frozen=True, slots=True)
class YoloFolder:
    """What was written.

    Attributes:
        settings: The ``data.yaml``.
        counts: Pictures by split, and under ``without_boxes`` and ``partly_known`` what a person should know of.
    """

    settings: Path
    counts: Counter[str]


def write_yolo_folder(
    entries: Sequence[ManifestRow], folder: Path, longest_px: int, done: Callable[[int], None] | None = None
) -> YoloFolder:
    """Write the pictures of the train and val splits.

    Copies, never links: ultralytics rewrites a JPEG in place whose end it does not like. They are as large as training
    takes them, so nothing is lost, and a picture of 12 megapixels is decoded once and not in every epoch. A copy that
    is there already is not made again.

    Pictures labelled as a whole cannot teach where a thing is: only the empty ones are taken, the others counted.

    Args:
        entries: Of the manifest.
        folder: Where ``images``, ``labels`` and ``data.yaml`` go.
        longest_px: Longest side of a copy.
        done: Called with the number of pictures written.

    Raises:
        BadLabels: there is nothing to learn from, or nothing to choose the best checkpoint by.
    """
    counts: Counter[str] = Counter()
    chosen = []
    for entry in entries:
        if entry.split not in _SPLITS:
            continue
        if entry.shows:
            counts["without_boxes"] += 1
            continue
        counts[entry.split] += 1
        counts["partly_known"] += len(entry.known) < len(KINDS)
        chosen.append(entry)
    for split in _SPLITS:
        if not any(entry.truths for entry in chosen if entry.split == split):
            raise BadLabels(f"the manifest has no picture with a box in split {split!r}: expected one at least")
    with ThreadPoolExecutor(2, thread_name_prefix="copy") as pool:
        for number, _ in enumerate(pool.map(lambda entry: _write(entry, folder, longest_px), chosen), 1):
            if done is not None:
                done(number)
    settings = folder / "data.yaml"
    names = "".join(f"  {at}: {kind}\n" for at, kind in enumerate(KINDS))
    settings.write_text(f"path: {folder.resolve()}\ntrain: images/train\nval: images/val\nnames:\n{names}")
    return YoloFolder(settings, counts)


def _write(entry: ManifestRow, folder: Path, longest_px: int) -> None:
    import cv2

    # Named for its content: two sources may both have an IMG_0001.JPG.
    name = f"{entry.source}_{entry.sha256[:16]}"
    picture = folder / "images" / entry.split / f"{name}.jpg"
    labels = folder / "labels" / entry.split / f"{name}.txt"
    for path in (picture, labels):
        path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for truth in entry.truths:
        box = truth.box
        middle = (box.x + box.width / 2, box.y + box.height / 2)
        lines.append(f"{KINDS.index(truth.kind)} {middle[0]:.6f} {middle[1]:.6f} {box.width:.6f} {box.height:.6f}\n")
    labels.write_text("".join(lines))
    if picture.is_file():
        return
    pixels = shrink(read_picture(entry.path, longest_px).pixels, longest_px)
    part = picture.with_suffix(".part")
    part.write_bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes())
    part.replace(picture)
