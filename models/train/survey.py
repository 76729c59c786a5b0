"""Examines the pictures of a dataset: excludes unusable ones, finds near-duplicates and assigns the splits."""

import hashlib
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Unreadable
from captures.picture import read_picture
from models.evaluate.labels import KINDS, BadLabels, Kind, Truth
from models.train.dataset_settings import DatasetSettings, LabelSource, Meaning, Split
from models.train.label_formats import PictureLabels, read_source
from models.train.manifest import ManifestRow
from models.train.near_duplicates import connected_groups, near_duplicate_pairs, picture_hash

_EXAMINED_PX = 128  # longest side at which colours and perceptual hash are computed
_STRICTEST_FIRST: tuple[Split, ...] = ("left_out", "test", "val", "train")
_GREY = 2.5  # mean difference of the largest and smallest channel, of 255; below it, the picture is infrared


@dataclass(frozen=True, slots=True)
class ExcludedFile:
    """A picture that was excluded from the dataset, with the reason.

    Attributes:
        path: Path of the picture.
        source: Name of its source.
        reason: Why it is excluded, for people.
    """

    path: Path
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Survey:
    """The usable and the excluded pictures of a dataset.

    Attributes:
        entries: Usable pictures, in the order of the sources.
        excluded: Excluded pictures.
    """

    entries: tuple[ManifestRow, ...]
    excluded: tuple[ExcludedFile, ...]


@dataclass(frozen=True, slots=True)
class _ExaminedPicture:
    """A readable picture with its labels and its perceptual hash, and whether it has almost no colour."""

    labels: PictureLabels
    truths: tuple[Truth, ...]
    shows: frozenset[Kind] | None
    sha256: str
    size: tuple[int, int]
    bits: int
    grey: bool


@dataclass(slots=True)
class _Collection:
    """Examined and excluded pictures of all sources, with the source of each examined picture."""

    examined: list[tuple[str, _ExaminedPicture]] = field(default_factory=list)
    excluded: list[ExcludedFile] = field(default_factory=list)
    by_hash: dict[str, Path] = field(default_factory=dict)


def survey(settings: DatasetSettings, done: Callable[[str, int], None] | None = None) -> Survey:
    """Examine every picture of a dataset: exclude unusable ones, find near-duplicates and assign the splits.

    Args:
        settings: The sources and splits.
        done: Called with the name of a source and the number of its examined pictures.

    Raises:
        BadLabels: the folder of a source is missing, or a class has no meaning.
    """
    collection = _Collection()
    for name, source in settings.sources.items():
        labelled = list(read_source(settings.parent, source))
        _check_classes(name, source, labelled)
        with ThreadPoolExecutor(2, thread_name_prefix="survey") as pool:
            for count, result in enumerate(pool.map(lambda labels, of=source: _examine(labels, of), labelled), 1):
                _add(collection, name, result)
                if done is not None:
                    done(name, count)
    return _assign_splits(settings, collection)


def is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Return whether a picture has almost no colour, like an infrared picture.

    Args:
        pixels: (h, w, 3) uint8.
    """
    values = pixels.astype(np.int16)
    return float((values.max(2) - values.min(2)).mean()) < _GREY


def _check_classes(name: str, source: LabelSource, labelled: Sequence[PictureLabels]) -> None:
    used = {box.name for labels in labelled for box in labels.boxes}
    used |= {word for labels in labelled for word in labels.shows or ()}
    unknown = sorted(word for word in used if source.meaning_of(word) is None)
    if unknown:
        raise BadLabels(
            f"source {name!r}: classes {', '.join(map(repr, unknown))} have no meaning: expected animal, human, "
            'vehicle, blank or ignore for each in its table of classes ("*" for all others)'
        )


def _examine(labels: PictureLabels, source: LabelSource) -> _ExaminedPicture | tuple[PictureLabels, str]:
    """Read and examine one picture.

    For an unusable picture, return its labels and the reason for its exclusion.
    """
    if labels.problem is not None:
        return labels, labels.problem
    try:
        data = labels.path.read_bytes()
        picture = read_picture(data, _EXAMINED_PX)
        if picture.damage:
            raise Unreadable(f"the picture is damaged: {picture.damage}")
        truths, shows = _meaning(labels, source)
    except (Unreadable, BadLabels) as problem:
        return labels, str(problem)
    except OSError as problem:
        return labels, f"the picture cannot be read: {problem.strerror}"
    grey = is_grey(picture.pixels) if source.night is None else source.night
    sha256 = hashlib.sha256(data).hexdigest()
    size = (picture.width, picture.height)
    return _ExaminedPicture(labels, truths, shows, sha256, size, picture_hash(picture.pixels), grey)


def _meaning(labels: PictureLabels, source: LabelSource) -> tuple[tuple[Truth, ...], frozenset[Kind] | None]:
    kinds: dict[Meaning, Kind] = {kind: kind for kind in KINDS}
    if labels.shows is None:
        drawn = ((source.meaning_of(box.name), box.box) for box in labels.boxes)
        return tuple(Truth(kinds[meaning], box) for meaning, box in drawn if meaning in kinds), None
    shown = {source.meaning_of(name) for name in labels.shows}
    if "ignore" in shown and len(shown) == 1:
        raise BadLabels(f"its class {', '.join(labels.shows)} is to be ignored")
    found = frozenset(kinds[meaning] for meaning in shown if meaning in kinds)
    return (), (found or None)  # no kinds: an empty picture, as in sources with boxes


def _add(collection: _Collection, name: str, result: "_ExaminedPicture | tuple[PictureLabels, str]") -> None:
    if isinstance(result, tuple):
        collection.excluded.append(ExcludedFile(result[0].path, name, result[1]))
        return
    if result.sha256 in collection.by_hash:
        reason = f"the same file as {collection.by_hash[result.sha256]}"
        collection.excluded.append(ExcludedFile(result.labels.path, name, reason))
        return
    collection.by_hash[result.sha256] = result.labels.path
    collection.examined.append((name, result))


def _assign_splits(settings: DatasetSettings, collection: _Collection) -> Survey:
    pictures = collection.examined
    keys = [_camera_key(name, settings.sources[name], picture) for name, picture in pictures]
    pairs = near_duplicate_pairs([picture.bits for _, picture in pictures], settings.alike_bits)
    numbers = connected_groups(keys, pairs)
    members: dict[int, list[int]] = {}
    for at, group in enumerate(numbers):
        members.setdefault(group, []).append(at)
    entries: list[ManifestRow] = []
    excluded = list(collection.excluded)
    splits = {group: _choose_split(settings, collection, indices) for group, indices in members.items()}
    for at, (name, picture) in enumerate(pictures):
        source = settings.sources[name]
        split = splits[numbers[at]]
        if split == "left_out" and source.split != "left_out":
            reason = "near-duplicate of a picture in a source that is left out"
            excluded.append(ExcludedFile(picture.labels.path, name, reason))
            continue
        entries.append(_manifest_row(name, source, picture, split, numbers[at]))
    return Survey(tuple(entries), tuple(excluded))


def _manifest_row(name: str, source: LabelSource, picture: _ExaminedPicture, split: Split, group: int) -> ManifestRow:
    empty = not picture.truths and picture.labels.shows is not None and picture.shows is None
    known = frozenset(KINDS) if empty else (picture.shows or source.labelled_kinds)
    return ManifestRow(
        path=picture.labels.path,
        truths=picture.truths,
        shows=picture.shows,
        known=known,
        source=name,
        night=picture.grey,
        sha256=picture.sha256,
        width=picture.size[0],
        height=picture.size[1],
        split=split,
        licence=source.licence,
        group=group,
    )


def _camera_key(name: str, source: LabelSource, picture: _ExaminedPicture) -> tuple[str, str]:
    """Return a key that is equal for all pictures of one camera or film.

    If camera and film are unknown, the key is the path of the picture.
    """
    path = picture.labels.path.as_posix()
    found = re.search(source.camera, path) if source.camera is not None else None
    if found is None:
        return name, path
    return name, found.groupdict().get("key") or found.group()


def _choose_split(settings: DatasetSettings, collection: _Collection, indices: Sequence[int]) -> Split:
    """Return the split of a group of pictures: the configured split of its sources, or a split chosen by a hash.

    The hash is computed from the pictures. It keeps the split of a group when other pictures are added to the dataset.
    """
    configured = {settings.sources[collection.examined[at][0]].split for at in indices}
    for split in _STRICTEST_FIRST:
        if split in configured:
            return split
    lowest = min(collection.examined[at][1].sha256 for at in indices)
    fraction = int(hashlib.sha256(lowest.encode()).hexdigest()[:8], 16) / 0x1_0000_0000
    if fraction < settings.test:
        return "test"
    return "val" if fraction < settings.test + settings.val else "train"
