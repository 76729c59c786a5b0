import os
import struct
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from captures.decoded import Sound, Unreadable
from captures.sound import encode_clip, normalise, read_recording, read_stretches, sound_info


def tone(rate_hz: int, seconds: float, hz: float = 1000.0, channels: int = 1) -> np.ndarray:
    mono = 0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)
    return np.repeat(mono[:, None], channels, axis=1).astype(np.float32)


def loudest_hz(sound: Sound) -> float:
    spectrum = np.abs(np.fft.rfft(sound.samples * np.hanning(sound.samples.size)))
    return float(np.argmax(spectrum) * sound.rate_hz / sound.samples.size)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_rate_comes_out_at_48_khz_with_its_pitch_and_length(tmp_path: Path, rate_hz: int, channels: int) -> None:
    path = tmp_path / "音.wav"
    soundfile.write(path, tone(rate_hz, 2.4, channels=channels), rate_hz)
    stretches = list(read_stretches(path, stretch_s=1.0))
    assert [stretch.samples.size for stretch in stretches] == [48_000, 48_000, 19_200]
    whole = Sound(np.concatenate([stretch.samples for stretch in stretches]), 48_000)
    assert loudest_hz(whole) == pytest.approx(1000, abs=1)
    # Resampled as one stream: at the seams, the tone goes on as elsewhere.
    expected = tone(48_000, 2.4)[:, 0]
    assert np.abs(whole.samples - expected)[2_000:-2_000].max() < 2e-3


@pytest.mark.parametrize("form", ["FLAC", "OGG", "MP3", "WAV", "AIFF", "W64"])
def test_forms_of_recordings_are_read(tmp_path: Path, form: str) -> None:
    path = tmp_path / "recording.raw"  # the name does not matter
    soundfile.write(path, tone(32_000, 3.0), 32_000, format=form)
    (sound,) = read_stretches(path)
    assert sound.duration_s == pytest.approx(3.0, abs=0.1)
    assert loudest_hz(sound) == pytest.approx(1000, abs=2)


def test_channels_are_mixed(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.tile(np.array([0.5, -0.25]), (4800, 1)), 48_000, subtype="FLOAT")
    (sound,) = read_stretches(path)
    assert np.allclose(sound.samples, 0.125)


def wav() -> bytes:
    file = BytesIO()
    soundfile.write(file, tone(32_000, 1.0), 32_000, format="WAV", subtype="PCM_16")
    return file.getvalue()


def replaced(at: int, value: bytes) -> bytes:
    return wav()[:at] + value + wav()[at + len(value) :]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 bytes: expected a recording"),
        (b"not a recording\n" * 100, "expected WAV, W64, AIFF"),
        (bytes(5000), "expected WAV, W64, AIFF"),
        (replaced(24, struct.pack("<I", 0)), "says 0 Hz: expected 1000 to 1000000"),
        (replaced(24, struct.pack("<I", 2**31 - 1)), "2147483647 Hz: expected 1000 to 1000000"),
        (replaced(22, struct.pack("<H", 999)), "999 channels: expected 1 to 64"),
        (replaced(22, struct.pack("<H", 0)), "0 channels: expected 1 to 64"),
        (wav()[:44], "no sound in it"),
        (wav()[:40] + bytes(4), "no sound in it"),
        (wav()[:36], "no chunk with samples"),
        (wav()[:12] + wav()[36:], "no chunk with the format of the samples"),
    ],
)
def test_what_is_no_recording_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=reason) as refused:
        list(read_stretches(path))
    assert "broken.wav" in str(refused.value)


@pytest.mark.parametrize("content", [replaced(40, b"\xff" * 4), replaced(4, bytes(4)), replaced(4, b"\xff" * 4)])
def test_a_header_with_a_wrong_length_does_not_lose_the_sound(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recorder-lost-power.wav"
    path.write_bytes(content)
    (sound,) = read_stretches(path)
    assert sound.duration_s == pytest.approx(1.0, abs=0.01)


def test_samples_that_are_no_numbers_are_silence_with_a_remark(tmp_path: Path) -> None:
    path = tmp_path / "float.wav"
    soundfile.write(path, np.array([0.5, np.nan, np.inf, 1e30, -0.5]), 48_000, subtype="FLOAT")
    (stretch,) = read_recording(path)
    assert stretch.sound.samples.tolist() == [0.5, 0, 0, 8, -0.5]
    assert stretch.remarks == (
        "float.wav: 2 samples that are no numbers; all 0.0 s of sound that are there were analysed",
    )


def test_a_missing_file_is_not_called_unreadable(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_stretches(tmp_path / "gone.wav"))


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.wav", tmp_path / "bad.wav"
    good.write_bytes(wav())
    bad.write_bytes(b"x" * 1000)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(5):
        next(read_stretches(good, stretch_s=0.1)).samples.sum()
        with pytest.raises(Unreadable):
            sound_info(bad)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    def peak_of(minutes: int) -> int:
        path = tmp_path / f"{minutes}.flac"
        with soundfile.SoundFile(path, "w", 16_000, 1) as file:
            for _ in range(minutes):
                file.write(tone(16_000, 60)[:, 0])
        tracemalloc.start()
        heard = sum(sound.duration_s for sound in read_stretches(path, stretch_s=15.0))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert heard == pytest.approx(60 * minutes, abs=0.1)
        return peak

    peak_of(1)  # what is loaded once
    assert peak_of(12) < 1.2 * peak_of(2)


def test_stretches_know_their_time(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(48_000, 2.0), 48_000)
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    times = [sound.taken_at for sound in read_stretches(path, stretch_s=1.5, taken_at=noon)]
    assert times == [noon, noon + timedelta(seconds=1.5)]
    assert [sound.taken_at for sound in read_stretches(path)] == [None]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", datetime(2020, 4, 4, 10, 25, tzinfo=UTC)),
        ("UTC+8", datetime(2020, 4, 4, 2, 25, tzinfo=UTC)),
        ("UTC-3:30", datetime(2020, 4, 4, 13, 55, tzinfo=UTC)),
        ("UTC+99", None),
    ],
)
def test_the_time_an_audiomoth_wrote_is_read(tmp_path: Path, zone: str, expected: datetime | None) -> None:
    path = tmp_path / "moth.wav"
    with soundfile.SoundFile(path, "w", 48_000, 1) as file:
        file.comment = f"Recorded at 10:25:00 04/04/2020 ({zone}) by AudioMoth 0000 at gain setting 2."
        file.write(tone(48_000, 0.1)[:, 0])
    assert sound_info(path).recorded_at == expected


def test_edge_cases_are_read_or_refused(shared_data: Path) -> None:
    refused = {}
    for path in sorted((shared_data / "sound" / "edge_cases").iterdir()):
        try:
            heard = sum(sound.samples.size for sound in read_stretches(path)) / 48_000
        except Unreadable as error:
            refused[path.name] = str(error)
            continue
        stated_s = sound_info(path).duration_s
        assert stated_s is None or heard == pytest.approx(stated_s, abs=0.002), path.name
    assert refused == {"empty_2c.wav": "empty_2c.wav: there is no sound in it: expected at least one sample"}
    moth = sound_info(shared_data / "sound" / "edge_cases" / "metadata.wav")
    assert moth.recorded_at == datetime(2020, 4, 4, 10, 25, tzinfo=UTC)


@pytest.mark.parametrize("rate_hz", [6_000, 16_000, 48_000, 192_000])
def test_a_clip_is_an_mp3_of_the_same_length(rate_hz: int) -> None:
    data, media_type = encode_clip(Sound(tone(rate_hz, 3.0)[:, 0], rate_hz))
    assert media_type == "audio/mpeg"
    with soundfile.SoundFile(BytesIO(data)) as file:
        assert (file.format, file.channels) == ("MP3", 1)
        heard = Sound(file.read(dtype="float32"), file.samplerate)
    assert heard.duration_s == pytest.approx(3.0, abs=0.1)
    assert loudest_hz(heard) == pytest.approx(1000, abs=2)


@pytest.mark.parametrize("shape", [lambda n: np.random.default_rng(1).normal(0, 0.002, n), lambda n: np.ones(n)])
def test_a_quiet_sound_becomes_as_loud_as_others(shape: Callable[[int], np.ndarray]) -> None:
    loud = normalise(Sound(shape(48_000).astype(np.float32), 48_000))
    assert 20 * np.log10(np.sqrt(np.mean(loud.samples**2))) == pytest.approx(-23, abs=0.1)


def test_a_shot_is_made_louder_only_up_to_its_peak() -> None:
    shot = np.zeros(48_000, np.float32)
    shot[1000:1010] = 0.5
    assert np.abs(normalise(Sound(shot, 48_000)).samples).max() == pytest.approx(0.89)


def test_silence_stays_silent() -> None:
    silent = Sound(np.zeros(1000, np.float32), 48_000)
    assert not normalise(silent).samples.any()
    with pytest.raises(Unreadable):
        encode_clip(Sound(np.zeros(0, np.float32), 48_000))


@pytest.mark.parametrize("form", ["VOC", "SVX", "NIST", "IRCAM", "MAT5"])
@pytest.mark.parametrize("tag", [b"", b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)], ids=["", "behind a tag of MP3"])
def test_a_rare_format_that_is_named_wav_is_refused(tmp_path: Path, form: str, tag: bytes) -> None:
    path = tmp_path / "20240501_200000.wav"
    soundfile.write(path, tone(8_000, 1), 8_000, format=form)
    path.write_bytes(tag + path.read_bytes())
    with pytest.raises(Unreadable):
        list(read_stretches(path))
