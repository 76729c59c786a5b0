"""A file is what its first bytes say, whatever its name says."""

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

from captures.file_kind import kind_of_bytes, kind_of_open_file, kind_of_path

PIXELS = np.zeros((16, 24, 3), np.uint8)


def picture(suffix: str) -> bytes:
    return bytes(cv2.imencode(suffix, PIXELS)[1])


def recording(form: str, subtype: str | None = None) -> bytes:
    file = BytesIO()
    soundfile.write(file, np.zeros(4_800, np.float32), 48_000, format=form, subtype=subtype)
    return file.getvalue()


def iso(brand: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + brand + bytes(4) + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body + bytes(400)


@pytest.mark.parametrize(
    ("suffix", "form"),
    [(".jpg", "JPEG"), (".png", "PNG"), (".tiff", "TIFF"), (".webp", "WebP"), (".bmp", "BMP"), (".gif", "GIF")],
)
def test_pictures(suffix: str, form: str) -> None:
    found = kind_of_bytes(picture(suffix))
    assert found is not None
    assert (found.family, found.form) == ("picture", form)


@pytest.mark.parametrize(
    ("form", "subtype", "name"),
    [
        ("WAV", None, "WAV"),
        ("RF64", None, "WAV"),
        ("W64", None, "W64"),
        ("FLAC", None, "FLAC"),
        ("MP3", None, "MP3"),
        ("OGG", "VORBIS", "Ogg"),
        ("OGG", "OPUS", "Opus"),
        ("AIFF", None, "AIFF"),
        ("CAF", None, "CAF"),
        ("AU", None, "AU"),
    ],
)
def test_recordings(form: str, subtype: str | None, name: str) -> None:
    found = kind_of_bytes(recording(form, subtype))
    assert found is not None
    assert (found.family, found.form) == ("recording", name)


@pytest.mark.parametrize(
    ("data", "family", "form"),
    [
        (b"RIFF\xff\xff\xff\xffAVI LIST", "film", "AVI"),
        (iso(b"isom", b"mp41"), "film", "MP4"),
        (iso(b"3gp4"), "film", "MP4"),
        (iso(b"qt  "), "film", "MOV"),
        (b"\0\0\0\x08wide" + bytes(40), "film", "MOV"),
        (b"\0\0\x20\0moov" + bytes(40), "film", "MOV"),
        (b"\x1aE\xdf\xa3\x01\0\0\0", "film", "Matroska"),
        ((b"G" + bytes(187)) * 4, "film", "MPEG-TS"),
        ((bytes(4) + b"G" + bytes(187)) * 4, "film", "MPEG-TS"),
        (iso(b"heic", b"mif1"), "picture", "HEIC"),
        (iso(b"mif1", b"heic"), "picture", "HEIC"),
        (iso(b"mif1", b"avif"), "picture", "AVIF"),
        (iso(b"M4A ", b"mp42"), "recording", "M4A"),
        (iso(b"crx "), "other", "CR3"),
        (b"0&\xb2u\x8ef\xcf\x11\xa6\xd9", "other", "ASF"),
        (b"%PDF-1.7\n", "other", "PDF"),
        (b"ID3\4\0\0\0\0\0\0" + b"\xff\xfb\x90\0" + bytes(400), "recording", "MP3"),
    ],
)
def test_films_and_other_containers(data: bytes, family: str, form: str) -> None:
    found = kind_of_bytes(data)
    assert found is not None
    assert (found.family, found.form) == (family, form)


@pytest.mark.parametrize(
    "data",
    [b"", b"B", b"BMW is a car", b"GET / HTTP/1.1\r\n", b"<html>", bytes(500), b"RIFF\0\0\0\0ACON", b"\xff\xff\xff"],
)
def test_other_bytes_are_no_known_form(data: bytes) -> None:
    assert kind_of_bytes(data) is None


def test_the_name_of_a_file_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "IMG_0001.JPG"
    path.write_bytes(iso(b"heic"))
    found = kind_of_path(path)
    assert found is not None
    assert found.form == "HEIC"
    with path.open("rb") as file:
        assert kind_of_open_file(file) == found


def test_an_mp3_behind_a_large_tag_is_found_by_a_second_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(b"ID3\4\0\0\0\0\x20\0" + bytes(4096) + b"\xff\xfb\x90\0" + bytes(400))
    found = kind_of_path(path)
    assert found is not None
    assert found.form == "MP3"
