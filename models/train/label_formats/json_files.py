"""Readers of label formats with one JSON file for all pictures: COCO, and MegaDetector results."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from models.evaluate.labels import BadLabels
from models.train.dataset_settings import LabelSource
from models.train.label_formats.picture_labels import NamedBox, PictureLabels, box_from_corners, without_labels

Four = Annotated[list[float], Meta(min_length=4, max_length=4)]
Document = TypeVar("Document")


class _CocoPicture(msgspec.Struct):
    id: int | str
    file_name: str
    width: float = 0
    height: float = 0


class _CocoBox(msgspec.Struct):
    image_id: int | str
    category_id: int
    bbox: Four | None = None


class _CocoClass(msgspec.Struct):
    id: int
    name: str


class _Coco(msgspec.Struct):
    images: list[_CocoPicture]
    annotations: list[_CocoBox]
    categories: list[_CocoClass]


class _Finding(msgspec.Struct):
    category: str
    conf: float
    bbox: Four


class _Result(msgspec.Struct):
    file: str
    detections: list[_Finding] | None = None
    failure: str | None = None


class _MegaDetector(msgspec.Struct):
    images: list[_Result]
    detection_categories: dict[str, str]


def read_coco(root: Path, source: LabelSource) -> Iterator[PictureLabels]:
    """Read a COCO detection file, whose boxes are x, y, width, height in pixels.

    The pixels refer to the picture size that the file states. A picture with annotations but without boxes is
    labelled as a whole, as in COCO Camera Traps.
    Source: cocodataset.org/#format-data.

    Raises:
        BadLabels: the file cannot be read.
    """
    read = _read(root / (source.labels or "annotations.json"), _Coco)
    names = {category.id: category.name for category in read.categories}
    drawn: dict[int | str, list[_CocoBox]] = {}
    for annotation in read.annotations:
        drawn.setdefault(annotation.image_id, []).append(annotation)
    folder = root / (source.pictures or ".")
    for picture in read.images:
        path = folder / picture.file_name
        try:
            yield _coco_labels(path, picture, drawn.pop(picture.id, []), names)
        except BadLabels as error:
            yield PictureLabels(path, problem=str(error))
    for stray in drawn:
        yield PictureLabels(folder / f"image {stray}", problem="has annotations, but is not among the file's images")
    yield from without_labels(folder, (folder / picture.file_name for picture in read.images))


def _coco_labels(path: Path, picture: _CocoPicture, drawn: Sequence[_CocoBox], names: dict[int, str]) -> PictureLabels:
    unknown = {annotation.category_id for annotation in drawn} - set(names)
    if unknown:
        raise BadLabels(f"categories {sorted(unknown)}: not in the file's list of categories")
    if drawn and all(annotation.bbox is None for annotation in drawn):
        return PictureLabels(path, shows=tuple(sorted({names[annotation.category_id] for annotation in drawn})))
    if drawn and (picture.width <= 0 or picture.height <= 0):
        raise BadLabels(f"size of {picture.width:g} x {picture.height:g} pixels: expected more than 0")
    boxes = []
    for at, annotation in enumerate(drawn, 1):
        if annotation.bbox is None:
            raise BadLabels(f"annotation {at} has no box, but other annotations of the picture have one")
        x, y, width, height = annotation.bbox
        left, right = x / picture.width, (x + width) / picture.width
        top, bottom = y / picture.height, (y + height) / picture.height
        boxes.append(
            NamedBox(names[annotation.category_id], box_from_corners(left, top, right, bottom, f"annotation {at}"))
        )
    return PictureLabels(path, tuple(boxes))


def read_megadetector(root: Path, source: LabelSource) -> Iterator[PictureLabels]:
    """Read a MegaDetector results file, whose boxes are x, y, width, height in fractions of the picture.

    Boxes below a tenth of the source's ``least_confidence`` are dropped. A picture with a box between that and
    ``least_confidence`` has a ``problem``, because it is not known whether the detection is correct.
    Source: the format's description in agentmorris/MegaDetector.

    Raises:
        BadLabels: the file cannot be read.
    """
    read = _read(root / (source.labels or "megadetector.json"), _MegaDetector)
    folder = root / (source.pictures or ".")
    for result in read.images:
        path = folder / result.file
        try:
            yield _megadetector_labels(path, result, read.detection_categories, source.least_confidence)
        except BadLabels as error:
            yield PictureLabels(path, problem=str(error))
    yield from without_labels(folder, (folder / result.file for result in read.images))


def _megadetector_labels(path: Path, result: _Result, names: dict[str, str], least: float) -> PictureLabels:
    if result.failure is not None or result.detections is None:
        raise BadLabels(f"MegaDetector could not process it: {result.failure}")
    boxes = []
    for at, found in enumerate(result.detections, 1):
        if found.conf < least / 10 or names.get(found.category) == "empty":
            continue
        if found.conf < least:
            raise BadLabels(f"detection {at} has confidence {found.conf:g}: doubtful, expected {least:g} or more")
        if found.category not in names:
            raise BadLabels(f"detection {at} has category {found.category!r}: not in the file's list of categories")
        x, y, width, height = found.bbox
        box = box_from_corners(x, y, x + width, y + height, f"detection {at}")
        boxes.append(NamedBox(names[found.category], box))
    return PictureLabels(path, tuple(boxes))


def _read(path: Path, form: type[Document]) -> Document:
    try:
        return msgspec.json.decode(path.read_bytes(), type=form)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadLabels(f"{path}: {error}") from error
