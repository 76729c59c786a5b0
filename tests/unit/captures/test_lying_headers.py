"""The content of a recording counts, not its header: all sound that is in the file is decoded."""

import struct
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from captures.decoded import Sound, Unreadable
from captures.sound import Stretch, read_recording, read_stretches, sound_info
from tests.bombs import flac_that_says
from tests.recordings import (
    FORMAT,
    aiff,
    au,
    caf,
    chunk,
    encoded,
    m4a,
    pcm,
    replaced,
    rf64,
    simple_wav,
    tone,
    w64,
    wav,
)

SAMPLES = pcm()  # 3 s
UNKNOWN = 0xFFFFFFFF
UNFINISHED, WRAPPED, CUT_OFF = "header was never finished", "sizes wrap at 4 GiB", "cut off: the header says"

WHOLE_SOUND: dict[str, tuple[Callable[[], bytes], str]] = {
    "WAV, sizes right": (lambda: simple_wav(SAMPLES), ""),
    "WAV, RIFF size 0": (lambda: simple_wav(SAMPLES, riff_size=0), ""),
    "WAV, sizes 0": (lambda: simple_wav(SAMPLES, 0, 0), UNFINISHED),
    "WAV, sizes unknown": (lambda: simple_wav(SAMPLES, UNKNOWN, UNKNOWN), UNFINISHED),
    "WAV, size of a pipe": (lambda: simple_wav(SAMPLES, 0x7FFFF024, 0x7FFFF000), UNFINISHED),
    "WAV, size wrapped": (lambda: simple_wav(SAMPLES, data_size=len(SAMPLES) // 2), WRAPPED),
    "WAV, size wrapped to an odd one": (lambda: simple_wav(SAMPLES, data_size=4_097), WRAPPED),
    "WAV, cut off": (lambda: simple_wav(SAMPLES, data_size=10 * len(SAMPLES)), CUT_OFF),
    "WAV, sizes 0 behind JUNK": (
        lambda: wav(chunk(b"JUNK", bytes(92)), chunk(b"fmt ", FORMAT), chunk(b"data", SAMPLES, 0), stated=0),
        UNFINISHED,
    ),
    "WAV, sizes 0 behind an odd LIST": (
        lambda: wav(
            chunk(b"LIST", b"INFOICMT\x03\0\0\0abc"), chunk(b"fmt ", FORMAT), chunk(b"data", SAMPLES, 0), stated=0
        ),
        UNFINISHED,
    ),
    "WAV, an odd chunk without padding": (
        lambda: wav(chunk(b"note", b"abc", padded=False), chunk(b"fmt ", FORMAT), chunk(b"data", SAMPLES)),
        "",
    ),
    "WAV, metadata behind the samples": (
        lambda: wav(chunk(b"fmt ", FORMAT), chunk(b"data", SAMPLES), chunk(b"LIST", b"INFO"), chunk(b"xyz1", b"ab")),
        "",
    ),
    "WAV, metadata cut off": (
        lambda: wav(chunk(b"fmt ", FORMAT), chunk(b"data", SAMPLES), chunk(b"guan", b"GUANO|", 900)),
        "",
    ),
    "WAV, data before fmt": (lambda: wav(chunk(b"data", SAMPLES), chunk(b"fmt ", FORMAT)), ""),
    "WAV, data of unknown size before fmt": (
        lambda: wav(chunk(b"data", SAMPLES, UNKNOWN), chunk(b"fmt ", FORMAT)),
        UNFINISHED,
    ),
    "WAV, a part of a frame at the end": (lambda: simple_wav(SAMPLES, 0, 0) + b"x", UNFINISHED),
    "RIFX": (
        lambda: wav(
            chunk(b"fmt ", struct.pack(">HHIIHH", 1, 1, 8_000, 16_000, 2, 16), order=">"),
            chunk(b"data", pcm(order=">"), 0, order=">"),
            riff=b"RIFX",
            order=">",
        ),
        UNFINISHED,
    ),
    "RF64, sizes right": (lambda: rf64(SAMPLES, len(SAMPLES)), ""),
    "RF64, sizes 0": (lambda: rf64(SAMPLES, 0), UNFINISHED),
    "BW64, size too small": (lambda: rf64(SAMPLES, 1_000, riff=b"BW64"), WRAPPED),
    "W64, sizes right": (lambda: w64(SAMPLES, 24 + len(SAMPLES)), ""),
    "W64, sizes 0": (lambda: w64(SAMPLES, 0), UNFINISHED),
    "W64, an empty chunk": (lambda: w64(SAMPLES, 24), UNFINISHED),
    "W64, cut off": (lambda: w64(SAMPLES, 2_000_000), CUT_OFF),
    "AIFF, sizes right": (lambda: aiff(pcm(order=">")), ""),
    "AIFF, sizes 0": (lambda: aiff(pcm(order=">"), 0, 0), UNFINISHED),
    "AIFF, size unknown": (lambda: aiff(pcm(order=">"), UNKNOWN), UNFINISHED),
    "AU, sizes right": (lambda: au(pcm(order=">"), len(SAMPLES)), ""),
    "AU, size unknown, as the format allows": (lambda: au(pcm(order=">"), UNKNOWN), ""),
    "AU, size 0": (lambda: au(pcm(order=">"), 0), UNFINISHED),
    "AU, size too small": (lambda: au(pcm(order=">"), 1_000), WRAPPED),
    "CAF, sizes right": (lambda: caf(pcm(order=">"), len(SAMPLES) + 4), ""),
    "CAF, size unknown, as the format allows": (lambda: caf(pcm(order=">"), -1), ""),
    "CAF, size 0": (lambda: caf(pcm(order=">"), 0), UNFINISHED),
}


def stretches_of(tmp_path: Path, data: bytes) -> list[Stretch]:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    return list(read_recording(path, stretch_s=2.0))


@pytest.mark.parametrize("name", WHOLE_SOUND)
def test_all_sound_that_is_there_is_heard_and_a_wrong_size_is_named(name: str, tmp_path: Path) -> None:
    make, remark = WHOLE_SOUND[name]
    stretches = stretches_of(tmp_path, make())
    samples = np.concatenate([stretch.sound.samples for stretch in stretches])
    assert samples.size == 3 * 48_000
    assert np.abs(samples - tone(3.0, 500, 48_000))[2_000:-2_000].max() < 2e-3
    assert sound_info(tmp_path / "a.wav").duration_s == 3.0
    remarks = stretches[-1].remarks
    assert bool(remarks) == bool(remark), remarks
    assert all("a.wav: " in one and remark in one and "all 3.0 s" in one for one in remarks)


@pytest.mark.parametrize(
    "data",
    [
        simple_wav(b""),
        simple_wav(b"", 0, 0),
        wav(chunk(b"fmt ", FORMAT), chunk(b"data", b"", 0), chunk(b"LIST", b"INFOICMT\x04\0\0\0abcd")),
        aiff(b"", 8),
        au(b"", UNKNOWN),
        caf(b"", -1),
    ],
)
def test_a_header_alone_is_an_empty_recording(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no sound in it"):
        stretches_of(tmp_path, data)


def xing_that_says(frames: int) -> bytes:
    data = encoded("MP3")
    at = max(data.find(b"Xing"), data.find(b"Info"))
    assert at > 0
    return replaced(data, at + 8, struct.pack(">I", frames))


def with_hole(data: bytes) -> bytes:
    return replaced(data, len(data) // 2, bytes(1_000))


COMPRESSED: dict[str, tuple[Callable[[], bytes], float, str]] = {
    "FLAC of unknown length": (lambda: flac_that_says(0, encoded("FLAC")), 6.0, ""),
    "FLAC that states too little": (lambda: flac_that_says(32_000, encoded("FLAC")), 6.0, ""),
    "FLAC that states too much": (lambda: flac_that_says(2**36 - 1, encoded("FLAC")), 6.0, CUT_OFF),
    "FLAC cut off": (lambda: encoded("FLAC")[:-150_000], 3.3, CUT_OFF),
    "FLAC of unknown length cut off": (lambda: flac_that_says(0, encoded("FLAC"))[:-150_000], 3.3, "inside its last"),
    "Ogg without its last pages": (lambda: encoded("OGG", "VORBIS")[:-20_000], 3.3, ""),
    "Opus without its last pages": (lambda: encoded("OGG", "OPUS", rate_hz=48_000)[:-15_000], 4.0, ""),
    "MP3 cut off": (lambda: encoded("MP3")[:-20_000], 3.3, ""),
    **{
        f"MP3 whose header says {frames} frames": (partial(xing_that_says, frames), 6.0, "")
        for frames in (1, 20, 10**9)
    },
    "FLAC with a hole": (lambda: with_hole(encoded("FLAC")), 6.0, "damaged inside: "),
    "Ogg with a hole": (lambda: with_hole(encoded("OGG", "VORBIS")), 6.0, "damaged inside: "),
    "Opus with a hole": (lambda: with_hole(encoded("OGG", "OPUS", rate_hz=48_000)), 6.0, "damaged inside: "),
    "MP3 with a hole": (lambda: with_hole(encoded("MP3")), 5.8, "damaged inside: "),
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_sound_is_heard_to_its_end_and_a_broken_block_costs_itself(name: str, tmp_path: Path) -> None:
    make, least_s, remark = COMPRESSED[name]
    stretches = stretches_of(tmp_path, make())
    heard_s = sum(stretch.sound.duration_s for stretch in stretches)
    assert least_s - 0.1 <= heard_s <= 6.1
    remarks = stretches[-1].remarks
    assert bool(remarks) == bool(remark), remarks
    assert all(remark in one for one in remarks)
    samples = np.concatenate([stretch.sound.samples for stretch in stretches])
    assert np.abs(samples).max() < (2.5 if "MP3" in name else 1.2), "no block is decoded to noise"


def test_what_follows_a_broken_block_keeps_its_time(tmp_path: Path) -> None:
    data = encoded("FLAC", seconds=6.0)
    whole = np.concatenate([one.sound.samples for one in stretches_of(tmp_path, data)])
    broken = np.concatenate([one.sound.samples for one in stretches_of(tmp_path, with_hole(data))])
    assert np.array_equal(whole[-48_000:], broken[-48_000:])


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "GSM610"])
@pytest.mark.parametrize("sizes", [0, UNKNOWN])
def test_adpcm_with_an_unfinished_header_is_heard_to_its_end(subtype: str, sizes: int, tmp_path: Path) -> None:
    data = encoded("WAV", subtype, 3.0)
    at = data.find(b"data") + 4
    stretches = stretches_of(tmp_path, replaced(data, at, struct.pack("<I", sizes)))
    assert sum(one.sound.duration_s for one in stretches) == pytest.approx(3.0, abs=0.1)
    assert [UNFINISHED in one for one in stretches[-1].remarks] == [True]


@pytest.mark.parametrize("container", ["ipod", "mp4", "adts", "matroska"])
def test_aac_of_phones_is_heard_whatever_its_container(container: str, tmp_path: Path) -> None:
    path = tmp_path / "voice memo.JPG"  # the name does not matter
    path.write_bytes(m4a(3.0, container))
    sound = Sound(np.concatenate([one.samples for one in read_stretches(path)]), 48_000)
    assert sound.duration_s == pytest.approx(3.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(sound.samples))
    assert np.argmax(spectrum) / sound.duration_s == pytest.approx(1_000, abs=2)


def test_an_m4a_whose_index_was_never_written_is_refused(tmp_path: Path) -> None:
    data = m4a()
    with pytest.raises(Unreadable, match="M4A without sound that can be decoded"):
        stretches_of(tmp_path, data[: len(data) // 2])


def test_a_recording_of_hours_over_4_gib_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "big_20260521_180000.wav"
    size = 4_500_000_000
    header = wav(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 48_000, 96_000, 2, 16)), chunk(b"data", b"", size % 2**32))
    with path.open("wb") as file:  # sparse: it takes no space on the disk
        file.write(header)
        file.truncate(size + len(header))
    assert sound_info(path).duration_s == pytest.approx(size / 96_000)
    stretches = read_recording(path, skip_frames=600 * 48_000)
    tracemalloc.start()
    heard = [next(stretches).heard.frames / 48_000 for _ in range(3)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert heard == [660, 720, 780]
    assert peak < 80_000_000
