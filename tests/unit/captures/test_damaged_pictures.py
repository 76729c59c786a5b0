"""A damaged picture is decoded as far as possible and its damage is described; an undamaged one has no description."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from captures.decoded import Unreadable
from captures.picture import read_picture
from captures.picture_header import read_header
from captures.sent_media import check_sent
from tests.exif import with_exif

END = b"\xff\xd9"


def scene(width: int = 640, height: int = 480) -> NDArray[np.uint8]:
    """Blobs with noise, as in a photograph: no flat parts."""
    random = np.random.default_rng(3)
    coarse = random.integers(30, 220, (12, 16, 3)).astype(np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    return np.clip(smooth + random.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)


def jpeg(pixels: NDArray[np.uint8], *options: int) -> bytes:
    return bytes(cv2.imencode(".jpg", pixels, options)[1])


FORMS: dict[str, bytes] = {
    "baseline": jpeg(scene()),
    "progressive": jpeg(scene(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "optimised": jpeg(scene(), cv2.IMWRITE_JPEG_OPTIMIZE, 1),
    "restarts": jpeg(scene(), cv2.IMWRITE_JPEG_RST_INTERVAL, 10),
    "4:4:4": jpeg(scene(), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    "grey": bytes(cv2.imencode(".jpg", cv2.cvtColor(scene(), cv2.COLOR_BGR2GRAY))[1]),
}


def scan_of(data: bytes) -> int:
    return read_header(data).scan


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("longest_px", [640, 320, 160, 80])
def test_a_whole_picture_is_not_marked_and_has_the_pixels_that_opencv_decodes(form: str, longest_px: int) -> None:
    found = read_picture(FORMS[form], longest_px)
    assert found.damage == ""
    if form != "progressive":
        flags = {
            640: cv2.IMREAD_COLOR,
            320: cv2.IMREAD_REDUCED_COLOR_2,
            160: cv2.IMREAD_REDUCED_COLOR_4,
            80: cv2.IMREAD_REDUCED_COLOR_8,
        }
        expected = cv2.imdecode(np.frombuffer(FORMS[form], np.uint8), flags[longest_px])
        assert expected is not None
        assert found.pixels.shape == expected.shape
        assert np.abs(found.pixels.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("missing", [1, 2])
def test_a_picture_that_lacks_only_its_end_has_all_its_pixels_and_is_marked(form: str, missing: int) -> None:
    found = read_picture(FORMS[form][:-missing], 640)
    assert "cut off" in found.damage and "missing" not in found.damage.split("marker is missing")[1]
    assert np.array_equal(found.pixels, read_picture(FORMS[form], 640).pixels)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("end", [b"", END], ids=["cut off", "early end"])
def test_a_picture_that_lost_its_lower_part_is_marked(form: str, share: float, end: bytes) -> None:
    whole = FORMS[form]
    start = scan_of(whole)
    data = whole[: start + int((len(whole) - start) * share)] + end
    for longest_px in (640, 160):
        found = read_picture(data, longest_px)
        assert found.damage
        if form != "progressive":
            assert "of the picture are missing" in found.damage
            lost = float(found.damage.split("lower ")[1].split("%")[0]) / 100
            assert lost == pytest.approx(1 - share, abs=0.12)
            top = round(found.pixels.shape[0] * (1 - lost)) - 16 * found.pixels.shape[0] // 480 - 1
            assert np.array_equal(found.pixels[:top], read_picture(whole, longest_px).pixels[:top])


@pytest.mark.parametrize("form", [name for name in FORMS if name != "progressive"])
@pytest.mark.parametrize("filling", [b"\0", b"\xff", b"\xff\xa8"])
@pytest.mark.parametrize("size", [512, 4096])
def test_a_picture_with_a_hole_is_marked(form: str, filling: bytes, size: int) -> None:
    whole = FORMS[form]
    start = scan_of(whole)
    for share in (0.1, 0.4, 0.7):
        at = start + int((len(whole) - start) * share)
        data = whole[:at] + (filling * size)[:size] + whole[at + size :]
        assert read_picture(data, 640).damage, share


def test_flat_pictures_are_whole_although_they_compress_to_runs_of_zero_bits() -> None:
    for value in (0, 128, 255):
        flat = np.full((1200, 1600, 3), value, np.uint8)
        for options in ((), (cv2.IMWRITE_JPEG_OPTIMIZE, 1), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)):
            assert read_picture(jpeg(flat, *options), 400).damage == ""


@pytest.mark.parametrize("padding", [b"\0" * 500, b"\xff" * 501, b"\0\0"])
def test_padding_that_cameras_write_before_or_after_the_end_is_no_damage(padding: bytes) -> None:
    whole = FORMS["baseline"]
    assert read_picture(whole[:-2] + padding + END, 640).damage == ""
    assert read_picture(whole + padding, 640).damage == ""


def test_nothing_behind_the_damage_is_decoded() -> None:
    whole = FORMS["baseline"]
    at = scan_of(whole) + 5000
    bomb = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 65_500, 65_500, 3) + b"\x01\x11\0\x02\x11\1\x03\x11\1"
    found = read_picture(whole[:at] + bomb + whole[at:], 640)
    assert found.damage and found.pixels.shape == (480, 640, 3)


def test_a_marked_picture_is_turned_upright_too() -> None:
    whole = FORMS["baseline"]
    exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + bytes(4)
    found = read_picture(with_exif(whole[:-2], exif), 640)
    assert found.damage and found.pixels.shape == (640, 480, 3) and (found.width, found.height) == (480, 640)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_gives_the_pixels_that_opencv_gives(orientation: int) -> None:
    whole = FORMS["baseline"]
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + bytes((0, orientation)) + bytes(6)
    data = with_exif(whole, exif)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert expected is not None
    assert np.array_equal(read_picture(data, 640).pixels, expected)


def test_a_png_that_lacks_only_its_end_is_marked_and_one_that_lacks_pixels_is_refused() -> None:
    whole = bytes(cv2.imencode(".png", scene())[1])
    found = read_picture(whole[:-12], 640)
    assert "IEND chunk is missing" in found.damage
    assert np.array_equal(found.pixels, scene())
    for share in (0.3, 0.9):
        with pytest.raises(Unreadable):
            read_picture(whole[: int(len(whole) * share)], 640)
    broken = bytearray(whole)
    broken[len(whole) // 2 : len(whole) // 2 + 512] = bytes(512)
    with pytest.raises(Unreadable):
        read_picture(bytes(broken), 640)


def test_servers_take_no_damaged_thumbnail() -> None:
    for data in (FORMS["baseline"][:-2], bytes(cv2.imencode(".png", scene(64, 48))[1])[:-12]):
        with pytest.raises(Unreadable, match="cut off"):
            check_sent(data)


def test_real_photographs_are_whole(shared_data: Path) -> None:
    looked = 0
    for path in sorted((shared_data / "vision").rglob("*.jpg"))[::20]:
        assert read_picture(path, 640).damage == "", path
        looked += 1
    assert looked > 20
