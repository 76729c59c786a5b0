"""Reads labelled animals for the evaluation of a species classifier, cut out of pictures as at a station."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from captures.decoded import Unreadable
from captures.picture import read_picture
from contract import Box, Detection, Location
from i18n.taxonomy import shipped_taxonomy
from models.crops import cut
from models.evaluate.labels import BadLabels, pictures_in, yolo_boxes, yolo_label_file, yolo_settings
from models.evaluate.species import NO_ANIMAL, LabelledCrop
from models.port import Crop, Framing
from models.vision import VisionDetector

_EMPTY = ("blank", "empty")
_WHOLE = 1_000_000  # pixels; no picture that ``read_picture`` accepts has a longer side

Report = Callable[[Path, str], None]


def read_crops(
    data: Path,
    framing: Framing,
    detector: VisionDetector | None,
    report: Report,
    split: str | None = None,
    meanings: Mapping[str, str] | None = None,
    place: Location | None = None,
) -> Iterator[LabelledCrop]:
    """Yield the labelled animals of a YOLO dataset, or of folders named after their taxon.

    Args:
        data: A YOLO ``data.yaml`` or its folder: each box of a class that is an animal is one. Or a folder with one
            subfolder per taxon: each animal that the detector finds there is one; what it finds in subfolders named
            ``blank`` or ``empty`` is no animal.
        framing: The margin and the shape of the crops.
        detector: Finds the animals in pictures without boxes; None: such a picture is a crop already.
        report: Called with each picture that cannot be read, and the reason.
        split: Read only this split of a YOLO dataset; None: all.
        meanings: The taxon of each class or folder whose name is not that of a taxon.
        place: Where the pictures were taken; None: unknown.

    Raises:
        BadLabels: the data cannot be read, or a folder is named after no taxon.
    """
    names = meanings or {}
    for one in _read(data, framing, detector, report, split, names):
        yield one if place is None else replace(one, crop=replace(one.crop, location=place))


def _read(
    data: Path,
    framing: Framing,
    detector: VisionDetector | None,
    report: Report,
    split: str | None,
    names: Mapping[str, str],
) -> Iterator[LabelledCrop]:
    if data.suffix in (".yaml", ".yml") or (data / "data.yaml").is_file():
        yield from _boxes(data if data.is_file() else data / "data.yaml", framing, report, split, names)
    elif data.is_dir():
        yield from _folders(data, framing, detector, report, names)
    else:
        raise BadLabels(f"{data}: expected a YOLO data.yaml, or a folder with one folder for each taxon")


def _boxes(
    settings: Path, framing: Framing, report: Report, split: str | None, meanings: Mapping[str, str]
) -> Iterator[LabelledCrop]:
    classes, folders = yolo_settings(settings)
    taxa = {number: meanings.get(name, name) for number, name in classes.items()}
    animals = {number: name for number, name in taxa.items() if _is_animal(name)}
    if not animals:
        raise BadLabels(f"{settings}: none of its classes {sorted(taxa.values())} is an animal; name it with --class")
    if split is not None and split not in folders:
        raise BadLabels(f"{settings}: no split {split!r}: expected one of {', '.join(sorted(folders))}")
    for name, folder in folders.items():
        for picture in pictures_in(folder) if split in (None, name) else ():
            labels = yolo_label_file(picture)
            if labels.is_file():
                found = [(animals[at], box) for at, box in yolo_boxes(labels) if at in animals]
                yield from _cut_all(picture, found, framing, report)


def _folders(
    root: Path, framing: Framing, detector: VisionDetector | None, report: Report, meanings: Mapping[str, str]
) -> Iterator[LabelledCrop]:
    folders = {path: meanings.get(path.name, path.name) for path in sorted(root.iterdir()) if path.is_dir()}
    taxa = {path: NO_ANIMAL if name.casefold() in _EMPTY else name for path, name in folders.items()}
    for folder, taxon in taxa.items():
        if taxon != NO_ANIMAL and not _is_animal(taxon):
            raise BadLabels(f"{folder}: expected a folder named after one animal taxon; name it with --class")
    for folder, taxon in taxa.items():
        for picture in pictures_in(folder):
            try:
                boxes = [Box(0, 0, 1, 1)] if detector is None else _animals(detector, picture)
            except Unreadable as error:
                report(picture, str(error))
                continue
            shape = Framing(0.0, framing.square) if detector is None else framing
            yield from _cut_all(picture, [(taxon, box) for box in boxes], shape, report)


def _animals(detector: VisionDetector, picture: Path) -> list[Box]:
    found = detector.predict([detector.preprocess(picture)])[0]
    return [one.box for one in found if one.observation_type == "animal" and one.box is not None]


def _cut_all(
    picture: Path, found: Sequence[tuple[str, Box]], framing: Framing, report: Report
) -> Iterator[LabelledCrop]:
    if not found:
        return
    try:
        pixels = read_picture(picture, _WHOLE).pixels
    except Unreadable as error:
        report(picture, str(error))
        return
    for number, (taxon, box) in enumerate(found):
        label = Detection(
            ordinal=number, label="animal", observation_type="animal", confidence=1.0, model="label", box=box
        )
        yield LabelledCrop(Crop(cut(pixels, box, framing), label), taxon)


def _is_animal(name: str) -> bool:
    taxon = shipped_taxonomy().find(name, "animal")
    return taxon is not None and taxon.scientific_name is not None
