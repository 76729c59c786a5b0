"""Cuts detected animals out of a picture at full resolution and puts a classifier's claims beside the detections."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from contract import Box, Detection, Location
from models.port import Classifier, Crop, Framing

_GREY = 114  # what training fills the outside of a picture with


def classify_animals(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    detections: Sequence[Detection],
    taken_at: datetime | None = None,
    location: Location | None = None,
) -> list[Detection]:
    """Return the detections, those of animals with the classifier's claim; nothing else in them changes.

    Args:
        classifier: Names the taxon of each animal.
        pixels: (height, width, 3) uint8, blue green red: the picture at full resolution.
        detections: What a detector found in it; those without a box stay as they are.
        taken_at: When the picture was taken; None: not known.
        location: Where the station stands; None: not known.
    """
    animals = [one for one in detections if one.observation_type == "animal" and one.box is not None]
    crops = [
        Crop(cut(pixels, one.box, classifier.framing), one, taken_at, location)
        for one in animals
        if one.box is not None
    ]
    claims = {one.ordinal: claim for one, claim in zip(animals, classifier.classify(crops), strict=True)}
    return [
        one if (claim := claims.get(one.ordinal)) is None else msgspec.structs.replace(one, classification=claim)
        for one in detections
    ]


def cut(pixels: NDArray[np.uint8], box: Box, framing: Framing) -> NDArray[np.uint8]:
    """Cut the crop of a box, at least one pixel wide and high; what lies outside the picture is grey.

    Args:
        pixels: (height, width, 3) uint8.
        box: In fractions of the picture.
        framing: How much beside the box belongs to the crop.

    Returns:
        A copy, (height, width, 3) uint8.
    """
    across, down = box.width * pixels.shape[1], box.height * pixels.shape[0]
    extra = 2 * framing.margin * max(across, down)
    sides = (max(across, down) + extra,) * 2 if framing.square else (across + extra, down + extra)
    width, height = (max(1, round(side)) for side in sides)
    left = round((box.x + box.width / 2) * pixels.shape[1] - width / 2)
    top = round((box.y + box.height / 2) * pixels.shape[0] - height / 2)
    crop = np.full((height, width, 3), _GREY, np.uint8)
    x, y = max(0, left), max(0, top)
    inside = pixels[y : max(y, top + height), x : max(x, left + width)]
    crop[y - top : y - top + inside.shape[0], x - left : x - left + inside.shape[1]] = inside
    return crop
