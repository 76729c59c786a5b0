"""The labels of one picture, independent of the label format."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from contract import Box
from models.evaluate.labels import BadLabels

_PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff"}
_TOLERANCE = 0.05  # fraction of the picture; a box that extends further outside has the wrong picture or picture size


@dataclass(frozen=True, slots=True)
class NamedBox:
    """A labelled bounding box with its class name or class number."""

    name: str
    box: Box


@dataclass(frozen=True, slots=True)
class PictureLabels:
    """The labels of one picture, with the class names that the label file uses.

    Attributes:
        path: Path of the picture; the file may not exist.
        boxes: The labelled boxes.
        shows: Class names of a picture that is labelled as a whole; None for a format with boxes.
        problem: Why the labels cannot be used; None if they can.
    """

    path: Path
    boxes: tuple[NamedBox, ...] = ()
    shows: tuple[str, ...] | None = None
    problem: str | None = None


def box_from_corners(left: float, top: float, right: float, bottom: float, where: str) -> Box:
    """Create a box from its edges in fractions of the picture, and clip it to the picture.

    Raises:
        BadLabels: the box has no area, or extends outside the picture by more than 5 % of the picture.
    """
    edges = (left, top, right, bottom)
    words = ", ".join(f"{edge:g}" for edge in edges)
    if not all(math.isfinite(edge) for edge in edges) or right <= left or bottom <= top:
        raise BadLabels(f"{where}: box with left, top, right, bottom {words}: expected an area above 0")
    if min(left, top) < -_TOLERANCE or max(right, bottom) > 1 + _TOLERANCE:
        raise BadLabels(f"{where}: box {words} extends outside the picture (0 to 1)")
    left, top, right, bottom = (round(min(1.0, max(0.0, edge)), 6) for edge in edges)
    if right <= left or bottom <= top:
        raise BadLabels(f"{where}: box {words} lies outside the picture")
    return Box(left, top, round(right - left, 6), round(bottom - top, 6))


def number(text: str | None, where: str) -> float:
    """Convert the text of a field in a label file to a number.

    Raises:
        BadLabels: the text is not a number.
    """
    try:
        return float(text or "")
    except ValueError:
        raise BadLabels(f"{where}: {text!r}: expected a number") from None


def pictures_below(folder: Path) -> list[Path]:
    """Return the pictures in a folder and its subfolders, sorted by path."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES)


def without_labels(folder: Path, mentioned: Iterable[Path]) -> list[PictureLabels]:
    """Return the pictures in a folder that the label file does not mention; ``problem`` states the missing labels."""
    known = set(mentioned)
    return [
        PictureLabels(path, problem="the labels do not mention it")
        for path in pictures_below(folder)
        if path not in known
    ]
