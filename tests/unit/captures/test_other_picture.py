"""HEIC, AVIF, WebP, GIF, BMP and raw pictures are read like JPEG; damaged ones are refused with their reason."""

import struct
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from captures.decoded import Unreadable
from captures.picture import read_picture, thumbnail

WIDTH, HEIGHT = 120, 80


def two_halves() -> Image.Image:
    """White on the left, black on the right."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:, : WIDTH // 2] = 255
    return Image.fromarray(pixels)


def encoded(form: str, **options: object) -> bytes:
    file = BytesIO()
    if form == "HEIC":
        pillow_heif.from_pillow(two_halves()).save(file, quality=90)
    else:
        two_halves().save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("form", ["HEIC", "AVIF", "WEBP", "GIF", "BMP"])
def test_a_picture_is_read_whatever_its_name(tmp_path: Path, form: str) -> None:
    path = tmp_path / "IMG_0001.JPG"
    path.write_bytes(encoded(form))
    picture = read_picture(path, 640)
    assert (picture.width, picture.height) == (WIDTH, HEIGHT)
    assert picture.pixels[40, 20].mean() > 240 and picture.pixels[40, 100].mean() < 15
    assert thumbnail(path).startswith(b"\xff\xd8\xff")


def test_of_an_animation_the_first_picture_is_read() -> None:
    black = Image.new("RGB", (WIDTH, HEIGHT))
    for form in ("GIF", "WEBP"):
        file = BytesIO()
        two_halves().save(file, form, save_all=True, append_images=[black, black])
        assert read_picture(file.getvalue(), 640).pixels[40, 20].mean() > 240


def test_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[274] = 6  # to be turned to the right
    file = BytesIO()
    two_halves().save(file, "WEBP", exif=exif)
    picture = read_picture(file.getvalue(), 640)
    assert (picture.width, picture.height) == (HEIGHT, WIDTH)
    assert picture.pixels[10, 40].mean() > 240 and picture.pixels[110, 40].mean() < 15


def dng(orientation: int = 1) -> bytes:
    """A TIFF whose first directory has a small JPEG, and whose sub-directory has a larger one."""
    small = bytes(cv2.imencode(".jpg", np.zeros((8, 12, 3), np.uint8))[1])
    large = bytes(cv2.imencode(".jpg", np.asarray(two_halves())[..., ::-1])[1])
    at = 8 + 2 + 6 * 12 + 4
    sub_at, small_at = at, at + 2 + 3 * 12 + 4
    large_at = small_at + len(small)
    entry = "<HHII"
    first = [(259, 3, 1, 7), (273, 4, 1, small_at), (274, 3, 1, orientation), (279, 4, 1, len(small))]
    first += [(330, 4, 1, sub_at), (50706, 1, 4, 0x0401)]
    sub = [(259, 3, 1, 7), (273, 4, 1, large_at), (279, 4, 1, len(large))]
    body = b"II*\0" + struct.pack("<I", 8)
    for entries in (first, sub):
        body += struct.pack("<H", len(entries)) + b"".join(struct.pack(entry, *one) for one in entries) + bytes(4)
    return body + small + large


def test_the_largest_preview_of_a_raw_picture_is_read_upright() -> None:
    picture = read_picture(dng(), 640)
    assert (picture.width, picture.height) == (WIDTH, HEIGHT)
    assert picture.pixels[40, 20].mean() > 240
    turned = read_picture(dng(6), 640)
    assert (turned.width, turned.height) == (HEIGHT, WIDTH)
    assert turned.pixels[10, 40].mean() > 240 and turned.pixels[110, 40].mean() < 15


@pytest.mark.parametrize("form", ["HEIC", "WEBP", "GIF", "BMP"])
def test_a_damaged_picture_is_refused_with_its_reason(form: str) -> None:
    whole = encoded(form)
    with pytest.raises(Unreadable, match=r"cannot be decoded|failed"):
        read_picture(whole[: len(whole) // 3], 640)


def test_a_bomb_is_refused_by_its_header() -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)
    bomb = b"BM" + struct.pack("<IHHI", 1 << 30, 0, 0, 54) + header
    with pytest.raises(Unreadable, match="60000 x 60000 pixels: expected at most"):
        read_picture(bomb + bytes(100), 640)


def test_loops_of_directories_in_a_raw_picture_end() -> None:
    data = bytearray(dng())
    data[8 + 2 + 6 * 12 : 8 + 2 + 6 * 12 + 4] = struct.pack("<I", 8)  # the next directory is the first
    assert read_picture(bytes(data), 640).width == WIDTH
