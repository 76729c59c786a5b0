"""Only the forms that stations send are opened, recognised by their first bytes, within the limits on their headers."""

import struct
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

from captures.blurring import blurred_jpeg
from captures.clip import decode_clip
from captures.decoded import Sound, Unreadable
from captures.film import film_clip, read_film
from captures.media_type import media_type, same_type
from captures.picture import thumbnail
from captures.sent_media import check_sent
from captures.sound import encode_clip
from contract import Box
from tests.bombs import flac_that_says, png_chunk, png_of, silence
from tests.films import write_film

TONE = np.sin(np.arange(24_000) / 10).astype(np.float32)


def jpeg(width: int = 64, height: int = 48) -> bytes:
    return bytes(cv2.imencode(".jpg", np.zeros((height, width, 3), np.uint8))[1])


def wav(codec: int = 1, channels: int = 1, rate_hz: int = 48_000, body: bytes = bytes(200)) -> bytes:
    form = struct.pack("<HHIIHH", codec, channels, rate_hz, 0, 2 * channels, 16)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000])
def test_what_a_station_writes_is_accepted(rate_hz: int) -> None:
    assert check_sent(thumbnail(jpeg(1600, 1200))) == "image/jpeg"
    clip, claimed = encode_clip(Sound(TONE, rate_hz))
    assert check_sent(clip) == claimed == "audio/mpeg"
    assert decode_clip(clip).samples.size >= TONE.size


@pytest.mark.parametrize(
    ("data", "found"),
    [(jpeg(), "image/jpeg"), (png_of(8, 8), "image/png"), (silence(100), "audio/flac"), (wav(), "audio/wav")],
)
def test_other_forms_that_are_accepted(data: bytes, found: str) -> None:
    assert check_sent(data) == found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"%PDF-1.7",
        b"GIF89a" + bytes(100),
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"II*\0" + bytes(100),
        b"OggS" + bytes(100),
        b"FORM\0\0\0\x10AIFF",
        b"\0\0\0\x18ftypqt  ",
        b"\xff\xfa<script>",
        b"BM" + bytes(100),
    ],
)
def test_every_other_form_is_refused_by_its_first_bytes(data: bytes) -> None:
    assert media_type(data) is None
    with pytest.raises(Unreadable, match="expected a JPEG, PNG, MP3, FLAC, WAV or MP4 file"):
        check_sent(data)


def test_a_type_is_known_by_its_common_names_only() -> None:
    assert same_type("image/JPG", "image/jpeg") and same_type("audio/x-wav", "audio/wav")
    assert not same_type("text/html", "image/jpeg")
    assert not same_type("image/png", "image/jpeg")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (png_of(13_300, 13_300, rows=1), "13300 x 13300 pixels: expected at most"),
        (png_of(9_000, 1), "9000 x 1 pixels: expected at most"),
        (png_of(5_000, 4_000, rows=1), "5000 x 4000 pixels: expected at most"),
        (jpeg(64, 48).replace(b"\x08\0\x30\0\x40", b"\x08\xea\x60\xea\x60"), "60000 x 60000 pixels: expected at most"),
        (jpeg() + b"<script>alert(1)</script>", "25 bytes after its end"),
        (jpeg() + jpeg(), "bytes after its end"),
        (png_of(8, 8) + b"PK\x03\x04", "4 bytes after its end"),
        (png_of(8, 8, png_chunk(b"acTL", struct.pack(">II", 1_000_000, 0))), "with an animation"),
        (png_of(8, 8, png_chunk(b"iCCP", b"p\0\0" + bytes(70_000))), "bytes of comments"),
        (png_of(8, 8, *[png_chunk(b"zTXt", b"k\0\0" + bytes(40_000))] * 2), "80006 bytes of comments"),
        (jpeg()[:200], "cut off"),
        (silence(48_000, channels=8), "8 channels: expected at most 2"),
        (flac_that_says(50_000_000, silence(100)), "50000000 samples: expected a clip of at most"),
        (b"fLaC\0\0\0\x22" + bytes(10), "cut off"),
        (b"fLaC\x04\0\0\x22" + bytes(40), "without STREAMINFO"),
        (wav(channels=200), "200 channels"),
        (wav(rate_hz=4_000_000_000), "4000000000 Hz"),
        (wav(codec=0x11), "codec 17: expected PCM"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "cut off"),
        (b"RIFF\x10\0\0\0WAVE" + b"LIST\xff\xff\xff\xff" * 3, "cut off"),
    ],
)
def test_what_is_beyond_a_limit_or_not_one_whole_file_is_refused_by_its_header(
    data: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soundfile, "SoundFile", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(Unreadable, match=reason):
        check_sent(data)


def test_a_recording_that_goes_on_after_the_length_in_its_header_is_not_read_further() -> None:
    lying = flac_that_says(48_000, silence(960_000))
    check_sent(lying)
    assert decode_clip(lying).samples.size <= 48_000


@pytest.mark.parametrize("form", ["OGG", "AIFF", "AU", "CAF", "W64"])
def test_no_other_format_of_libsndfile_is_reached_behind_a_tag_of_mp3(form: str, tmp_path: Path) -> None:
    path = tmp_path / "sound"
    soundfile.write(path, TONE, 24_000, format=form)
    tag = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
    with pytest.raises(Unreadable):
        decode_clip(tag + path.read_bytes())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_samples_that_are_no_numbers_are_silence_and_too_loud_ones_are_limited(value: float, tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.array([0, value, 0.5], np.float32), 8_000, subtype="FLOAT")
    samples = decode_clip(path.read_bytes()).samples
    assert np.isfinite(samples).all() and np.abs(samples).max() <= 8 and samples[2] == 0.5


def chequered(width: int = 200, height: int = 100) -> bytes:
    """Blurring shows as the loss of its sharp edges."""
    y, x = np.mgrid[:height, :width]
    pixels = (255 * ((x // 4 + y // 4) % 2)).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1])


def sharpness(data: bytes, left: int, top: int, right: int, bottom: int) -> float:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    return float(np.asarray(pixels)[top:bottom, left:right].std())


def test_people_cannot_be_made_out_in_a_blurred_picture_and_the_rest_can() -> None:
    hidden = blurred_jpeg(chequered(), [Box(0.1, 0.2, 0.3, 0.6)])
    assert sharpness(hidden, 20, 20, 80, 80) < 25
    assert sharpness(hidden, 120, 10, 190, 90) > 100
    whole = blurred_jpeg(chequered(), [None])  # nobody can say where they are
    assert sharpness(whole, 0, 0, 200, 100) < 25


def test_a_large_thumbnail_is_made_small_before_it_is_blurred() -> None:
    pixels = cv2.imdecode(np.frombuffer(blurred_jpeg(jpeg(4_000, 3_000), [None]), np.uint8), cv2.IMREAD_COLOR)
    assert np.asarray(pixels).shape == (960, 1280, 3)


@pytest.mark.parametrize("data", [silence(100), b"%!PS-Adobe-3.0 EPSF-3.0\n", jpeg()[:200], b"\xff\xd8 no picture"])
def test_what_is_no_picture_is_not_blurred(data: bytes) -> None:
    with pytest.raises(Unreadable):
        blurred_jpeg(data, [None])


def test_postscript_named_jpeg_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\necho called >> {tmp_path}/called\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for start in (b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\0\x10JFIF\0"):
        with pytest.raises(Unreadable):
            blurred_jpeg(start + b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n", [])
    assert not (tmp_path / "called").exists()


def film_clip_of_a_station(folder: Path) -> bytes:
    return film_clip(read_film(write_film(folder / "a.avi", seconds=2)), 0.0)


def test_a_film_clip_of_a_station_is_accepted(tmp_path: Path) -> None:
    clip = film_clip_of_a_station(tmp_path)
    assert check_sent(clip) == media_type(clip) == "video/mp4"


def test_other_films_are_refused(tmp_path: Path) -> None:
    clip = film_clip_of_a_station(tmp_path)
    codec, reference = clip.index(b"avc1\0\0\0\0\0\0\0\1"), clip.index(b"url \0")
    with_sound = write_film(tmp_path / "b.mp4", codec="libx264", sound="aac").read_bytes()
    mpeg4 = write_film(tmp_path / "c.mp4", codec="mpeg4").read_bytes()
    long_one = write_film(tmp_path / "d.mp4", codec="libx264", seconds=90, rate=1, size=(64, 48)).read_bytes()
    for data, reason in (
        (clip[:-10], "box"),
        (clip + b"\0\0\0\x10htmlscript!!", "htm"),
        (clip[:20], "box|moov"),
        (with_sound, "2 tracks"),
        (mpeg4, "expected one of H.264"),
        (long_one, "90 s"),
        (clip[: codec + 28] + b"\xff\xff\xff\xff" + clip[codec + 32 :], "pixels"),
        (clip[: reference + 4] + b"\0\0\0\0" + clip[reference + 8 :], "another file"),
        (clip[:codec] + b"hvc1" + clip[codec + 4 :], "H.264"),
        (b"\0\0\0\x14ftypisom\0\0\0\0mp41" + bytes(400), "box"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + clip[32:], "expected a JPEG"),
    ):
        with pytest.raises(Unreadable, match=reason):
            check_sent(data)


def test_a_damaged_film_clip_is_checked_or_refused(tmp_path: Path) -> None:
    whole = film_clip_of_a_station(tmp_path)
    rng = np.random.default_rng(1)
    for _ in range(2_000):
        clip = bytearray(whole)
        for at in rng.integers(0, len(clip), 4):
            clip[at] = rng.integers(0, 256)
        with suppress(Unreadable):
            check_sent(bytes(clip[: rng.integers(1, len(clip))]))
