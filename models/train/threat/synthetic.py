"""Synthetic wind, hiss, hum, drops, insects and knocks: training examples of sounds that are not gunshots."""

import numpy as np
from numpy.typing import NDArray

from models.threat.front_end import RATE_HZ
from models.train.threat.mixing import TrainingClip

_LENGTH = 6 * RATE_HZ
_RMS = 0.05


def synthetic_noises(count: int, seed: int) -> list[TrainingClip]:
    """Generate backgrounds of 6 s: coloured noise, gusts of wind, mains hum, drops and insects."""
    random = np.random.default_rng(seed)
    return [TrainingClip(_noise(random), None, f"made:noise-{seed}-{at}", "made", (), True) for at in range(count)]


def synthetic_knocks(count: int, seed: int) -> list[TrainingClip]:
    """Generate clips of 2 s with one to three short bursts, like knocks, breaking twigs or loose connectors."""
    random = np.random.default_rng(seed)
    return [
        TrainingClip(_bursts(2 * RATE_HZ, int(random.integers(1, 4)), random), None, f"made:knock-{seed}-{at}", "made")
        for at in range(count)
    ]


def _noise(random: np.random.Generator) -> NDArray[np.float32]:
    kind = random.choice(("coloured", "gusts", "hum", "drops", "insects"), p=(0.25, 0.2, 0.1, 0.15, 0.3))
    if kind == "gusts":
        swell = np.exp(random.normal(0, 1.0, 25))
        envelope = np.interp(np.arange(_LENGTH), np.linspace(0, _LENGTH, swell.size), swell)
        return _normalise(_coloured(random.uniform(1.2, 2.5), random) * envelope)
    noise = _coloured(random.uniform(-0.2, 2.0), random)
    if kind == "hum":
        tones = random.uniform(45, 65) * np.arange(1, 9)
        for tone in tones:
            noise = noise * 0.9 + 0.05 * random.exponential() * np.sin(
                2 * np.pi * tone * np.arange(_LENGTH) / RATE_HZ + random.uniform(0, 6)
            )
    if kind == "drops":
        noise = 0.1 * noise + _bursts(_LENGTH, int(random.integers(5, 200)), random)
    if kind == "insects":
        noise = noise * 10 ** random.uniform(-1.5, 0)
        for _ in range(int(random.integers(1, 5))):
            noise = noise + random.uniform(0.2, 1) * _insects(random)
    return _normalise(noise)


def _insects(random: np.random.Generator) -> NDArray[np.float64]:
    """Return narrow-band noise between 1.3 and 7.5 kHz, steady or pulsed, like cicadas and crickets."""
    middle_hz, width_hz = random.uniform(1300, 7500), random.uniform(30, 500)
    frequencies_hz = np.fft.rfftfreq(_LENGTH, 1 / RATE_HZ)
    band = np.exp(-(((frequencies_hz - middle_hz) / width_hz) ** 2))
    song = np.fft.irfft(np.fft.rfft(random.standard_normal(_LENGTH)) * band, _LENGTH)
    if random.random() < 0.6:
        pulses = np.sin(2 * np.pi * 10 ** random.uniform(-0.3, 1.8) * np.arange(_LENGTH) / RATE_HZ)
        song = song * np.clip(pulses + random.uniform(-0.5, 1), 0, None)
    return np.asarray(song / np.sqrt(np.mean(song**2)) * _RMS, np.float64)


def _coloured(slope: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Return noise with a power proportional to frequency ** -slope, above 20 Hz."""
    frequencies_hz = np.maximum(np.fft.rfftfreq(_LENGTH, 1 / RATE_HZ), 20.0)
    shaped = np.fft.irfft(np.fft.rfft(random.standard_normal(_LENGTH)) * frequencies_hz ** (-slope / 2), _LENGTH)
    return np.asarray(shaped / np.sqrt(np.mean(shaped**2)) * _RMS, np.float64)


def _bursts(length: int, count: int, random: np.random.Generator) -> NDArray[np.float32]:
    result = np.zeros(length)
    for start in random.integers(0, length - 2000, count):
        size = int(random.uniform(0.0005, 0.06) * RATE_HZ) + 2
        at = np.arange(size) / size
        burst = random.standard_normal(size) if random.random() < 0.5 else np.sin(at * random.uniform(3, 150))
        result[start : start + size] += burst * np.exp(-5 * at) * random.exponential()
    return _normalise(result)


def _normalise(samples: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(samples * _RMS / (np.sqrt(np.mean(samples**2)) + 1e-9), np.float32)
