"""Recordings made to exhaust memory or time, or to crash a decoder, are refused or read within the limits."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from captures import recording
from captures.byte_range import read_at
from captures.decoded import Unreadable
from captures.sound import read_recording, sound_info
from tests.recordings import aiff, au, caf, chunk, encoded, m4a, pcm, rf64, simple_wav, w64, wav

SAMPLES = pcm(0.5)
SEEDS: dict[str, Callable[[], bytes]] = {
    "WAV": lambda: simple_wav(SAMPLES),
    "RF64": lambda: rf64(SAMPLES, len(SAMPLES)),
    "W64": lambda: w64(SAMPLES, 24 + len(SAMPLES)),
    "AIFF": lambda: aiff(pcm(0.5, ">")),
    "AU": lambda: au(pcm(0.5, ">"), len(SAMPLES)),
    "CAF": lambda: caf(pcm(0.5, ">"), len(SAMPLES) + 4),
    "ADPCM": lambda: encoded("WAV", "IMA_ADPCM", 0.5),
    "FLAC": lambda: encoded("FLAC", None, 0.5),
    "Ogg": lambda: encoded("OGG", "VORBIS", 0.5),
    "Opus": lambda: encoded("OGG", "OPUS", 0.5, 48_000),
    "MP3": lambda: encoded("MP3", None, 0.5),
    "M4A": lambda: m4a(0.5),
    "AAC": lambda: m4a(0.5, "adts"),
}


@pytest.mark.parametrize("name", SEEDS)
def test_no_damage_causes_another_error_than_the_expected_one(name: str, tmp_path: Path) -> None:
    chance = np.random.default_rng(sum(name.encode()))
    path, whole = tmp_path / "damaged", SEEDS[name]()
    for _ in range(120):
        data = bytearray(whole)
        end = min(len(data), int(chance.choice([60, 200, len(data)])))
        for at in chance.integers(12, end, int(chance.integers(1, 5))):
            data[at] = int(chance.choice([0, 127, 128, 255, int(chance.integers(256))]))
        path.write_bytes(data[: int(chance.integers(12, len(data)))] if chance.random() < 0.2 else data)
        try:
            heard_s = sum(stretch.sound.duration_s for stretch in read_recording(path))
        except Unreadable:
            continue
        assert heard_s < 700


@pytest.mark.parametrize(
    "data",
    [
        w64(SAMPLES, 2**63 + 24),
        caf(pcm(0.5, ">"), -(2**62)),
        caf(pcm(0.5, ">"), 2**62),
        rf64(SAMPLES, 2**63),
        wav(chunk(b"note", b"", 2**32 - 1), chunk(b"fmt ", bytes(16)), chunk(b"data", SAMPLES)),
    ],
)
def test_a_size_beyond_every_file_is_read_to_the_end_or_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    try:
        assert sum(stretch.sound.duration_s for stretch in read_recording(path)) == pytest.approx(0.5)
    except Unreadable as error:
        assert "no chunk" in str(error)


def test_a_million_chunks_are_not_all_walked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(chunk(b"abcd", b"") * 1_000_000))
    reads = []

    def counted(descriptor: int, at: int, size: int) -> bytes:
        reads.append(at)
        return read_at(descriptor, at, size)

    monkeypatch.setattr(recording, "read_at", counted)
    with pytest.raises(Unreadable, match="no chunk with the format"):
        sound_info(path)
    assert len(reads) < 5_000


def crc_of_page(page: bytes) -> int:
    """Return the checksum of an Ogg page (RFC 3533, 6)."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def with_late_pages(data: bytes, later: int) -> bytes:
    """Return an Ogg file whose pages from the fifth on claim to come ``later`` samples later each."""
    pages = [b"OggS" + part for part in data.split(b"OggS")[1:]]
    for number in range(4, len(pages)):
        page = bytearray(pages[number])
        (granule,) = struct.unpack_from("<q", page, 6)
        struct.pack_into("<q", page, 6, granule + later * (number - 3))
        struct.pack_into("<I", page, 22, 0)
        struct.pack_into("<I", page, 22, crc_of_page(bytes(page)))
        pages[number] = bytes(page)
    return b"".join(pages)


@pytest.mark.parametrize("later_s", [50, 1_000_000])
def test_gaps_between_pages_are_not_filled_without_limit(later_s: int, tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    path.write_bytes(with_late_pages(encoded("OGG", "OPUS", 40.0, 48_000), later_s * 48_000))
    heard_s = sum(stretch.sound.duration_s for stretch in read_recording(path))
    assert heard_s <= 41 + 600
    assert (heard_s > 100) == (later_s == 50)


def test_a_codec_that_is_not_meant_for_recordings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    fmt = struct.pack("<HHIIHH", 0x0161, 1, 8_000, 2_000, 256, 0)  # Windows Media Audio
    path.write_bytes(wav(chunk(b"fmt ", fmt), chunk(b"data", SAMPLES)))
    with pytest.raises(Unreadable, match="sound in the form wmav2"):
        sound_info(path)
