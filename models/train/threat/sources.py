"""Says which folders hold clips, what their names tell of them, and which of them may be learnt from."""

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
_LONGEST_S = 60.0  # more of one recording would outweigh the others
_WORDS = (*LABELS, "other", "background")


class BadSources(InvalidInput):
    """A file of sources cannot be used; the message says where, and what is expected."""


class SoundSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One folder of clips.

    Attributes:
        folder: Where it is, relative to the file of sources.
        licence: As the source states it; "none stated" where it states none.
        name: A regular expression for the path within the folder, with the groups ``class``, ``recording`` and perhaps
            ``fold``. Clips of one recording (one freesound id, one speaker, one weapon) stay in one split.
        classes: What each class is: words out of the threats, ``other`` (none of them) and ``background`` (may lie
            under anything); ``?engine`` says that nobody knows whether there is an engine in it. ``*``: every class
            not named. A class without an entry is left out.
        test: Folds, or recordings where the names tell no fold, that are never learnt from.
        val: As test: to calibrate on, and to choose thresholds.
        by_chance: Instead of lists: recordings are split by their hash, 70 : 15 : 15.
        left_out: All of it is test: it shows what a new site will be like.
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
            if strangers := [word for word in words.split() if word.removeprefix("?") not in _WORDS]:
                raise ValueError(f"class {words!r}: {strangers}: expected words among {', '.join(_WORDS)}")


class SoundSources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All folders, by name; ``same_numbers`` names those whose recordings share one numbering."""

    sources: Annotated[dict[str, SoundSource], Meta(min_length=1)]
    same_numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedClip:
    """One file of a source.

    Attributes:
        path: Where it is.
        source: The name of its source.
        kind: Its class, as its source calls it.
        recording: What its clips have in common; never in two splits.
        split: What it is for.
        labels: The threats in it.
        unsure: The threats of which nobody knows whether they are in it.
        background: It may lie under anything.
        licence: Of its source.
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
    """Find the clips of all sources and give each its split.

    Raises:
        BadSources: the file cannot be used, or a folder has no clip whose name fits.
    """
    try:
        settings = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), SoundSources)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadSources(f"{path}: {error}") from error
    listed: list[ListedClip] = []
    for name, source in settings.sources.items():
        if not (path.parent / source.folder).is_dir():
            raise BadSources(f"{path}: source {name!r}: {path.parent / source.folder}: no such folder")
        found = _listed(name, source, path.parent, name in settings.same_numbers)
        if not found:
            raise BadSources(f"{path}: source {name!r}: no clip in {source.folder} whose path fits {source.name!r}")
        listed += found
    return _one_split_each(listed)


def check_splits(listed: Sequence[ListedClip]) -> None:
    """Make sure that a network can be trained and calibrated: clips of every label in the splits train and val.

    Raises:
        BadSources: some are missing.
    """
    found = {(one.split, label) for one in listed for label in one.labels}
    wanted: tuple[Split, ...] = ("train", "val")
    if missing := [f"{label} in {split}" for split in wanted for label in LABELS if (split, label) not in found]:
        raise BadSources(f"no clip of {', '.join(missing)}: expected some of every label in the splits train and val")


def hash_of(listed: Sequence[ListedClip]) -> str:
    """Hash the list of clips: their names, sizes, splits and labels, wherever they lie."""
    lines = [
        f"{one.source}/{one.path.name} {one.path.stat().st_size} {one.recording} {one.split} "
        f"{sorted(one.labels)} {sorted(one.unsure)} {one.background}"
        for one in listed
    ]
    return sha256("\n".join(sorted(lines)).encode()).hexdigest()


def load(listed: ListedClip) -> TrainingClip:
    """Read a clip, at the network's rate.

    Raises:
        Unreadable: it cannot be read.
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


def load_all(listed: list[ListedClip], done: Callable[[int], None] | None = None) -> list[TrainingClip]:
    """Read clips; those of digital silence teach nothing and are left out.

    Raises:
        Unreadable: one cannot be read.
    """
    clips = []
    for number, one in enumerate(listed, 1):
        clip = load(one)
        if np.abs(clip.samples).max() > 1e-4:
            clips.append(clip)
        if done is not None:
            done(number)
    return clips


def _listed(name: str, source: SoundSource, beside: Path, shared_numbers: bool) -> list[ListedClip]:
    folder = beside / source.folder
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
        told = set(words.split())
        found.append(
            ListedClip(
                path,
                name,
                kind,
                recording if shared_numbers else f"{name}:{recording}",
                split,
                frozenset(told & set(LABELS)),
                frozenset(label for label in LABELS if f"?{label}" in told),
                "background" in told,
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
        share = sha256(recording.encode()).digest()[0] / 256
        return "test" if share < 0.15 else "val" if share < 0.3 else "train"
    return "train"


def _one_split_each(listed: list[ListedClip]) -> list[ListedClip]:
    """A recording that two splits want goes where it is learnt from least."""
    strictest: dict[str, Split] = {}
    for one in listed:
        known = strictest.get(one.recording, one.split)
        strictest[one.recording] = min(known, one.split, key=_STRICTEST.index)
    return [replace(one, split=strictest[one.recording]) for one in listed]
