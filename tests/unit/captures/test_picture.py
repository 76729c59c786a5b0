"""Pictures of every awkward kind are read whole and upright, or refused with the reason."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from captures.decoded import Unreadable
from captures.picture import read_picture, thumbnail


def scene(width: int = 1600, height: int = 1200) -> NDArray[np.uint8]:
    """Blue on the left half, red on the right, with a white square at the top left."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2] = (200, 40, 40)
    pixels[:, width // 2 :] = (40, 40, 200)
    pixels[: height // 4, : width // 4] = 255
    return pixels


def encoded(pixels: NDArray[np.uint8] | NDArray[np.uint16], suffix: str = ".jpg", *settings: int) -> bytes:
    done, data = cv2.imencode(suffix, pixels, list(settings))
    assert done
    return bytes(data.tobytes())


@pytest.mark.parametrize(
    ("longest_px", "width"), [(1600, 1600), (801, 1600), (800, 800), (400, 400), (201, 400), (1, 200)]
)
def test_a_jpeg_is_read_at_the_smallest_scale_that_is_not_too_small(longest_px: int, width: int) -> None:
    picture = read_picture(encoded(scene()), longest_px)
    assert picture.pixels.shape == (width * 3 // 4, width, 3)
    assert (picture.width, picture.height) == (1600, 1200)
    assert picture.pixels[-5, 5, 0] > 150 and picture.pixels[-5, -5, 2] > 150


def test_a_picture_of_odd_size_is_never_smaller_than_wanted() -> None:
    assert max(read_picture(encoded(scene(1667, 1251)), 416).pixels.shape) >= 416


@pytest.mark.parametrize("name", ["bw", "cmyk", "with_exif_orientation"])
def test_grey_cmyk_and_turned_pictures_become_three_upright_colours(shared_data: Path, name: str) -> None:
    path = shared_data / "reference" / "edge_pictures" / f"african_elephants_{name}.jpg"
    picture = read_picture(path, 416)
    assert picture.pixels.shape[2] == 3 and picture.pixels.dtype == np.uint8
    assert picture.width > picture.height and picture.pixels.shape[1] > picture.pixels.shape[0]
    plain = cv2.resize(read_picture(path.with_name("african_elephants_bw.jpg"), 416).pixels, (64, 48))
    same = cv2.resize(picture.pixels, (64, 48))
    grey = [cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY).astype(float).ravel() for pixels in (plain, same)]
    assert np.corrcoef(grey)[0, 1] > 0.95  # the same scene, the right way up


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Put an EXIF orientation in front, as cameras do: one IFD with one tag."""
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0))])
def test_orientation_puts_the_white_corner_where_it_belongs(orientation: int, corner: tuple[int, int]) -> None:
    picture = read_picture(with_orientation(encoded(scene()), orientation), 400)
    row, column = (5 if at == 0 else -6 for at in corner)
    assert picture.pixels[row, column].min() > 240
    assert (picture.width, picture.height) == ((1600, 1200) if orientation in (1, 3) else (1200, 1600))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_are_scaled_to_eight(suffix: str) -> None:
    picture = read_picture(encoded(scene(64, 48).astype(np.uint16) * 257, suffix), 64)
    assert np.abs(picture.pixels.astype(int) - scene(64, 48)).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bit_grey_is_scaled_to_eight(suffix: str) -> None:
    picture = read_picture(encoded(np.full((48, 64), 0x80FF, np.uint16), suffix), 64)
    assert picture.pixels.shape == (48, 64, 3)
    assert np.unique(picture.pixels).tolist() in ([0x80], [0x81])


def test_transparency_is_dropped() -> None:
    rgba = np.dstack((scene(64, 48), np.full((48, 64), 128, np.uint8)))
    assert np.array_equal(read_picture(encoded(rgba, ".png"), 64).pixels, scene(64, 48))


def test_a_png_is_shrunk_to_what_is_needed() -> None:
    picture = read_picture(encoded(scene(), ".png"), 400)
    assert picture.pixels.shape == (300, 400, 3) and (picture.width, picture.height) == (1600, 1200)


def test_a_chinese_file_name_is_read(tmp_path: Path) -> None:
    path = tmp_path / "东北虎 野外相机.jpg"
    path.write_bytes(encoded(scene()))
    assert read_picture(path, 400).width == 1600


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("progressive", [0, 1])
def test_a_jpeg_cut_off_anywhere_is_refused(share: float, progressive: int) -> None:
    noisy = np.random.default_rng(1).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    whole = encoded(noisy, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    assert read_picture(whole, 320).width == 320
    with pytest.raises(Unreadable, match="cut off"):
        read_picture(whole[: int(len(whole) * share)], 320)


def test_a_cut_jpeg_with_a_whole_thumbnail_inside_is_refused() -> None:
    small = encoded(scene(64, 48))
    whole = encoded(scene())
    inside = whole[:2] + b"\xff\xe1" + struct.pack(">H", len(small) + 2) + small + whole[2:]
    assert read_picture(inside, 400).width == 1600
    with pytest.raises(Unreadable, match="cut off"):
        read_picture(inside[: len(inside) - 500], 400)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_a_png_or_tiff_cut_off_is_refused(suffix: str, share: float) -> None:
    noisy = np.random.default_rng(1).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    data = encoded(noisy, suffix)
    with pytest.raises(Unreadable):
        read_picture(data[: max(9, int(len(data) * share))], 320)


def test_bytes_after_the_end_do_no_harm() -> None:
    assert read_picture(encoded(scene()) + b"\0" * 5000 + b"camera maker's trailer", 400).width == 1600


def test_the_cut_off_sample_and_the_empty_sample_are_refused(shared_data: Path) -> None:
    folder = shared_data / "samples" / "pictures"
    with pytest.raises(Unreadable, match="2048 x 1536 pixels cut off after 600000 bytes"):
        read_picture(folder / "elephants_truncated.jpg", 416)
    with pytest.raises(Unreadable, match="empty file"):
        read_picture(folder / "error_img.JPG", 416)


def test_text_called_jpg_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "IMG_0001.jpg"
    path.write_text("this is a note, not a picture")
    with pytest.raises(Unreadable, match="not a JPEG, PNG or TIFF picture: it starts with b'this is a no'"):
        read_picture(path, 416)


def test_random_bytes_never_fail_in_another_way() -> None:
    random = np.random.default_rng(7)
    whole = {suffix: encoded(scene(64, 48), suffix) for suffix in (".jpg", ".png", ".tiff")}
    for data in whole.values():
        for _ in range(200):
            broken = bytearray(data)
            for at in random.integers(0, len(broken), 8):
                broken[at] = int(random.integers(0, 256))
            try:
                picture = read_picture(bytes(broken), 64, limit_pixels=1_000_000)
            except Unreadable:
                continue
            assert picture.pixels.ndim == 3


def png_bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(Unreadable, match="PNG of 50000 x 50000 pixels: expected at most"):
        read_picture(png_bomb(50_000, 50_000), 416)


def test_a_jpeg_of_a_hundred_megapixels_is_read_small() -> None:
    picture = read_picture(encoded(np.zeros((10_000, 10_000), np.uint8)), 416)
    assert picture.pixels.shape == (1250, 1250, 3) and picture.width == 10_000


def test_a_jpeg_above_the_limit_is_refused() -> None:
    with pytest.raises(Unreadable, match="1600 x 1200 pixels: expected at most 1000000"):
        read_picture(encoded(scene()), 416, limit_pixels=1_000_000)


def test_a_thumbnail_is_a_small_upright_jpeg_without_metadata() -> None:
    data = thumbnail(with_orientation(encoded(scene()), 6), 320)
    assert b"Exif" not in data
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (320, 240, 3)  # type: ignore[union-attr]


def test_a_small_picture_is_not_blown_up() -> None:
    assert read_picture(thumbnail(encoded(scene(64, 48)), 960), 960).width == 64
