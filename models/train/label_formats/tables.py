"""Reader of CSV labels: one line per box, or one line per picture."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from contract import Box
from models.evaluate.labels import BadLabels
from models.train.dataset_settings import LabelSource
from models.train.label_formats.picture_labels import NamedBox, PictureLabels, box_from_corners, number, without_labels

_PICTURE = ("filepath", "file", "filename", "path", "image")
_CLASS = ("label", "class", "category", "species")
_FRACTIONS = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")  # Camtrap DP
_CORNERS = ("xmin", "ymin", "xmax", "ymax")  # tables in VOC style: pixels of the size in the columns width and height

Line = Mapping[str, str | None]


def read_csv(root: Path, source: LabelSource) -> Iterator[PictureLabels]:
    """Read a CSV file with column names in its first line.

    The picture is in ``filepath``, ``file``, ``filename``, ``path`` or ``image``, its class in ``label``, ``class``,
    ``category`` or ``species``. A box is in ``bboxX, bboxY, bboxWidth, bboxHeight`` (fractions, as in Camtrap DP), or
    in ``xmin, ymin, xmax, ymax`` with the picture's ``width`` and ``height``. A line without a box labels the picture
    as a whole.

    Raises:
        BadLabels: the file cannot be read, or lacks a column.
    """
    path = root / (source.labels or "labels.csv")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns, lines = reader.fieldnames or [], list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadLabels(f"{path}: {error}") from error
    picture_column, class_column = _column(_PICTURE, columns, path), _column(_CLASS, columns, path)
    by_picture: dict[str, list[tuple[int, Line]]] = {}
    for at, line in enumerate(lines, 2):
        by_picture.setdefault(line[picture_column] or "", []).append((at, line))
    folder = root / (source.pictures or ".")
    for name, picture_lines in by_picture.items():
        try:
            yield _labels(folder / name, picture_lines, class_column)
        except BadLabels as error:
            yield PictureLabels(folder / name, problem=str(error))
    yield from without_labels(folder, (folder / name for name in by_picture))


def _column(names: Sequence[str], columns: Sequence[str], path: Path) -> str:
    for name in names:
        if name in columns:
            return name
    raise BadLabels(f"{path}: columns {', '.join(columns)}: expected one called {', '.join(names)}")


def _labels(path: Path, lines: Sequence[tuple[int, Line]], class_column: str) -> PictureLabels:
    drawn = [(at, line[class_column] or "", _box(line, f"line {at}")) for at, line in lines]
    whole = [name for _, name, box in drawn if box is None]
    if len(whole) == len(drawn):
        return PictureLabels(path, shows=tuple(sorted(set(whole))))
    if whole:
        raise BadLabels(f"some of its lines have a box, but {len(whole)} have none")
    return PictureLabels(path, tuple(NamedBox(name, box) for _, name, box in drawn if box is not None))


def _box(line: Line, where: str) -> Box | None:
    if any(line.get(column) for column in _FRACTIONS):
        x, y, width, height = (number(line.get(column), f"{where}, {column}") for column in _FRACTIONS)
        return box_from_corners(x, y, x + width, y + height, where)
    if any(line.get(column) for column in _CORNERS):
        left, top, right, bottom = (number(line.get(column), f"{where}, {column}") for column in _CORNERS)
        width, height = (number(line.get(column), f"{where}, {column}") for column in ("width", "height"))
        if width <= 0 or height <= 0:
            raise BadLabels(f"{where}: size of {width:g} x {height:g} pixels: expected more than 0")
        return box_from_corners(left / width, top / height, right / width, bottom / height, where)
    return None
