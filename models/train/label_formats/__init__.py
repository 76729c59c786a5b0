"""Reads labels in each form that people draw them in, picture by picture, with what is wrong beside."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from models.evaluate.labels import BadLabels
from models.train.dataset_settings import Form, LabelSource
from models.train.label_formats.folders import read_folders
from models.train.label_formats.json_files import read_coco, read_megadetector
from models.train.label_formats.picture_labels import PictureLabels
from models.train.label_formats.tables import read_csv
from models.train.label_formats.voc import read_voc
from models.train.label_formats.yolo import read_yolo

__all__ = ["FORMS", "PictureLabels", "read_source"]

FORMS: Mapping[Form, Callable[[Path, LabelSource], Iterator[PictureLabels]]] = {
    "yolo": read_yolo,
    "voc": read_voc,
    "coco": read_coco,
    "megadetector": read_megadetector,
    "csv": read_csv,
    "folders": read_folders,
}


def read_source(place: Path, source: LabelSource) -> Iterator[PictureLabels]:
    """Read one source; what is wrong with a single picture's labels comes with that picture.

    Args:
        place: The folder that the dataset file lies in.
        source: What to read.

    Raises:
        BadLabels: there is no such folder, or the one file that holds all its labels cannot be read.
    """
    root = place / source.folder
    if not root.is_dir():
        raise BadLabels(f"{root}: no such folder")
    return FORMS[source.form](root, source)
