"""Makes wind, hiss, hum, drops, insects and knocks by computation: what a shot must not be taken for."""

import numpy as np
from numpy.typing import NDArray

from models.threat.front_end import RATE_HZ
from models.train.threat.mixing import TrainingClip

_LENGTH = 6 * RATE_HZ
_LOUDNESS = 0.05


def synthetic_noises(count: int, seed: int) -> list[TrainingClip]:
    """Make backgrounds: noise of every colour, gusts of wind, hum of the mains, drops, insects; 6 s each."""
    random = np.random.default_rng(seed)
    return [TrainingClip(_noise(random), None, f"made:noise-{seed}-{at}", "made", (), True) for at in range(count)]


def synthetic_knocks(count: int, seed: int) -> list[TrainingClip]:
    """Make short bursts, one to three in 2 s: knocks, twigs, loose plugs."""
    random = np.random.default_rng(seed)
    return [
        TrainingClip(_bursts(2 * RATE_HZ, int(random.integers(1, 4)), random), None, f"made:knock-{seed}-{at}", "made")
        for at in range(count)
    ]


def _noise(random: np.random.Generator) -> NDArray[np.float32]:
    kind = random.choice(("coloured", "gusts", "hum", "drops", "choir"), p=(0.25, 0.2, 0.1, 0.15, 0.3))
    if kind == "gusts":
        swell = np.exp(random.normal(0, 1.0, 25))
        bent = np.interp(np.arange(_LENGTH), np.linspace(0, _LENGTH, swell.size), swell)
        return _even(_coloured(random.uniform(1.2, 2.5), random) * bent)
    noise = _coloured(random.uniform(-0.2, 2.0), random)
    if kind == "hum":
        tones = random.uniform(45, 65) * np.arange(1, 9)
        for tone in tones:
            noise = noise * 0.9 + 0.05 * random.exponential() * np.sin(
                2 * np.pi * tone * np.arange(_LENGTH) / RATE_HZ + random.uniform(0, 6)
            )
    if kind == "drops":
        noise = 0.1 * noise + _bursts(_LENGTH, int(random.integers(5, 200)), random)
    if kind == "choir":
        noise = noise * 10 ** random.uniform(-1.5, 0)
        for _ in range(int(random.integers(1, 5))):
            noise = noise + random.uniform(0.2, 1) * _insects(random)
    return _even(noise)


def _insects(random: np.random.Generator) -> NDArray[np.float64]:
    """Noise in a narrow band between 1.3 and 7.5 kHz, steady or in pulses, as cicadas and crickets make it."""
    middle_hz, width_hz = random.uniform(1300, 7500), random.uniform(30, 500)
    pitches = np.fft.rfftfreq(_LENGTH, 1 / RATE_HZ)
    band = np.exp(-(((pitches - middle_hz) / width_hz) ** 2))
    song = np.fft.irfft(np.fft.rfft(random.standard_normal(_LENGTH)) * band, _LENGTH)
    if random.random() < 0.6:
        pulses = np.sin(2 * np.pi * 10 ** random.uniform(-0.3, 1.8) * np.arange(_LENGTH) / RATE_HZ)
        song = song * np.clip(pulses + random.uniform(-0.5, 1), 0, None)
    return np.asarray(song / np.sqrt(np.mean(song**2)) * _LOUDNESS, np.float64)


def _coloured(slope: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Noise whose power falls with frequency to the power of ``slope``."""
    pitches = np.maximum(np.fft.rfftfreq(_LENGTH, 1 / RATE_HZ), 20.0)
    shaped = np.fft.irfft(np.fft.rfft(random.standard_normal(_LENGTH)) * pitches ** (-slope / 2), _LENGTH)
    return np.asarray(shaped / np.sqrt(np.mean(shaped**2)) * _LOUDNESS, np.float64)


def _bursts(length: int, count: int, random: np.random.Generator) -> NDArray[np.float32]:
    result = np.zeros(length)
    for start in random.integers(0, length - 2000, count):
        lasting = int(random.uniform(0.0005, 0.06) * RATE_HZ) + 2
        at = np.arange(lasting) / lasting
        burst = random.standard_normal(lasting) if random.random() < 0.5 else np.sin(at * random.uniform(3, 150))
        result[start : start + lasting] += burst * np.exp(-5 * at) * random.exponential()
    return _even(result)


def _even(samples: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(samples * _LOUDNESS / (np.sqrt(np.mean(samples**2)) + 1e-9), np.float32)
