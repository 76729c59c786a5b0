"""The capture time in EXIF data is read in a few reads, whatever else is in the file."""

# ruff: noqa: DTZ001 -- devices write times without a zone

import io
import struct
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from captures.exif_time import read_exif_times
from captures.written_time import WrittenTime
from tests.bombs import png_chunk, png_of
from tests.exif import app1, ascii_value, directory, tiff


class CountedReads(io.BytesIO):
    """A file that counts how often and how much is read."""

    reads = 0
    read_bytes = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.reads += 1
        self.read_bytes += len(data)
        return data


def exif(order: str = "<", taken: bytes = b"2026:05:31 06:00:00\0", offset: bytes = b"+08:00\0") -> bytes:
    """EXIF data: a directory that leads to another, which holds the two texts."""
    second = 8 + 18
    texts = second + 2 + 2 * 12 + 4
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    inner = [(0x9003, 2, len(taken), texts), (0x9011, 2, len(offset), texts + len(taken))]
    return head + directory(order, [(0x8769, 4, 1, second)]) + directory(order, inner) + taken + offset


def jpeg(*segments: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(segments) + b"\xff\xda\0\x02" + bytes(100) + b"\xff\xd9"


TIME = WrittenTime(datetime(2026, 5, 31, 6), timezone(timedelta(hours=8)))


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
        assert read_exif_times(io.BytesIO(picture)) == [TIME]


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
    assert read_exif_times(io.BytesIO(picture)) == []


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
    assert read_exif_times(file) == []
    assert file.reads < 500 and file.read_bytes < 50_000


def first_of(data: bytes) -> WrittenTime | None:
    return next(iter(read_exif_times(io.BytesIO(jpeg(app1(b"Exif\0\0" + data))))), None)


EVENING = datetime(2026, 5, 1, 22, 10, 11)


@pytest.mark.parametrize(
    "data",
    [
        tiff({0x0132: ascii_value("2026:05:01 22:10:11")}),
        tiff({}, {0x0132: ascii_value("2026:05:01 22:10:11")}),
        tiff({}, {0x9003: (7, b"2026:05:01 22:10:11\0")}),
        tiff({0x9003: ascii_value("2026:05:01 22:10:11")}),
        tiff({0x9004: ascii_value("2026:05:01 22:10:11")}, {}),
        tiff({0x0132: ascii_value("2026:06:09 08:00:00")}, {0x9004: ascii_value("2026:05:01 22:10:11")}),
        tiff({}, {0x9003: ascii_value("2026:05:01 22:10:11"), 0x9004: ascii_value("2026:05:09 08:00:00")}),
        tiff({}, {0x9003: ascii_value("    :  :     :  :  "), 0x9004: ascii_value("2026:05:01 22:10:11")}),
        tiff({0x0132: ascii_value("2026:05:01 22:10:11")}, {0x9003: ascii_value("0000:00:00 00:00:00")}),
    ],
)
def test_the_most_trustworthy_field_counts_in_either_directory(data: bytes) -> None:
    assert first_of(data) == WrittenTime(EVENING)


def test_fractions_of_a_second_and_offsets_are_in_tags_of_their_own() -> None:
    data = tiff({}, {0x9003: ascii_value("2026:05:01 22:10:11"), 0x9291: ascii_value("25"), 0x9011: ascii_value("Z")})
    assert first_of(data) == WrittenTime(EVENING.replace(microsecond=250_000), UTC)
    others = tiff({0x0132: ascii_value("2026:05:01 22:10:11"), 0x9011: ascii_value("+05:45")})
    assert first_of(others) == WrittenTime(EVENING, timezone(timedelta(hours=5, minutes=45)))


def test_half_days_in_chinese_are_read() -> None:
    for coding in ("utf-8", "gbk"):
        data = tiff({}, {0x9003: (2, "2026:05:01 下午10:10:11".encode(coding))})
        assert first_of(data) == WrittenTime(EVENING)


def reconyx(model: bytes) -> bytes:
    words = struct.pack("<6H", 11, 10, 22, 5, 1, 2026)
    if model == b"hyperfire":
        return (b"\x01\xf1".ljust(0x16, b"\0") + words).ljust(200, b"\0")
    if model == b"other order":
        return (b"\x01\xf1".ljust(0x16, b"\0") + struct.pack(">6H", 11, 10, 22, 5, 1, 2026)).ljust(200, b"\0")
    if model == b"hyperfire 2":
        return (b"RECONYXH2\0".ljust(0x3E, b"\0") + words).ljust(200, b"\0")
    return (b"RECONYXUF\0".ljust(0x3B, b"\0") + struct.pack("<5BH", 11, 10, 22, 1, 5, 2026)).ljust(200, b"\0")


@pytest.mark.parametrize("model", [b"hyperfire", b"other order", b"hyperfire 2", b"ultrafire"])
def test_reconyx_writes_the_time_into_its_maker_note(model: bytes) -> None:
    assert first_of(tiff({}, {0x927C: (7, reconyx(model))})) == WrittenTime(EVENING)
    before = tiff({0x0132: ascii_value("2026:06:09 08:00:00")}, {0x927C: (7, reconyx(model))})
    assert first_of(before) == WrittenTime(EVENING)


@pytest.mark.parametrize(
    "note", [b"", b"\x01\xf1", b"RECONYXH2\0", b"RECONYXUF\0" + bytes(200), bytes(5), b"\x01\xf1" + b"\xff" * 90]
)
def test_an_empty_or_damaged_maker_note_has_no_time(note: bytes) -> None:
    assert first_of(tiff({}, {0x927C: (7, note)})) is None


XMP = b'<x:xmpmeta><rdf:Description xmp:ModifyDate="2027-01-01T00:00:00" %b/></x:xmpmeta>'
XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"


@pytest.mark.parametrize(
    "property_",
    [
        b'exif:DateTimeOriginal="2026-05-01T22:10:11"',
        b'exif:DateTimeOriginal = "2026-05-01T22:10:11"',
        b'xmp:CreateDate="2026-05-01T22:10:11"',
        b'xmp:CreateDate="2026-05-09T22:10:11" photoshop:DateCreated="2026-05-01T22:10:11"',
        b"><exif:DateTimeOriginal>2026-05-01T22:10:11</exif:DateTimeOriginal><a",
    ],
)
def test_the_time_in_an_xmp_packet_is_read(property_: bytes) -> None:
    packet = XMP % property_
    for picture in (
        jpeg(app1(XMP_HEAD + packet)),
        png_of(8, 8, png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)),
        tiff({0x02BC: (1, packet)}),
    ):
        assert read_exif_times(io.BytesIO(picture))[0] == WrittenTime(EVENING)


def test_exif_data_comes_before_xmp_and_both_before_the_time_of_a_change() -> None:
    packet = app1(XMP_HEAD + XMP % b'exif:DateTimeOriginal="2026-05-02T00:00:00"')
    data = tiff({0x0132: ascii_value("2026:05:03 00:00:00")}, {0x9003: ascii_value("2026:05:01 00:00:00")})
    times = read_exif_times(io.BytesIO(jpeg(packet, app1(b"Exif\0\0" + data))))
    assert [time.local.day for time in times] == [1, 2, 3]


@pytest.mark.parametrize("form", ["WEBP", "HEIF", "AVIF"])
def test_webp_and_heic_have_their_times_too(form: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2026:05:01 22:10:11"
    exif.get_ifd(0x8769)[0x9011] = "+08:00"
    file, picture = BytesIO(), Image.new("RGB", (64, 48), "green")
    if form == "HEIF":
        pillow_heif.from_pillow(picture).save(file, exif=exif.tobytes())
    else:
        picture.save(file, form, exif=exif.tobytes())
    assert read_exif_times(file) == [WrittenTime(datetime(2026, 5, 1, 22, 10, 11), timezone(timedelta(hours=8)))]
    data = file.getvalue()
    rng = np.random.default_rng(1)
    for _ in range(500):  # whatever is damaged, the reader ends
        damaged = bytearray(data[: rng.integers(12, len(data))])
        for at in rng.integers(0, len(damaged), 4):
            damaged[at] = rng.integers(0, 256)
        read_exif_times(BytesIO(bytes(damaged)))
