"""What one picture's labels say, in whichever form they were written."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from contract import Box
from models.evaluate.labels import BadLabels

_PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff"}
_BEYOND = 0.05  # of the picture: a box that reaches further outside belongs to another picture or another size


@dataclass(frozen=True, slots=True)
class NamedBox:
    """A box and the class name or number that it was given."""

    name: str
    box: Box


@dataclass(frozen=True, slots=True)
class PictureLabels:
    """A picture with its labels.

    Attributes:
        path: The picture; it may not be there.
        boxes: What was drawn.
        shows: Class names given to the picture as a whole; None where boxes were drawn, or could have been.
        problem: Why the labels cannot be used; None where they can.
    """

    path: Path
    boxes: tuple[NamedBox, ...] = ()
    shows: tuple[str, ...] | None = None
    problem: str | None = None


def box_from_corners(left: float, top: float, right: float, bottom: float, where: str) -> Box:
    """Make a box of fractions; what lies a little outside is cut off at the picture's edge.

    Raises:
        BadLabels: it has no area, or lies outside.
    """
    edges = (left, top, right, bottom)
    words = ", ".join(f"{edge:g}" for edge in edges)
    if not all(math.isfinite(edge) for edge in edges) or right <= left or bottom <= top:
        raise BadLabels(f"{where}: box from left, top to right, bottom {words}: expected an area")
    if min(left, top) < -_BEYOND or max(right, bottom) > 1 + _BEYOND:
        raise BadLabels(f"{where}: box {words} reaches outside the picture (0 to 1)")
    left, top, right, bottom = (round(min(1.0, max(0.0, edge)), 6) for edge in edges)
    if right <= left or bottom <= top:
        raise BadLabels(f"{where}: box {words} lies outside the picture")
    return Box(left, top, round(right - left, 6), round(bottom - top, 6))


def number(text: str | None, where: str) -> float:
    """Read a number.

    Raises:
        BadLabels: it is none.
    """
    try:
        return float(text or "")
    except ValueError:
        raise BadLabels(f"{where}: {text!r}: expected a number") from None


def pictures_below(folder: Path) -> list[Path]:
    """List the pictures in a folder and its subfolders, in the order of their paths."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES)


def without_labels(folder: Path, mentioned: Iterable[Path]) -> list[PictureLabels]:
    """List the pictures that a file of labels does not speak of."""
    known = set(mentioned)
    return [
        PictureLabels(path, problem="the labels do not speak of it")
        for path in pictures_below(folder)
        if path not in known
    ]
