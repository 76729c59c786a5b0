"""Reads a dataset file: the folders of pictures, their label formats, and the meanings of their classes."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.evaluate.labels import KINDS, BadLabels, Kind
from models.registry import Share

Form = Literal["yolo", "voc", "coco", "megadetector", "csv", "folders"]
Split = Literal["train", "val", "test", "left_out"]
Meaning = Literal["animal", "human", "vehicle", "blank", "ignore"]

WILDCARD = "*"  # key in a table of classes that applies to all classes without an entry


class LabelSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one source of a dataset: a folder of labelled pictures and its label format.

    Attributes:
        folder: Path of the folder, relative to the dataset file.
        form: The label format; docs/how-to/train.md describes each.
        classes: The meaning of each class name: a kind, ``blank`` (empty picture) or ``ignore`` (its boxes are
            dropped). YOLO's class names are numbers. ``*`` applies to all classes without an entry.
        licence: The licence of the pictures that the source states.
        pictures: The folder of pictures within ``folder``.
        labels: The file of labels (coco, megadetector, csv) or their folder (yolo, voc) within ``folder``.
        camera: A regular expression for the path of a picture. Pictures with the same group ``key``, or the same match
            if there is no such group, are from one camera or film and stay in one split. None: no grouping.
        split: The split of all its pictures; ``left_out`` excludes the source from training.
        known: The kinds that were labelled; None: those in ``classes``.
        night: Whether all pictures were taken in infrared; None: determined by the colours of each picture.
        least_confidence: The lowest confidence of a detector's box (megadetector) that is used as a label.
    """

    folder: str
    form: Form
    classes: Annotated[dict[str, Meaning], Meta(min_length=1)]
    licence: str
    pictures: str | None = None
    labels: str | None = None
    camera: str | None = None
    split: Split | None = None
    known: tuple[Kind, ...] | None = None
    night: bool | None = None
    least_confidence: Share = 0.8

    def __post_init__(self) -> None:
        if self.camera is not None:
            try:
                re.compile(self.camera)
            except re.error as error:
                raise ValueError(f"camera {self.camera!r}: {error}: expected a regular expression") from error

    def meaning_of(self, name: str) -> Meaning | None:
        """Return the entry of a class name in ``classes``; None if no entry matches."""
        return self.classes.get(name, self.classes.get(WILDCARD))

    @property
    def labelled_kinds(self) -> frozenset[Kind]:
        """The kinds that are completely labelled: each object of such a kind in the pictures has a label."""
        if self.known is not None:
            return frozenset(self.known)
        return frozenset(kind for kind in KINDS if kind in self.classes.values())


class DatasetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings in a dataset file: sources, fractions of the splits, and the limit for near-duplicates.

    Attributes:
        sources: The sources, by name.
        val: Fraction of the pictures, in complete groups, for the choice of the best checkpoint.
        test: Fraction of the pictures, in complete groups, for the evaluation of the finished network.
        alike_bits: Maximum number of different bits in the 64-bit hashes of two near-duplicates.
        parent: The folder of the dataset file, set on loading.
    """

    sources: Annotated[dict[str, LabelSource], Meta(min_length=1)]
    val: Share = 0.1
    test: Share = 0.15
    alike_bits: Annotated[int, Meta(ge=0, le=20)] = 8
    parent: Path = Path()

    def __post_init__(self) -> None:
        if self.val + self.test >= 1:
            raise ValueError(f"val {self.val} and test {self.test}: expected a sum of less than 1")


def load_dataset(path: Path) -> DatasetSettings:
    """Read the settings of a dataset from a dataset file in TOML.

    Raises:
        BadLabels: the file is missing, is not TOML or does not have the expected fields; the message has the location.
    """
    try:
        read = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), DatasetSettings)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadLabels(f"{path}: {error}") from error
    return msgspec.structs.replace(read, parent=path.parent)
