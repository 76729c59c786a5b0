"""Reads the ground-truth labels of pictures: bounding boxes, or the kinds of objects in a picture without boxes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from contract import Box
from contract.errors import InvalidInput

Kind = Literal["animal", "human", "vehicle"]
KINDS: tuple[Kind, ...] = ("animal", "human", "vehicle")
_PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp"}


class BadLabels(InvalidInput):
    """Labels in a file or folder cannot be used; the message states where the error is and what is expected."""


class Truth(msgspec.Struct, frozen=True):
    """One ground-truth bounding box in a picture, with its kind of object."""

    kind: Kind
    box: Box


class LabelledPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture with its ground-truth labels: bounding boxes, or only the kinds of objects in the picture.

    Attributes:
        path: Path of the picture.
        truths: Ground-truth boxes; empty if the picture is empty or is labelled as a whole.
        shows: Kinds in a picture that is labelled as a whole; None if it is labelled with boxes.
        known: The kinds that were labelled; a detection of another kind counts neither as correct nor as wrong.
        source: Name of the data source.
        night: Whether the picture was taken in infrared; None if unknown.
    """

    path: Path
    truths: tuple[Truth, ...] = ()
    shows: frozenset[Kind] | None = None
    known: frozenset[Kind] = frozenset(KINDS)
    source: str = ""
    night: bool | None = None


def read_labels(
    data: Path, split: str | None = None, meanings: Mapping[str, Kind] | None = None
) -> list[LabelledPicture]:
    """Read labelled pictures from a manifest, a YOLO dataset or folders named after their class.

    Args:
        data: A ``.jsonl`` manifest (one ``LabelledPicture`` per line, with an additional field ``split``), a YOLO
            ``data.yaml`` or its folder, or a folder with one subfolder per class, whose pictures are labelled as a
            whole; subfolders named ``blank`` or ``empty`` contain empty scenes.
        split: Read only this split, as named in the manifest or in the ``data.yaml``; None: all.
        meanings: The kind of each class name, in addition to ``animal``, ``human`` (``person``) and ``vehicle``.

    Raises:
        BadLabels: the data cannot be read, or contains no picture.
    """
    known: dict[str, Kind] = {"animal": "animal", "human": "human", "person": "human", "vehicle": "vehicle"}
    known.update(meanings or {})
    if data.is_file() and data.suffix == ".jsonl":
        found = list(_manifest(data, split))
    elif data.suffix in (".yaml", ".yml") or (data / "data.yaml").is_file():
        found = list(_yolo(data if data.is_file() else data / "data.yaml", split, known))
    elif data.is_dir():
        found = list(_folders(data, known))
    else:
        raise BadLabels(f"{data}: expected a .jsonl manifest, a YOLO data.yaml or a folder")
    if not found:
        raise BadLabels(f"{data}: no labelled picture" + (f" of split {split!r}" if split else ""))
    return found


class _Line(LabelledPicture, frozen=True, kw_only=True):
    split: str = ""


def _manifest(path: Path, split: str | None) -> Iterator[LabelledPicture]:
    decoder = msgspec.json.Decoder(_Line, dec_hook=lambda kind, value: kind(value))
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not text.strip():
            continue
        try:
            line = decoder.decode(text)
        except msgspec.MsgspecError as error:
            raise BadLabels(f"{path}, line {number}: {error}") from error
        if split is None or line.split == split:
            yield msgspec.structs.replace(line, path=path.parent / line.path)


def _yolo(settings: Path, split: str | None, meanings: Mapping[str, Kind]) -> Iterator[LabelledPicture]:
    names, folders = yolo_settings(settings)
    kinds = {number: meanings[name] for number, name in names.items() if name in meanings}
    if not kinds:
        raise BadLabels(
            f"{settings}: none of its classes {sorted(names.values())} has a meaning; set it with --class NAME=KIND"
        )
    if split is not None and split not in folders:
        raise BadLabels(f"{settings}: no split {split!r}: expected one of {', '.join(sorted(folders))}")
    for name, folder in folders.items():
        if split is not None and name != split:
            continue
        for picture in pictures_in(folder):
            labels = yolo_label_file(picture)
            yield LabelledPicture(
                path=picture,
                truths=tuple(Truth(kinds[at], box) for at, box in yolo_boxes(labels) if at in kinds)
                if labels.is_file()
                else (),
                known=frozenset(kinds.values()),
                source=settings.parent.name,
            )


def yolo_settings(settings: Path) -> tuple[dict[int, str], dict[str, Path]]:
    """Read a YOLO data.yaml, and return its class names by number and its picture folders by split."""
    import yaml

    try:
        read = yaml.safe_load(settings.read_text(encoding="utf-8"))
        names = read["names"]
        numbered = dict(enumerate(names)) if isinstance(names, list) else {int(at): name for at, name in names.items()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadLabels(f"{settings}: {error!r}: expected a YOLO data.yaml with 'names'") from error
    root = settings.parent / str(read.get("path") or ".")
    folders = {name: root / str(read[name]) for name in ("train", "val", "test") if isinstance(read.get(name), str)}
    return numbered, folders


def yolo_boxes(path: Path) -> Iterator[tuple[int, Box]]:
    """Read the class number and the box of each line of a YOLO label file.

    Raises:
        BadLabels: a line has another form.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            class_number, x, y, width, height = (float(word) for word in line.split()[:5])
            left, top = max(0.0, x - width / 2), max(0.0, y - height / 2)
            box = Box(left, top, min(1.0, x + width / 2) - left, min(1.0, y + height / 2) - top)
        except ValueError as error:
            raise BadLabels(f"{path}, line {number}: {line!r}: expected class x y width height, 0 to 1") from error
        yield int(class_number), box


def yolo_label_file(picture: Path) -> Path:
    """Return the path of the label file of a picture: in a folder ``labels`` beside ``images``, if there is one."""
    return Path(str(picture.with_suffix(".txt")).replace("/images/", "/labels/"))


def _folders(root: Path, meanings: Mapping[str, Kind]) -> Iterator[LabelledPicture]:
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        empty = folder.name.casefold() in ("blank", "empty")
        kind = meanings.get(folder.name)
        if kind is None and not empty:
            raise BadLabels(
                f"{folder}: unknown class {folder.name!r}: set its kind with --class {folder.name}=animal, human "
                "or vehicle"
            )
        for picture in pictures_in(folder):
            shows: frozenset[Kind] = frozenset() if kind is None else frozenset((kind,))
            yield LabelledPicture(
                path=picture, shows=shows, known=frozenset(KINDS) if empty else shows, source=root.name
            )


def pictures_in(folder: Path) -> list[Path]:
    """List all pictures in a folder and the folders below it, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES)
