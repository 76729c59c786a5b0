"""What a dataset file says: which folders hold pictures, how they are labelled, and what the labels mean."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.evaluate.labels import KINDS, BadLabels, Kind

Form = Literal["yolo", "voc", "coco", "megadetector", "csv", "folders"]
Split = Literal["train", "val", "test", "left_out"]
Means = Literal["animal", "human", "vehicle", "blank", "ignore"]
Share = Annotated[float, Meta(ge=0, le=1)]

OTHERWISE = "*"  # in a table of classes: every class that is not named


class LabelSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One folder of labelled pictures.

    Attributes:
        folder: Where it is, relative to the dataset file.
        form: How it is labelled; docs/how-to/train.md shows each.
        classes: What each class name means: a kind, ``blank`` (nothing is there) or ``ignore`` (no box of it is
            kept). YOLO's classes are numbers. ``*`` stands for every class not named.
        licence: Of the pictures, as their source states it.
        pictures: The folder of pictures within ``folder``.
        labels: The file of labels (coco, megadetector, csv) or their folder (yolo, voc) within ``folder``.
        camera: A regular expression that finds in a picture's path what one camera's or one film's pictures have in
            common: its group ``key``, or all it finds. They stay in one split. None: every picture for itself.
        split: Puts the whole source into one split; ``left_out`` keeps it away from training altogether.
        known: The kinds that were looked for; None: those among ``classes``.
        night: Whether all of it was taken by infrared; None: told from the colours of each picture.
        least_confidence: Of a machine's boxes (megadetector): those below are not taken for a label.
    """

    folder: str
    form: Form
    classes: Annotated[dict[str, Means], Meta(min_length=1)]
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

    def means(self, name: str) -> Means | None:
        """Tell what a class means; None where nobody said."""
        return self.classes.get(name, self.classes.get(OTHERWISE))

    @property
    def looked_for(self) -> frozenset[Kind]:
        """The kinds that whoever drew the boxes looked for."""
        if self.known is not None:
            return frozenset(self.known)
        return frozenset(kind for kind in KINDS if kind in self.classes.values())


class DatasetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dataset file.

    Attributes:
        sources: By name.
        val: Share of the pictures, in whole groups, that chooses the best checkpoint.
        test: Share that is shown to the network only when it is finished.
        alike_bits: Two pictures whose 64-bit hashes differ in so many bits or fewer are taken for the same scene.
        place: The folder that the file lies in, set on loading.
    """

    sources: Annotated[dict[str, LabelSource], Meta(min_length=1)]
    val: Share = 0.1
    test: Share = 0.15
    alike_bits: Annotated[int, Meta(ge=0, le=20)] = 8
    place: Path = Path()

    def __post_init__(self) -> None:
        if self.val + self.test >= 1:
            raise ValueError(f"val {self.val} and test {self.test}: expected less than 1 together")


def load_dataset(path: Path) -> DatasetSettings:
    """Read a dataset file.

    Raises:
        BadLabels: it is missing, is not TOML, or does not have the form; the message says where.
    """
    try:
        read = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), DatasetSettings)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadLabels(f"{path}: {error}") from error
    return msgspec.structs.replace(read, place=path.parent)
