"""What is made of a training picture is what the field makes of it, and its boxes follow."""

import numpy as np
import pytest

from models.train.field_augmentations import (
    Corners,
    Pixels,
    crop_through_box,
    empty_scene,
    infrared,
    low_light,
    motion_blur,
    paste_small,
)
from models.train.survey import is_grey

MANY = range(200)  # choices tried of each


def meadow() -> Pixels:
    """Green noise with a bright red animal at 100..180 x 60..120."""
    pixels = np.random.default_rng(0).integers(0, 60, (240, 320, 3), dtype=np.uint8)
    pixels[:, :, 1] += 100
    pixels[60:120, 100:180] = (20, 20, 230)
    return pixels


def animal() -> Corners:
    return np.array([[100, 60, 180, 120]], np.float32)


def red_box(pixels: Pixels) -> tuple[int, int, int, int]:
    """Where the red is."""
    rows, columns = np.nonzero((pixels[:, :, 2] > 150) & (pixels[:, :, 1] < 90))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


@pytest.mark.parametrize("seed", range(20))
def test_infrared_has_no_colour_and_still_shows_something(seed: int) -> None:
    night = infrared(meadow(), np.random.default_rng(seed))
    assert night.shape == (240, 320, 3) and night.dtype == np.uint8
    assert is_grey(night) and night.std() > 4


@pytest.mark.parametrize("seed", range(20))
def test_low_light_is_darker_and_keeps_its_colours(seed: int) -> None:
    dusk = low_light(meadow(), np.random.default_rng(seed))
    assert dusk.mean() < 0.9 * meadow().mean()
    assert dusk[60:120, 100:180, 2].mean() > dusk[60:120, 100:180, 1].mean() + 10


@pytest.mark.parametrize("seed", range(20))
def test_motion_blur_smears_details_and_keeps_the_light(seed: int) -> None:
    pixels = meadow()
    blurred = motion_blur(pixels, np.random.default_rng(seed))
    assert abs(float(blurred.mean()) - float(pixels.mean())) < 2
    details = (
        np.abs(np.diff(pixels[150:].astype(int), axis=0)).mean() + np.abs(np.diff(pixels[150:].astype(int))).mean()
    )
    left = np.abs(np.diff(blurred[150:].astype(int), axis=0)).mean() + np.abs(np.diff(blurred[150:].astype(int))).mean()
    assert left < details


def test_an_animal_cut_off_lies_at_the_edge_and_its_box_is_where_it_is() -> None:
    at_edge = 0
    for seed in MANY:
        pixels, corners, kept = crop_through_box(meadow(), animal(), np.random.default_rng(seed))
        assert pixels.shape == (240, 320, 3) and list(kept) == [0]
        assert np.abs(corners[0] - np.array(red_box(pixels))).max() <= 3
        left, top, right, bottom = corners[0]
        at_edge += left <= 0 or top <= 0 or right >= 320 or bottom >= 240
    assert at_edge == len(MANY)


def test_what_is_cut_away_has_no_box() -> None:
    both = np.array([[100, 60, 180, 120], [0, 200, 20, 220]], np.float32)
    lost = 0
    for seed in MANY:
        _, corners, kept = crop_through_box(meadow(), both, np.random.default_rng(seed))
        assert len(corners) == len(kept)
        assert ((corners[:, 2:] - corners[:, :2]) > 0).all()
        lost += 1 not in kept
    assert lost > 20


def test_a_picture_without_boxes_is_not_cut() -> None:
    pixels, corners, kept = crop_through_box(meadow(), np.zeros((0, 4), np.float32), np.random.default_rng(1))
    assert (pixels == meadow()).all() and len(corners) == 0 and len(kept) == 0


def test_an_empty_scene_holds_no_marked_animal() -> None:
    found = 0
    for seed in MANY:
        scene = empty_scene(meadow(), animal(), np.random.default_rng(seed))
        if scene is not None:
            assert scene.shape == (240, 320, 3) and scene[:, :, 2].max() < 100
            found += 1
    assert found > 50


def test_there_is_no_empty_scene_where_the_animal_fills_the_picture() -> None:
    filling = np.array([[0, 0, 320, 240]], np.float32)
    assert all(empty_scene(meadow(), filling, np.random.default_rng(seed)) is None for seed in MANY)


def test_a_small_copy_lies_where_its_box_says_and_on_nothing_else() -> None:
    for seed in MANY:
        before = meadow()
        made = paste_small(before, animal(), [0], np.random.default_rng(seed))
        assert made is not None
        pixels, box, source = made
        left, top, right, bottom = (int(edge) for edge in box[0])
        assert source == 0 and right - left < 80 and min(right - left, bottom - top) >= 7
        assert not (left < 180 and right > 100 and top < 120 and bottom > 60)
        changed = np.argwhere((pixels != before).any(2))
        assert (changed >= [top, left]).all() and (changed < [bottom, right]).all()
        middle = pixels[(top + bottom) // 2, (left + right) // 2]
        assert middle[2] > middle[1]


def test_only_what_may_be_copied_is_copied_and_only_what_is_large_enough() -> None:
    both = np.array([[100, 60, 180, 120], [10, 10, 20, 20]], np.float32)
    assert paste_small(meadow(), both, [], np.random.default_rng(1)) is None
    assert paste_small(meadow(), both, [1], np.random.default_rng(1)) is None
    made = paste_small(meadow(), both, [0, 1], np.random.default_rng(1))
    assert made is not None and made[2] == 0
