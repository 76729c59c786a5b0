"""Crops hold the pixels that a classifier was trained on, and claims go to the animals only."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from contract import Box, Classification, Detection, Location, Model
from contract.messages import ObservationType
from models.crops import classify_animals, cut
from models.port import Crop, Framing

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


class Sizes:
    """Names an animal by the size of its crop, and says nothing of small ones."""

    model = Model(name="sizes", version="1", sha256="4" * 64)
    framing = Framing()

    def __init__(self) -> None:
        self.crops: list[Crop] = []

    def classify(self, crops: Sequence[Crop]) -> list[Classification | None]:
        self.crops += crops
        return [
            Classification(label=f"{crop.pixels.shape[1]} wide", confidence=0.9, model="sizes")
            if crop.pixels.shape[1] > 5
            else None
            for crop in crops
        ]


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
    sizes = Sizes()
    result = classify_animals(sizes, PIXELS, [person, large, heard, small], AT, HERE)
    assert [one.classification.label if one.classification else None for one in result] == [None, "30 wide", None, None]
    assert [one.ordinal for one in result] == [0, 1, 2, 3]
    assert (result[0], result[2], result[3]) == (person, heard, small)
    assert (result[1].label, result[1].confidence, result[1].model) == ("animal", 0.5, "eye")
    assert [(crop.detection, crop.taken_at, crop.location) for crop in sizes.crops] == [
        (large, AT, HERE),
        (small, AT, HERE),
    ]
