"""Pictures of every awkward kind are read whole and upright, or refused with the reason."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from captures.decoded import Unreadable
from captures.picture import read_picture, reduced, thumbnail
from captures.picture_header import read_header


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


@pytest.mark.parametrize("left", [-150, -10, 0, 3])
@pytest.mark.parametrize("progressive", [0, 1])
def test_a_jpeg_of_which_nothing_is_left_is_refused(left: int, progressive: int) -> None:
    noisy = np.random.default_rng(1).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    whole = encoded(noisy, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    with pytest.raises(Unreadable, match="cut off"):
        read_picture(whole[: read_header(whole).scan + left], 320)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_a_png_or_tiff_cut_off_is_refused(suffix: str, share: float) -> None:
    noisy = np.random.default_rng(1).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    data = encoded(noisy, suffix)
    with pytest.raises(Unreadable):
        read_picture(data[: max(9, int(len(data) * share))], 320)


def test_bytes_after_the_end_do_no_harm() -> None:
    assert read_picture(encoded(scene()) + b"\0" * 5000 + b"camera maker's trailer", 400).width == 1600


def test_the_cut_off_sample_is_marked_and_the_empty_sample_refused(shared_data: Path) -> None:
    folder = shared_data / "samples" / "pictures"
    assert "cut off after 600000 bytes" in read_picture(folder / "elephants_truncated.jpg", 416).damage
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


def tiff(*entries: tuple[int, int, int, int]) -> bytes:
    """A TIFF of 10 x 10 grey pixels, with entries (tag, type, count, value) instead of or besides the usual ones."""
    usual = {256: 10, 257: 10, 258: 8, 259: 1, 262: 1, 273: 400, 277: 1, 278: 10, 279: 100}
    listed = [(tag, 4, 1, value) for tag, value in usual.items() if tag not in {entry[0] for entry in entries}]
    rows = b"".join(struct.pack("<HHII", *row) for row in sorted([*listed, *entries]))
    directory = struct.pack("<H", len(rows) // 12) + rows + bytes(4)
    return (b"II*\0" + struct.pack("<I", 8) + directory).ljust(400, b"\0") + bytes(100)


def test_a_plain_tiff_is_read() -> None:
    assert read_picture(tiff(), 64).pixels.shape == (10, 10, 3)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([(256, 4, 1, 10), (256, 4, 1, 22_000)], "tag 256 twice"),
        ([(256, 9, 1, 22_000)], "tag 256 twice or of type 9"),
        ([(257, 16, 1, 22_000)], "tag 257 twice or of type 16"),
        ([(277, 4, 1, 60_000)], "60000 samples"),
        ([(258, 4, 1, 64)], "1 samples of 64 bits"),
        ([(259, 4, 1, 7)], "compression 7: expected LZW, PackBits, deflate, none"),
        ([(322, 4, 1, 16_000), (323, 4, 1, 16_000)], "tiles of 256000000 pixels"),
    ],
)
def test_a_tiff_for_which_a_decoder_could_need_more_than_its_size_says_is_refused(
    entries: list[tuple[int, int, int, int]], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(Unreadable, match=reason):
        read_picture(tiff(*entries), 64)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def test_a_frame_header_hidden_behind_a_reserved_marker_is_not_overlooked(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = encoded(scene(64, 48))
    at = whole.index(b"\xff\xc0")
    hidden = whole[:at] + b"\xff\x00" + struct.pack(">H", 21) + segment(0xC0, b"\x08\xea\x60\xea\x60" + bytes(10))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(Unreadable, match="where a marker should be"):
        read_picture(hidden + whole[at:], 64)


def test_a_progressive_jpeg_of_hundreds_of_scans_is_refused() -> None:
    whole = encoded(scene(64, 48), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert read_picture(whole, 64).width == 64
    start = whole.index(b"\xff\xda")
    scan = whole[start : whole.index(b"\xff", start + 12)]
    with pytest.raises(Unreadable, match="expected at most 32"):
        read_picture(whole[:start] + 300 * scan + whole[start:], 64)


def test_a_jpeg_whose_scans_hold_one_colour_each_counts_as_one_that_needs_its_full_size() -> None:
    header = segment(0xC0, struct.pack(">BHHB", 8, 10_000, 10_000, 3) + bytes((1, 17, 0, 2, 17, 0, 3, 17, 0)))
    scan = segment(0xDA, bytes((1, 1, 0, 0, 63, 0)))
    with pytest.raises(Unreadable, match="10000 x 10000 pixels: expected at most 60000000"):
        read_picture(b"\xff\xd8" + header + scan + b"\xff\xd9", 416)


def test_an_animated_png_is_refused() -> None:
    whole = encoded(scene(64, 48), ".png")
    animation = struct.pack(">I", 8) + b"acTL" + struct.pack(">II", 100_000, 0)
    animation += struct.pack(">I", zlib.crc32(animation[4:]))
    with pytest.raises(Unreadable, match="with an animation"):
        read_picture(whole[:33] + animation + whole[33:], 64)


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


@pytest.mark.parametrize(("first_px", "longest_px"), [(1600, 416), (801, 400), (400, 200), (400, 390), (1600, 2000)])
def test_a_decoded_picture_is_reduced_to_what_decoding_for_less_gives(first_px: int, longest_px: int) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1200, 1600, 3), np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(noise, (0, 0), 4), np.uint8)
    data = encoded(blurred, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 95)
    found = reduced(read_picture(data, first_px), longest_px)
    expected = read_picture(data, longest_px).pixels if longest_px <= first_px else read_picture(data, first_px).pixels
    assert found.pixels.shape == expected.shape and (found.width, found.height) == (1600, 1200)
    assert np.abs(found.pixels.astype(int) - expected.astype(int)).mean() < 2
