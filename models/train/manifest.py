"""The manifest of a dataset: one line of JSON per picture, with boxes, split, source and licence."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from models.evaluate.labels import BadLabels, Kind, LabelledPicture
from models.train.dataset_settings import Split


class ManifestRow(LabelledPicture, frozen=True, kw_only=True):
    """One line of a dataset's manifest: a picture with its labels, its split, its licence and its group.

    Attributes:
        sha256: Hash of the file.
        width: Width in pixels, in upright orientation.
        height: Height in pixels, in upright orientation.
        split: The split of the picture.
        licence: The licence that its source states.
        group: Number of the picture's group. Pictures of one camera or film and near-duplicates form a group, which is
            never in two splits.
        taught: Kinds whose boxes were drawn by a detector and not by a person.
    """

    sha256: str
    width: int
    height: int
    split: Split
    licence: str
    group: int
    taught: tuple[Kind, ...] = ()


def write_manifest(entries: Iterable[ManifestRow], path: Path) -> None:
    """Write the pictures of a dataset to a manifest file, with paths relative to the file.

    `wildpost models evaluate` can read the file too.
    """
    encoder = msgspec.json.Encoder(enc_hook=_plain, order="deterministic")
    with path.open("wb") as file:
        for entry in entries:
            relative = os.path.relpath(entry.path.resolve(), path.parent.resolve())
            file.write(encoder.encode(msgspec.structs.replace(entry, path=Path(relative))) + b"\n")


def read_manifest(path: Path) -> list[ManifestRow]:
    """Read a manifest file that `wildpost models data` wrote.

    Raises:
        BadLabels: the file is missing, or a line does not have the expected fields; the message has its number.
    """
    decoder = msgspec.json.Decoder(ManifestRow, dec_hook=lambda kind, value: kind(value))
    entries = []
    try:
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            try:
                entry = decoder.decode(line)
            except msgspec.MsgspecError as error:
                raise BadLabels(f"{path}, line {number}: {error}") from error
            entries.append(msgspec.structs.replace(entry, path=path.parent / entry.path))
    except OSError as error:
        raise BadLabels(f"{path}: {error}: expected a manifest; create one with wildpost models data") from error
    return entries


def rows_of_split(entries: Sequence[ManifestRow], split: Split) -> list[ManifestRow]:
    """Return the manifest rows whose pictures are in the given split."""
    return [entry for entry in entries if entry.split == split]


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return value.as_posix()
    raise NotImplementedError(f"{type(value)}: expected only Path values in a manifest")
