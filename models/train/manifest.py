"""The list of pictures to learn from: one line of JSON each, with boxes, split, source and licence."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from models.evaluate.labels import BadLabels, Kind, Labelled
from models.train.dataset_settings import Split


class ManifestRow(Labelled, frozen=True, kw_only=True):
    """A picture that can be used.

    Attributes:
        sha256: Of the file.
        width: In pixels, upright.
        height: In pixels, upright.
        split: What it is for.
        licence: As its source states it.
        group: Number of its camera, film or near-duplicates: never in two splits.
        taught: Kinds of which a detector drew boxes, and no person.
    """

    sha256: str
    width: int
    height: int
    split: Split
    licence: str
    group: int
    taught: tuple[Kind, ...] = ()


def write_manifest(entries: Iterable[ManifestRow], path: Path) -> None:
    """Write a manifest; the paths of its pictures are written relative to it.

    `wildpost models evaluate` reads the same file.
    """
    encoder = msgspec.json.Encoder(enc_hook=_plain, order="deterministic")
    with path.open("wb") as file:
        for entry in entries:
            relative = os.path.relpath(entry.path.resolve(), path.parent.resolve())
            file.write(encoder.encode(msgspec.structs.replace(entry, path=Path(relative))) + b"\n")


def read_manifest(path: Path) -> list[ManifestRow]:
    """Read a manifest that `wildpost models data` wrote.

    Raises:
        BadLabels: it is not there or a line has not the form; the message has its number.
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
        raise BadLabels(f"{path}: {error}: expected a manifest; make one with wildpost models data") from error
    return entries


def of_split(entries: Sequence[ManifestRow], split: Split) -> list[ManifestRow]:
    """Choose the pictures of one split."""
    return [entry for entry in entries if entry.split == split]


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return value.as_posix()
    raise NotImplementedError(f"{type(value)}: not a part of a manifest")
