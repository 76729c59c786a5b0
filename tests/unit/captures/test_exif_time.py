"""The capture time in EXIF data is read in a few reads, whatever else is in the file."""

import io
import struct

import pytest

from captures.exif_time import ExifTime, read_exif_time
from tests.bombs import png_chunk, png_of


class CountedReads(io.BytesIO):
    """A file that counts how often and how much is read."""

    reads = 0
    read_bytes = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.reads += 1
        self.read_bytes += len(data)
        return data


def directory(order: str, entries: list[tuple[int, int, int, int]], following: int = 0) -> bytes:
    rows = b"".join(struct.pack(f"{order}HHII", *entry) for entry in entries)
    return struct.pack(f"{order}H", len(entries)) + rows + struct.pack(f"{order}I", following)


def exif(order: str = "<", taken: bytes = b"2026:05:31 06:00:00\0", offset: bytes = b"+08:00\0") -> bytes:
    """EXIF data: a directory that leads to another, which holds the two texts."""
    second = 8 + 18
    texts = second + 2 + 2 * 12 + 4
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    inner = [(0x9003, 2, len(taken), texts), (0x9011, 2, len(offset), texts + len(taken))]
    return head + directory(order, [(0x8769, 4, 1, second)]) + directory(order, inner) + taken + offset


def jpeg(*segments: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(segments) + b"\xff\xda\0\x02" + bytes(100) + b"\xff\xd9"


def app1(body: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


TIME = ExifTime("2026:05:31 06:00:00", "+08:00")


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_time_is_found_in_every_form_of_picture(order: str) -> None:
    data = exif(order)
    xmp = app1(b"http://ns.adobe.com/xap/1.0/\0" + bytes(500))
    for picture in (
        data,
        jpeg(app1(b"Exif\0\0" + data)),
        jpeg(b"\xff\xe0\0\x04ab", xmp, b"\xff\xff", app1(b"Exif\0\0" + data)),
        png_of(8, 8, png_chunk(b"eXIf", data)),
    ):
        assert read_exif_time(io.BytesIO(picture)) == TIME


@pytest.mark.parametrize(
    "picture",
    [
        b"",
        b"\xff\xd8",
        jpeg(),
        png_of(8, 8),
        exif(taken=b"x" * 10_000),
        exif()[:30],
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"II*\0\xff\xff\xff\xff",
        jpeg(app1(b"Exif\0\0")),
    ],
)
def test_a_picture_without_a_time_has_none(picture: bytes) -> None:
    assert read_exif_time(io.BytesIO(picture)) is None


def bomb(directories: int, entries: int) -> bytes:
    """Directories that lead to each other and to themselves, each with thousands of values of 999 numbers."""
    size = 2 + 12 * entries + 4
    data = b"II*\0\x08\0\0\0"
    for number in range(directories):
        rows = [(0x8769, 4, 1, 8), (0x927C, 1, 2**32 - 1, 8), *[(0x9000 + n, 1, 999, 8) for n in range(entries - 2)]]
        data += directory("<", rows, 8 + (number + 1) * size)
    return data


@pytest.mark.parametrize(
    "data", [bomb(50, 2_000), jpeg(app1(b"Exif\0\0" + bomb(1, 5_000))), jpeg(*[b"\xff\xe0\0\x02"] * 5_000)]
)
def test_what_would_keep_a_reader_busy_takes_a_few_reads(data: bytes) -> None:
    file = CountedReads(data)
    assert read_exif_time(file) is None
    assert file.reads < 500 and file.read_bytes < 50_000
