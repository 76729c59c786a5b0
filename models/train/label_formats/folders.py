"""Reader of pictures in folders named after their class, without boxes."""

from collections.abc import Iterator
from pathlib import Path

from models.train.dataset_settings import LabelSource
from models.train.label_formats.picture_labels import PictureLabels, pictures_below


def read_folders(root: Path, source: LabelSource) -> Iterator[PictureLabels]:
    """Read one subfolder per class; each picture is labelled as a whole with the class of its folder."""
    top = root / (source.pictures or ".")
    for folder in sorted(path for path in top.iterdir() if path.is_dir()):
        for picture in pictures_below(folder):
            yield PictureLabels(picture, shows=(folder.name,))
    for stray in sorted(path for path in pictures_below(top) if path.parent == top):
        yield PictureLabels(stray, problem="is not in a class folder")
