"""What the threat network looks at: pitch where it sounds, moments where they are, and no difference by loudness."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.threat.detector import split_windows
from models.threat.front_end import BANDS, FRAMES, RATE_HZ, log_mel, mel_bands

LENGTH = 2 * RATE_HZ


def tone(hertz: float, peak: float = 0.5) -> NDArray[np.float32]:
    quiet = np.random.default_rng(0).normal(0, 0.05, LENGTH)
    return (peak * (np.sin(2 * np.pi * hertz * np.arange(LENGTH) / RATE_HZ) + quiet)).astype(np.float32)


def test_a_tone_stands_out_in_the_band_of_its_pitch() -> None:
    centres = np.argmax(mel_bands(), axis=0) * RATE_HZ / 512
    for hertz in (200, 1000, 4000, 7000):
        loudest = int(log_mel(tone(hertz)[None])[0, 0].mean(axis=1).argmax())
        assert abs(centres[loudest] - hertz) < 0.08 * hertz + 20


def test_a_bang_stands_out_when_it_comes() -> None:
    sound = np.random.default_rng(1).normal(0, 1e-3, LENGTH).astype(np.float32)
    sound[16_000:16_200] += 0.8
    assert abs(int(log_mel(sound[None])[0, 0].mean(axis=0).argmax()) - FRAMES // 2) <= 3


def test_loudness_makes_no_difference() -> None:
    quiet, loud = log_mel(np.stack([tone(600, 0.05), tone(600, 0.5)]))
    assert np.abs(quiet - loud).max() < 0.05


def test_silence_is_a_picture_too() -> None:
    picture = log_mel(np.zeros((1, LENGTH), np.float32))
    assert picture.shape == (1, 1, BANDS, FRAMES)
    assert np.all(picture == 0)


def test_every_band_takes_part_and_none_reaches_beyond_the_range() -> None:
    bands = mel_bands()
    assert bands.shape == (257, BANDS)
    assert np.all(bands.sum(axis=0) > 0)
    assert np.all(bands[np.fft.rfftfreq(512, 1 / RATE_HZ) < 60] == 0)


def test_windows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        log_mel(np.zeros((1, 16_000), np.float32))


@pytest.mark.parametrize(("seconds", "windows"), [(0.1, 1), (2.0, 1), (2.5, 2), (3.0, 2), (60.0, 59)])
def test_every_moment_lies_in_a_window(seconds: float, windows: int) -> None:
    count = round(seconds * RATE_HZ)
    samples = np.arange(count, 2 * count, dtype=np.float32)  # all different, and no silence at the beginning
    pieces = split_windows(samples)
    assert pieces.shape == (windows, LENGTH)
    assert set(samples.tolist()) <= set(pieces.ravel().tolist())
