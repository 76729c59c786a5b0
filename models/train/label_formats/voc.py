"""Reader of PASCAL VOC labels: one XML file per picture, with boxes in pixels and the size of the picture."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from models.evaluate.labels import BadLabels
from models.train.dataset_settings import LabelSource
from models.train.label_formats.picture_labels import NamedBox, PictureLabels, box_from_corners, number, pictures_below


def read_voc(root: Path, source: LabelSource) -> Iterator[PictureLabels]:
    """Read pictures in ``images`` with labels of the same name in ``annotations``.

    Boxes are converted to fractions of the size in the XML file, because the pictures are often scaled down afterwards.
    """
    pictures, labels = root / (source.pictures or "images"), root / (source.labels or "annotations")
    for picture in pictures_below(pictures):
        file = (labels / picture.relative_to(pictures)).with_suffix(".xml")
        if not file.is_file():
            yield PictureLabels(picture, problem=f"no label file {file.name}")
            continue
        try:
            yield PictureLabels(picture, tuple(_boxes(file)))
        except BadLabels as error:
            yield PictureLabels(picture, problem=str(error))


def _boxes(file: Path) -> Iterator[NamedBox]:
    text = file.read_bytes()
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:  # labels do not need them, and they can exhaust memory
        raise BadLabels(f"{file.name}: declares a document type or entities: expected VOC labels without these")
    try:
        tree = ElementTree.fromstring(text)  # noqa: S314 - entities are refused above
    except ElementTree.ParseError as error:
        raise BadLabels(f"{file.name}: {error}") from error
    width = number(tree.findtext("size/width"), f"{file.name}, size/width")
    height = number(tree.findtext("size/height"), f"{file.name}, size/height")
    if width <= 0 or height <= 0:
        raise BadLabels(f"{file.name}: size of {width:g} x {height:g} pixels: expected more than 0")
    for at, element in enumerate(tree.iter("object"), 1):
        where = f"{file.name}, object {at}"
        left, top, right, bottom = (
            number(element.findtext(f"bndbox/{edge}"), f"{where}, {edge}") for edge in ("xmin", "ymin", "xmax", "ymax")
        )
        name = (element.findtext("name") or "").strip()
        yield NamedBox(name, box_from_corners(left / width, top / height, right / width, bottom / height, where))
