"""Reader of YOLO labels: one text file per picture, with one line per box and numbered classes."""

from collections.abc import Iterator
from pathlib import Path

from models.evaluate.labels import BadLabels
from models.train.dataset_settings import LabelSource
from models.train.label_formats.picture_labels import NamedBox, PictureLabels, box_from_corners, number, pictures_below


def read_yolo(root: Path, source: LabelSource) -> Iterator[PictureLabels]:
    """Read the pictures in ``images``, and the text label files of the same names in ``labels``.

    An empty label file means an empty picture. A missing label file is a ``problem`` of the picture.
    """
    pictures, labels = root / (source.pictures or "images"), root / (source.labels or "labels")
    for picture in pictures_below(pictures):
        file = (labels / picture.relative_to(pictures)).with_suffix(".txt")
        if not file.is_file():
            yield PictureLabels(
                picture, problem=f"no label file {file.name} (expected an empty file for an empty picture)"
            )
            continue
        try:
            yield PictureLabels(picture, tuple(_boxes(file)))
        except (BadLabels, UnicodeDecodeError) as error:
            yield PictureLabels(picture, problem=str(error))


def _boxes(file: Path) -> Iterator[NamedBox]:
    """Yield one box for each line of a YOLO label file; a line contains a box or the outline of an object.

    A line is ``class x y width height`` (of the box's centre) or ``class x1 y1 x2 y2 x3 y3 ...`` (outline).

    Source: the detection and segmentation formats of docs.ultralytics.com/datasets.
    """
    for at, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        where = f"{file.name}, line {at}"
        values = [number(word, where) for word in words[1:]]
        if len(values) == 4:
            x, y, width, height = values
            box = box_from_corners(x - width / 2, y - height / 2, x + width / 2, y + height / 2, where)
        elif len(values) >= 6 and len(values) % 2 == 0:
            across, down = values[::2], values[1::2]
            box = box_from_corners(min(across), min(down), max(across), max(down), where)
        else:
            raise BadLabels(f"{where}: {line!r}: expected class x y width height, or class and outline points")
        yield NamedBox(words[0], box)
