"""Readers of label formats; an error in the labels of one picture is reported with that picture."""

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


def read_source(parent: Path, source: LabelSource) -> Iterator[PictureLabels]:
    """Read the labels of one source; an error in the labels of a picture is its ``problem``.

    Args:
        parent: The folder of the dataset file.
        source: The source to read.

    Raises:
        BadLabels: the folder does not exist, or a file with the labels of all pictures cannot be read.
    """
    root = parent / source.folder
    if not root.is_dir():
        raise BadLabels(f"{root}: no such folder")
    return FORMS[source.form](root, source)
