"""Channels that agree are averaged, channels that differ are heard separately, and a broken one is named."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from captures.channels import mix_channels
from captures.sound import read_recording
from tests.recordings import tone

RATE_HZ = 48_000
CHANCE = np.random.default_rng(5)


def noise(level_db: float, seconds: float = 3.0) -> np.ndarray:
    return CHANCE.normal(0, 10 ** (level_db / 20), round(seconds * RATE_HZ)).astype(np.float32)


def forest() -> np.ndarray:
    """Calls with pauses over a quiet brown background."""
    background = np.cumsum(noise(-50)) * 0.02
    calls = tone(3.0, 800, RATE_HZ) * (np.sin(np.arange(3 * RATE_HZ) / RATE_HZ * 9) > 0.7)
    forest: np.ndarray = (0.3 * calls + background - background.mean() + noise(-75)).astype(np.float32)
    return forest


FOREST = forest()
BROKEN: dict[str, tuple[np.ndarray, str]] = {
    "without signal": (np.zeros_like(FOREST), "dead"),
    "without signal but with a direct current": (np.full_like(FOREST, 0.2), "dead"),
    "with the last bit of 16": (np.round(CHANCE.random(FOREST.size)).astype(np.float32) / 32_768, "dead"),
    "stuck at full scale": (np.ones_like(FOREST), "clipped"),
    "unplugged": (noise(-80), "dead"),
    "inverted": (-FOREST, "inverted"),
    "inverted and quieter": (-0.25 * FOREST + noise(-80), "inverted"),
    "clipped": (np.clip(40 * (FOREST + noise(-30)), -1, 1), "clipped"),
    "noisy": (noise(-12), "noisy"),
    "noisy at the level of the calls": (noise(-20), "noisy"),
}


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


@pytest.mark.parametrize("first", [False, True], ids=["second", "first"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_channel_is_named_and_the_other_is_heard(name: str, first: bool) -> None:
    broken, kind = BROKEN[name]
    pair = (broken, FOREST) if first else (FOREST, broken)
    mix = mix_channels(np.stack(pair, axis=1))
    assert kind in {fault.kind for fault in mix.faults}
    if kind != "inverted":  # which of two is the wrong way round cannot be known
        assert {fault.channel for fault in mix.faults} == {1 if first else 2}
    assert max(abs(correlation(signal, FOREST)) for signal in mix.signals) > 0.99
    assert abs(correlation(mix.signals[0], FOREST)) > 0.99, "the first signal, of which clips are made, is a good one"


def test_equal_channels_are_one_signal() -> None:
    mix = mix_channels(np.stack((FOREST, FOREST * 0.8 + noise(-80)), axis=1))
    assert (len(mix.signals), mix.faults) == (1, ())
    assert correlation(mix.signals[0], FOREST) > 0.99


def test_two_microphones_that_hear_different_things_are_two_signals_without_a_fault() -> None:
    other = np.roll(FOREST, 500) * 0.5
    mix = mix_channels(np.stack((FOREST, other), axis=1))
    assert (len(mix.signals), mix.faults) == (2, ())
    assert np.array_equal(mix.signals[1], other)


def test_of_four_channels_the_live_ones_are_heard() -> None:
    mix = mix_channels(np.stack((np.zeros_like(FOREST), FOREST, -FOREST, np.roll(FOREST, 915)), axis=1))
    assert [(fault.channel, fault.kind) for fault in mix.faults] == [(1, "dead"), (3, "inverted")]
    assert [round(correlation(signal, FOREST), 1) for signal in mix.signals] == [1.0, 0.0]


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_silence_on_all_channels_is_silence(channels: int) -> None:
    mix = mix_channels(np.zeros((1_000, channels), np.float32))
    assert (len(mix.signals), mix.faults) == (1, ())
    assert not mix.signals[0].any()


def test_a_recording_with_inverted_channels_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "miswired.wav"
    soundfile.write(path, np.stack((FOREST, -FOREST), axis=1), RATE_HZ, subtype="PCM_24")
    (stretch,) = read_recording(path)
    assert np.abs(stretch.sound.samples - FOREST).max() < 1e-6
    assert [str(fault) for fault in stretch.faults] == ["channel 2 is inverted (correlation -1.00)"]


def test_of_many_channels_eight_are_heard_with_a_remark(tmp_path: Path) -> None:
    path = tmp_path / "array.wav"
    channels = [np.roll(FOREST, 700 * number) for number in range(12)]
    soundfile.write(path, np.stack(channels, axis=1), RATE_HZ)
    (stretch,) = read_recording(path)
    assert len(stretch.sound.signals) == 8
    assert "12 channels, of which the first 8 are heard" in stretch.remarks[0]
