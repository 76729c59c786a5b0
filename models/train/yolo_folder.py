"""Writes the pictures of a manifest in ultralytics' folder layout: scaled copies, and one label file per picture."""

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
    """A dataset folder in ultralytics' layout, with the number of pictures in each split.

    Attributes:
        settings: Path of the ``data.yaml``.
        counts: Pictures by split; ``without_boxes``: unused pictures that are labelled as a whole; ``partly_known``:
            pictures in which not all kinds are labelled.
    """

    settings: Path
    counts: Counter[str]


def write_yolo_folder(
    entries: Sequence[ManifestRow], folder: Path, longest_px: int, done: Callable[[int], None] | None = None
) -> YoloFolder:
    """Write the pictures of the splits train and val into a dataset folder in ultralytics' layout.

    The pictures are copied and not linked, because ultralytics rewrites a JPEG with a damaged end in place. The copies
    have the size of the network's input, so that a picture of 12 megapixels is decoded once and not in every epoch.
    Existing copies are kept.

    Of the pictures labelled as a whole, only the empty ones are written, because the others have no boxes.

    Args:
        entries: The entries of the manifest.
        folder: The folder for ``images``, ``labels`` and ``data.yaml``.
        longest_px: Longest side of a copy.
        done: Called with the number of written pictures.

    Raises:
        BadLabels: the split train or val has no picture with a box.
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
            raise BadLabels(f"the manifest has no picture with a box in split {split!r}: expected at least one")
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

    # The name contains the hash, because two sources may both have an IMG_0001.JPG.
    name = f"{entry.source}_{entry.sha256[:16]}"
    picture = folder / "images" / entry.split / f"{name}.jpg"
    labels = folder / "labels" / entry.split / f"{name}.txt"
    for path in (picture, labels):
        path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for truth in entry.truths:
        box = truth.box
        centre = (box.x + box.width / 2, box.y + box.height / 2)
        lines.append(f"{KINDS.index(truth.kind)} {centre[0]:.6f} {centre[1]:.6f} {box.width:.6f} {box.height:.6f}\n")
    labels.write_text("".join(lines))
    if picture.is_file():
        return
    pixels = shrink(read_picture(entry.path, longest_px).pixels, longest_px)
    part = picture.with_suffix(".part")
    part.write_bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes())
    part.replace(picture)
