"""Reads the sounds table, which lists folders of clips and the classes, recordings and splits of the clips."""

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from captures.sound import read_stretches
from contract.errors import InvalidInput
from models.threat.front_end import RATE_HZ
from models.train.threat.mixing import LABELS, TrainingClip

Split = Literal["train", "val", "test"]
_STRICTEST: tuple[Split, ...] = ("test", "val", "train")
_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3"})
_LONGEST_S = 60.0  # the rest of a longer recording is not read, so that it does not outweigh the others
_WORDS = (*LABELS, "other", "background")


class BadSources(InvalidInput):
    """A sounds table cannot be used; the message states the location of the error and the expected value."""


class SoundSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one source in the sounds table: a folder, and how the file names state class and recording of a clip.

    Attributes:
        folder: Path of the folder, relative to the sounds table.
        licence: The licence that the source states; "none stated" if it states none.
        name: A regular expression for the path within the folder, with the groups ``class``, ``recording`` and
            optionally ``fold``. Clips of one recording (one freesound id, one speaker, one weapon) are in one split.
        classes: The labels of each class, separated by spaces: threats, ``other`` (no threat) and ``background``
            (usable as background of any mixture); ``?engine`` means that an engine may or may not be present. The key
            ``*`` applies to all classes without an entry of their own. Without a matching entry, clips are not used.
        test: Folds (or recordings, if the names contain no fold) of the split test, which is never used for training.
        val: Folds or recordings of the split val, for calibration and the choice of thresholds.
        by_chance: Split recordings by their hash, 70 : 15 : 15, instead of by these lists.
        left_out: Whether all clips are in the split test, to measure accuracy at a new site.
    """

    folder: str
    licence: str
    name: str
    classes: dict[str, str]
    test: tuple[str, ...] = ()
    val: tuple[str, ...] = ()
    by_chance: bool = False
    left_out: bool = False

    def __post_init__(self) -> None:
        try:
            groups = re.compile(self.name).groupindex
        except re.error as error:
            raise ValueError(f"name {self.name!r}: {error}: expected a regular expression") from error
        if "class" not in groups or "recording" not in groups:
            raise ValueError(f"name {self.name!r}: expected the groups 'class' and 'recording'")
        for words in self.classes.values():
            if unknown := [word for word in words.split() if word.removeprefix("?") not in _WORDS]:
                raise ValueError(f"class {words!r}: unknown words {unknown}: expected some of {', '.join(_WORDS)}")


class SoundSources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sounds table: all sources, by name.

    ``same_numbers`` lists the sources with the same recording ids, such as freesound ids.
    """

    sources: Annotated[dict[str, SoundSource], Meta(min_length=1)]
    same_numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedClip:
    """One clip file of a source in the sounds table, with its labels, recording and split.

    Attributes:
        path: Path of the file.
        source: Name of its source.
        kind: Its class in the source.
        recording: Id of its recording; all clips of a recording are in one split.
        split: Its split.
        labels: The threats in it.
        unsure: Threats that may or may not be in it.
        background: Whether it can be the background of any mixture.
        licence: The licence of its source.
    """

    path: Path
    source: str
    kind: str
    recording: str
    split: Split
    labels: frozenset[str]
    unsure: frozenset[str]
    background: bool
    licence: str


def read_sources(path: Path) -> list[ListedClip]:
    """List the clips of all sources in a sounds table, and assign a split to each clip.

    Raises:
        BadSources: the table cannot be used, or a folder has no clip with a matching path.
    """
    try:
        settings = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), SoundSources)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadSources(f"{path}: {error}") from error
    listed: list[ListedClip] = []
    for name, source in settings.sources.items():
        if not (path.parent / source.folder).is_dir():
            raise BadSources(f"{path}: source {name!r}: {path.parent / source.folder}: no such folder")
        found = _list_clips(name, source, path.parent, name in settings.same_numbers)
        if not found:
            raise BadSources(
                f"{path}: source {name!r}: no clip in {source.folder} with a path matching {source.name!r}"
            )
        listed += found
    return _unify_splits(listed)


def check_splits(listed: Sequence[ListedClip]) -> None:
    """Verify that the splits train and val contain clips of every threat label.

    Raises:
        BadSources: clips of a label are missing.
    """
    found = {(clip.split, label) for clip in listed for label in clip.labels}
    required: tuple[Split, ...] = ("train", "val")
    if missing := [f"{label} in {split}" for split in required for label in LABELS if (split, label) not in found]:
        raise BadSources(f"no clip of {', '.join(missing)}: expected some of every label in the splits train and val")


def clips_sha256(listed: Sequence[ListedClip]) -> str:
    """Return one sha256 over the names, sizes, recordings, splits and labels of all clips.

    It is independent of the folder and the order of the clips.
    """
    lines = [
        f"{clip.source}/{clip.path.name} {clip.path.stat().st_size} {clip.recording} {clip.split} "
        f"{sorted(clip.labels)} {sorted(clip.unsure)} {clip.background}"
        for clip in listed
    ]
    return sha256("\n".join(sorted(lines)).encode()).hexdigest()


def load_clip(listed: ListedClip) -> TrainingClip:
    """Read the samples of a clip file at the threat-sound network's sample rate.

    Raises:
        Unreadable: the file cannot be read.
    """
    stretches = read_stretches(listed.path, RATE_HZ, _LONGEST_S)
    samples = next(stretches).samples
    return TrainingClip(
        samples - samples.mean(dtype=np.float32),
        next((label for label in LABELS if label in listed.labels), None),
        listed.recording,
        listed.source,
        tuple(sorted(listed.unsure)),
        listed.background,
    )


def load_clips(listed: list[ListedClip], done: Callable[[int], None] | None = None) -> list[TrainingClip]:
    """Read the samples of clip files; clips of digital silence are left out.

    Args:
        listed: The clips to read.
        done: Called with the number of clips read.

    Raises:
        Unreadable: a file cannot be read.
    """
    clips = []
    for number, entry in enumerate(listed, 1):
        clip = load_clip(entry)
        if np.abs(clip.samples).max() > 1e-4:
            clips.append(clip)
        if done is not None:
            done(number)
    return clips


def _list_clips(name: str, source: SoundSource, parent: Path, shared_numbers: bool) -> list[ListedClip]:
    folder = parent / source.folder
    found = []
    for path in sorted(folder.rglob("*")):
        match = re.search(source.name, path.relative_to(folder).as_posix())
        if path.suffix.lower() not in _SUFFIXES or match is None:
            continue
        kind, recording = match["class"], match["recording"]
        words = source.classes.get(kind, source.classes.get("*"))
        if words is None:
            continue
        split = _split(source, match.groupdict().get("fold") or recording, recording)
        chosen = set(words.split())
        found.append(
            ListedClip(
                path,
                name,
                kind,
                recording if shared_numbers else f"{name}:{recording}",
                split,
                frozenset(chosen & set(LABELS)),
                frozenset(label for label in LABELS if f"?{label}" in chosen),
                "background" in chosen,
                source.licence,
            )
        )
    return found


def _split(source: SoundSource, fold: str, recording: str) -> Split:
    if source.left_out or fold in source.test:
        return "test"
    if fold in source.val:
        return "val"
    if source.by_chance:
        fraction = sha256(recording.encode()).digest()[0] / 256
        return "test" if fraction < 0.15 else "val" if fraction < 0.3 else "train"
    return "train"


def _unify_splits(listed: list[ListedClip]) -> list[ListedClip]:
    """Move all clips of a recording into one split: test if a clip is in test, otherwise val if one is in val."""
    strictest: dict[str, Split] = {}
    for clip in listed:
        known = strictest.get(clip.recording, clip.split)
        strictest[clip.recording] = min(known, clip.split, key=_STRICTEST.index)
    return [replace(clip, split=strictest[clip.recording]) for clip in listed]
