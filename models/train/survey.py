"""Goes through labelled pictures: which can be used, which are the same scene, and which split each belongs to."""

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
from models.train.dataset_settings import DatasetSettings, LabelSource, Means, Split
from models.train.label_formats import PictureLabels, read_source
from models.train.manifest import ManifestRow
from models.train.near_duplicates import connected_groups, near_duplicate_pairs, picture_hash

_LOOK_PX = 128  # longest side at which colours and likeness are judged
_STRICTEST_FIRST: tuple[Split, ...] = ("left_out", "test", "val", "train")
_GREY = 2.5  # mean distance of a colour from grey, of 255: below it, the picture was taken by infrared


@dataclass(frozen=True, slots=True)
class ExcludedFile:
    """A picture that is not used.

    Attributes:
        path: The picture.
        source: Where it is from.
        reason: In words for whoever can mend it.
    """

    path: Path
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What a dataset holds.

    Attributes:
        entries: Pictures that can be used, in the order of the sources.
        aside: The others.
    """

    entries: tuple[ManifestRow, ...]
    aside: tuple[ExcludedFile, ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A picture, looked at."""

    labels: PictureLabels
    truths: tuple[Truth, ...]
    shows: frozenset[Kind] | None
    sha256: str
    size: tuple[int, int]
    bits: int
    grey: bool


@dataclass(slots=True)
class _Pile:
    """Pictures of all sources, as they are gone through."""

    seen: list[tuple[str, _Seen]] = field(default_factory=list)
    aside: list[ExcludedFile] = field(default_factory=list)
    by_hash: dict[str, Path] = field(default_factory=dict)


def survey(settings: DatasetSettings, done: Callable[[str, int], None] | None = None) -> Survey:
    """Look at every picture of a dataset.

    Args:
        settings: Its sources.
        done: Called with a source's name and how many of its pictures have been looked at.

    Raises:
        BadLabels: a source is not there, or a class has no meaning.
    """
    pile = _Pile()
    for name, source in settings.sources.items():
        labelled = list(read_source(settings.place, source))
        _refuse_strangers(name, source, labelled)
        with ThreadPoolExecutor(2, thread_name_prefix="survey") as pool:
            for count, looked in enumerate(pool.map(lambda one, of=source: _look(one, of), labelled), 1):
                _put(pile, name, looked)
                if done is not None:
                    done(name, count)
    return _part(settings, pile)


def is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Tell whether a picture has no colours, as those that are taken by infrared.

    Args:
        pixels: (h, w, 3) uint8.
    """
    values = pixels.astype(np.int16)
    return float((values.max(2) - values.min(2)).mean()) < _GREY


def _refuse_strangers(name: str, source: LabelSource, labelled: Sequence[PictureLabels]) -> None:
    used = {box.name for one in labelled for box in one.boxes} | {word for one in labelled for word in one.shows or ()}
    strangers = sorted(word for word in used if source.means(word) is None)
    if strangers:
        raise BadLabels(
            f"source {name!r}: classes {', '.join(map(repr, strangers))} have no meaning: expected animal, human, "
            'vehicle, blank or ignore for each in its table of classes ("*" for all others)'
        )


def _look(labels: PictureLabels, source: LabelSource) -> _Seen | tuple[PictureLabels, str]:
    if labels.problem is not None:
        return labels, labels.problem
    try:
        data = labels.path.read_bytes()
        picture = read_picture(data, _LOOK_PX)
        truths, shows = _meaning(labels, source)
    except (Unreadable, BadLabels) as problem:
        return labels, str(problem)
    except OSError as problem:
        return labels, f"the picture cannot be read: {problem.strerror}"
    grey = is_grey(picture.pixels) if source.night is None else source.night
    sha256 = hashlib.sha256(data).hexdigest()
    size = (picture.width, picture.height)
    return _Seen(labels, truths, shows, sha256, size, picture_hash(picture.pixels), grey)


def _meaning(labels: PictureLabels, source: LabelSource) -> tuple[tuple[Truth, ...], frozenset[Kind] | None]:
    kinds: dict[Means, Kind] = {kind: kind for kind in KINDS}
    if labels.shows is None:
        drawn = ((source.means(box.name), box.box) for box in labels.boxes)
        return tuple(Truth(kinds[means], box) for means, box in drawn if means in kinds), None
    shown = {source.means(name) for name in labels.shows}
    if "ignore" in shown and len(shown) == 1:
        raise BadLabels(f"its class {', '.join(labels.shows)} is to be ignored")
    found = frozenset(kinds[means] for means in shown if means in kinds)
    return (), (found or None)  # nothing shown: the empty scene of a set with boxes, and of one without


def _put(pile: _Pile, name: str, looked: "_Seen | tuple[PictureLabels, str]") -> None:
    if isinstance(looked, tuple):
        pile.aside.append(ExcludedFile(looked[0].path, name, looked[1]))
        return
    if looked.sha256 in pile.by_hash:
        pile.aside.append(ExcludedFile(looked.labels.path, name, f"the same file as {pile.by_hash[looked.sha256]}"))
        return
    pile.by_hash[looked.sha256] = looked.labels.path
    pile.seen.append((name, looked))


def _part(settings: DatasetSettings, pile: _Pile) -> Survey:
    keys = [_key(name, settings.sources[name], one) for name, one in pile.seen]
    numbers = connected_groups(keys, near_duplicate_pairs([one.bits for _, one in pile.seen], settings.alike_bits))
    members: dict[int, list[int]] = {}
    for at, group in enumerate(numbers):
        members.setdefault(group, []).append(at)
    entries: list[ManifestRow] = []
    aside = list(pile.aside)
    splits = {group: _split(settings, pile, places) for group, places in members.items()}
    for at, (name, one) in enumerate(pile.seen):
        source = settings.sources[name]
        common = splits[numbers[at]]
        if common == "left_out" and source.split != "left_out":
            aside.append(
                ExcludedFile(one.labels.path, name, "nearly the same as a picture of a source that is left out")
            )
            continue
        entries.append(_entry(name, source, one, common, numbers[at]))
    return Survey(tuple(entries), tuple(aside))


def _entry(name: str, source: LabelSource, one: _Seen, split: Split, group: int) -> ManifestRow:
    empty = not one.truths and one.labels.shows is not None and one.shows is None
    known = frozenset(KINDS) if empty else (one.shows or source.looked_for)
    return ManifestRow(
        path=one.labels.path,
        truths=one.truths,
        shows=one.shows,
        known=known,
        source=name,
        night=one.grey,
        sha256=one.sha256,
        width=one.size[0],
        height=one.size[1],
        split=split,
        licence=source.licence,
        group=group,
    )


def _key(name: str, source: LabelSource, one: _Seen) -> tuple[str, str]:
    """Name the camera or film that a picture is from; the picture itself where nobody said."""
    path = one.labels.path.as_posix()
    found = re.search(source.camera, path) if source.camera is not None else None
    if found is None:
        return name, path
    return name, found.groupdict().get("key") or found.group()


def _split(settings: DatasetSettings, pile: _Pile, places: Sequence[int]) -> Split:
    """Choose a group's split: the one that a source demands, else by its pictures' hash, so that it stays the same."""
    demanded = {settings.sources[pile.seen[at][0]].split for at in places}
    for strict in _STRICTEST_FIRST:
        if strict in demanded:
            return strict
    lowest = min(pile.seen[at][1].sha256 for at in places)
    share = int(hashlib.sha256(lowest.encode()).hexdigest()[:8], 16) / 0x1_0000_0000
    if share < settings.test:
        return "test"
    return "val" if share < settings.test + settings.val else "train"
