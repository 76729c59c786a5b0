"""What a recorder had not yet recorded is filled, and what was really quiet or loud is left alone."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from captures.decoded import Sound
from captures.sound import read_stretches
from models.threat import ThreatOptions, ThreatSounds
from models.threat.onset_padding import pad_onset

RATE_HZ = 16_000


def noise(seconds: float, loudness: float = 0.02) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(0, loudness, round(seconds * RATE_HZ)).astype(np.float32)


def begun_late(silent_s: float, before: float = 0.0, seconds: float = 4) -> NDArray[np.float32]:
    """Noise whose beginning is almost or quite silent."""
    samples = noise(seconds)
    start = round(silent_s * RATE_HZ)
    samples[:start] = before * noise(silent_s, 1.0)
    return samples


@pytest.mark.parametrize(("silent_s", "before"), [(0.02, 0.0002), (0.05, 0.0), (0.09, 0.0005), (0.4, 0.0), (1.5, 0.0)])
def test_silence_before_the_first_sound_is_filled_with_what_follows(silent_s: float, before: float) -> None:
    samples = begun_late(silent_s, before)
    filled = pad_onset(samples)
    start = round(silent_s * RATE_HZ)
    assert filled.size == samples.size
    assert np.std(filled[:start]) == pytest.approx(0.02, rel=0.25), "as loud as what follows"
    assert np.array_equal(filled[start + 160 :], samples[start + 160 :]), "and nothing else is touched"
    assert np.abs(samples[: start - 1]).max() <= 0.003, "nor what was given"


@pytest.mark.parametrize(
    "samples",
    [
        noise(4),
        begun_late(0.3, 0.0005),  # three tenths of a second of quiet were really quiet
        begun_late(2.5),  # a recorder with a threshold
        np.zeros(3 * RATE_HZ, np.float32),
        np.zeros(0, np.float32),
        noise(0.001),
        noise(4) * np.linspace(0.3, 1, 4 * RATE_HZ, dtype=np.float32),
    ],
    ids=["even", "quiet", "gated", "silent", "empty", "a moment", "swelling"],
)
def test_what_was_recorded_stays_as_it_is(samples: NDArray[np.float32]) -> None:
    assert pad_onset(samples) is samples


def test_a_shot_soon_after_a_quiet_beginning_stays() -> None:
    samples = noise(4, 0.001)
    samples[800:1200] += noise(0.025, 0.5)  # 50 ms in, over in 25 ms: what follows is as quiet as what was before
    assert pad_onset(samples) is samples


@pytest.mark.parametrize("silent_s", [0.02, 0.4])
def test_rain_that_sets_in_with_the_recording_is_no_shot(shared_data: Path, silent_s: float) -> None:
    (rain,) = read_stretches(shared_data / "samples" / "recordings" / "rain.ogg", RATE_HZ)
    everything = ThreatSounds(ThreatOptions(labels=("gunshot",)))
    whole = everything.confidences(everything.preprocess(rain))[0, 0]
    samples = rain.samples.copy()
    samples[: round(silent_s * RATE_HZ)] = 0
    cut_off = everything.confidences(everything.preprocess(Sound(samples, RATE_HZ)))[0, 0]
    assert cut_off < max(2 * whole, 0.2)
