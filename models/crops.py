"""Cuts detected animals out of a picture at full resolution, and adds their species to the detections."""

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
    """Classify the detected animals in a picture, and return all detections in the same order.

    The detection of an animal gets its classification. All other detections, those without a box included, are
    returned unchanged.

    Args:
        classifier: The classifier of the animals' taxa.
        pixels: The picture at full resolution: (height, width, 3) uint8, blue green red.
        detections: A detector's detections in the picture.
        taken_at: Capture time of the picture; None: unknown.
        location: Location of the station; None: unknown.
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
    """Return a copy of the part of a picture around a box; pixels outside the picture are grey.

    The crop is at least one pixel wide and high.

    Args:
        pixels: The picture: (height, width, 3) uint8.
        box: The box, in fractions of the picture.
        framing: The margin around the box, and the shape of the crop.

    Returns:
        The crop: (height, width, 3) uint8.
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
