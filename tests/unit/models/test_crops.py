"""Crops hold the pixels that a classifier was trained on, and claims go to the animals only."""

from datetime import UTC, datetime

import numpy as np
import pytest

from contract import Box, Classification, Detection, Location
from contract.messages import ObservationType
from models.crops import classify_animals, cut
from models.port import Crop, Framing
from tests.species_network import NamedByCrop

PIXELS = np.arange(40 * 60 * 3, dtype=np.uint32).reshape(40, 60, 3).astype(np.uint8)
AT, HERE = datetime(2026, 6, 1, tzinfo=UTC), Location(latitude=31.0, longitude=117.3)


def test_without_margin_a_crop_is_the_box() -> None:
    crop = cut(PIXELS, Box(0.5, 0.25, 0.25, 0.5), Framing())
    assert np.array_equal(crop, PIXELS[10:30, 30:45])


def test_a_margin_is_a_share_of_the_longer_side_on_each_side() -> None:
    crop = cut(PIXELS, Box(0.5, 0.25, 0.25, 0.5), Framing(margin=0.25))
    assert np.array_equal(crop, PIXELS[5:35, 25:50])


def test_a_square_has_the_box_in_its_middle() -> None:
    crop = cut(PIXELS, Box(0.5, 0.25, 0.2, 0.5), Framing(square=True))
    assert np.array_equal(crop, PIXELS[10:30, 26:46])


@pytest.mark.parametrize(
    ("box", "left", "top"), [(Box(0.0, 0.0, 0.2, 0.25), -3, -4), (Box(0.8, 0.75, 0.2, 0.25), 45, 26)]
)
def test_what_lies_outside_the_picture_is_grey_as_in_training(box: Box, left: int, top: int) -> None:
    around = np.full((80, 100, 3), 114, np.uint8)
    around[20:60, 20:80] = PIXELS
    crop = cut(PIXELS, box, Framing(margin=0.25, square=True))
    assert np.array_equal(crop, around[20 + top : 38 + top, 20 + left : 38 + left])


@pytest.mark.parametrize("box", [Box(0.5, 0.5, 0.0, 0.0), Box(1.0, 1.0, 0.0, 0.0), Box(0.0, 0.999, 1.0, 0.001)])
def test_a_box_without_area_gives_a_crop_of_at_least_a_pixel(box: Box) -> None:
    crop = cut(PIXELS, box, Framing())
    assert min(crop.shape) >= 1


def by_width(crop: Crop) -> Classification | None:
    """Name an animal by the width of its crop, and say nothing of narrow ones."""
    width = crop.pixels.shape[1]
    return Classification(label=f"{width} wide", confidence=0.9, model="sizes") if width > 5 else None


def found(ordinal: int, kind: ObservationType, box: Box | None) -> Detection:
    return Detection(
        ordinal=ordinal,
        label=kind,
        observation_type=kind,
        confidence=0.5,
        model="eye",
        box=box,
    )


def test_only_animals_with_a_box_are_classified_and_nothing_else_of_a_detection_changes() -> None:
    person, heard = found(0, "human", Box(0, 0, 1, 1)), found(2, "animal", None)
    large, small = found(1, "animal", Box(0, 0, 0.5, 0.5)), found(3, "animal", Box(0, 0, 0.05, 0.5))
    sizes = NamedByCrop("sizes", by_width)
    result = classify_animals(sizes, PIXELS, [person, large, heard, small], AT, HERE)
    assert [one.classification.label if one.classification else None for one in result] == [None, "30 wide", None, None]
    assert [one.ordinal for one in result] == [0, 1, 2, 3]
    assert (result[0], result[2], result[3]) == (person, heard, small)
    assert (result[1].label, result[1].confidence, result[1].model) == ("animal", 0.5, "eye")
    assert [(crop.detection, crop.taken_at, crop.location) for crop in sizes.crops] == [
        (large, AT, HERE),
        (small, AT, HERE),
    ]
