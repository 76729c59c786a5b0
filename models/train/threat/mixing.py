"""Mixes clean recordings with distance effects, echo and background noise into realistic training windows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.threat.front_end import RATE_HZ, WINDOW_S

LABELS = ("gunshot", "chainsaw", "engine", "dog", "voice")
UNKNOWN = -1.0  # the label may or may not be present
_LENGTH = round(RATE_HZ * WINDOW_S)

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TrainingClip:
    """The samples of a recording for training, with its labels and the name of its site or source recording.

    Attributes:
        samples: Mono, 16 kHz.
        label: One of ``LABELS``; None if the sound is not a threat.
        group: The site or source recording; all clips of one group are in one split.
        source: Name of the collection.
        unsure: Labels that may or may not be present; the clip is not used to train these labels.
        background: Whether it can be the background of any mixture: rain, wind, insects, birds.
    """

    samples: Samples
    label: str | None
    group: str
    source: str
    unsure: tuple[str, ...] = ()
    background: bool = False


@dataclass(frozen=True, slots=True)
class MixingOptions:
    """Range of the signal-to-noise ratio, and probability of each effect (distance, echo and others) in a mixture.

    Attributes:
        signal_to_noise_db: Lowest and highest ratio of a sound to its background, in the frequency bands of the sound.
        distant: Probability that a sound is distant: high frequencies are attenuated.
        echo: Probability that a sound has an echo.
        second_sound: Probability that a mixture has two sounds.
        background_only: Probability that a mixture has no sound but the background.
        low_pass: Probability of a cut-off at 3 to 7 kHz, like recorders with a low sample rate.
    """

    signal_to_noise_db: tuple[float, float] = (-5.0, 20.0)
    distant: float = 0.6
    echo: float = 0.5
    second_sound: float = 0.15
    background_only: float = 0.15
    low_pass: float = 0.3


def mix_window(
    events: Sequence[Sequence[TrainingClip]],
    backgrounds: Sequence[TrainingClip],
    random: np.random.Generator,
    options: MixingOptions,
) -> tuple[Samples, NDArray[np.float32]]:
    """Mix one window of 2 s from background clips and at most two other sounds, all chosen at random.

    Args:
        events: One list of clips per kind of sound; all lists are equally probable.
        backgrounds: Clips of continuous sounds: rain, wind, insects, birds.
        random: Source of random numbers.
        options: Signal-to-noise ratio and effects.

    Returns:
        (32000,) samples in -1..1, and (5,) the presence of each of ``LABELS``: 1, 0, or ``UNKNOWN``.
    """
    chosen = [_pick(backgrounds, random) for _ in range(2 if random.random() < 0.3 else 1)]
    window = np.zeros(_LENGTH, np.float32)
    present = np.zeros(len(LABELS), np.float32)
    for number, clip in enumerate(chosen):
        window = window + (10 ** random.uniform(-1, 0) if number else 1.0) * _normalise(_extract_window(clip, random))
        _add_labels(present, clip)
    drawn = random.random()
    none, two = options.background_only, options.background_only + options.second_sound
    count = 0 if drawn < none else 2 if drawn < two else 1
    for _ in range(count):
        clip = _pick(events[int(random.integers(len(events)))], random)
        sound = _propagate(_extract_window(clip, random), random, options)
        window = window + _gain(sound, window, random.uniform(*options.signal_to_noise_db)) * sound
        _add_labels(present, clip)
    if random.random() < options.low_pass:
        window = _low_pass(window, random.uniform(3000, 7000))
    peak = float(np.abs(window).max())
    target_peak = 10 ** random.uniform(-2.5, -0.1)
    return (window * (target_peak / peak if peak > 0 else 1)).astype(np.float32), present


def _add_labels(present: NDArray[np.float32], clip: TrainingClip) -> None:
    """Set the labels of a clip in the label array of a mixture; 1 (present) takes precedence over ``UNKNOWN``."""
    for label in clip.unsure:
        at = LABELS.index(label)
        present[at] = present[at] if present[at] == 1 else UNKNOWN
    if clip.label is not None:
        present[LABELS.index(clip.label)] = 1


def _normalise(sound: Samples) -> Samples:
    """Scale the samples of a background to an RMS of 0.03, so that all backgrounds have the same loudness."""
    return np.asarray(sound * np.float32(0.03) / (np.sqrt(np.mean(sound**2)) + np.float32(1e-6)), np.float32)


def _low_pass(window: Samples, cutoff_hz: float) -> Samples:
    """Attenuate the frequencies of a window above the cut-off frequency by 60 dB."""
    spectrum = np.fft.rfft(window)
    spectrum[np.fft.rfftfreq(_LENGTH, 1 / RATE_HZ) > cutoff_hz] *= 1e-3
    return np.asarray(np.fft.irfft(spectrum, _LENGTH), np.float32)


def _pick(clips: Sequence[TrainingClip], random: np.random.Generator) -> TrainingClip:
    return clips[int(random.integers(len(clips)))]


def _extract_window(clip: TrainingClip, random: np.random.Generator) -> Samples:
    """Return 2 s of a clip from a loud part; a clip under 2 s is placed at a random position in silence."""
    samples = clip.samples
    if samples.size <= _LENGTH:
        window = np.zeros(_LENGTH, np.float32)
        # A gunshot may lie at the edge, but its peak must be inside.
        start = random.integers(0, _LENGTH - samples.size + 1)
        window[start : start + samples.size] = samples
        return window
    if clip.label == "gunshot":  # the peak must be inside, at any position in the window
        first = int(np.argmax(np.abs(samples))) - int(random.uniform(0.05, 0.85) * _LENGTH)
        first = min(max(first, 0), samples.size - _LENGTH)
        return np.array(samples[first : first + _LENGTH], np.float32)
    starts = random.integers(0, samples.size - _LENGTH + 1, 4)
    parts = [samples[start : start + _LENGTH] for start in starts]
    levels = [float(np.sqrt(np.mean(part**2))) for part in parts]
    loud = [part for part, level in zip(parts, levels, strict=True) if level >= 0.5 * max(levels)]
    return np.array(loud[int(random.integers(len(loud)))], np.float32)


def _propagate(sound: Samples, random: np.random.Generator, options: MixingOptions) -> Samples:
    """Simulate the effects of distance on a sound: weaker high frequencies, and an echo.

    Air and leaves attenuate high frequencies: a second- or fourth-order low-pass with a corner between 250 Hz and
    7 kHz. The echo is noise with a decay of 0.2 to 3 s, at most 1.5 times as strong as the direct sound, because at a
    distance, reflections from trunks are stronger than the direct sound. A recorder's high-pass removes frequencies
    below 60 to 300 Hz. These are simple models, not measurements in a forest.
    """
    frequencies_hz = np.fft.rfftfreq(2 * _LENGTH, 1 / RATE_HZ)
    spectrum = np.fft.rfft(sound, 2 * _LENGTH)
    if random.random() < options.distant:
        corner_hz = 250 * (7000 / 250) ** random.random()
        spectrum = spectrum / (1 + (frequencies_hz / corner_hz) ** random.choice((2, 4)))
        if random.random() < 0.5:
            low_hz = random.uniform(60, 300)
            spectrum = spectrum * frequencies_hz**2 / (frequencies_hz**2 + low_hz**2)
    if random.random() < options.echo:
        at_s = np.arange(_LENGTH) / RATE_HZ
        tail = random.normal(0, 1, _LENGTH) * 10 ** (-3 * at_s / random.uniform(0.2, 3.0))
        tail *= random.uniform(0.1, 1.5) / np.sqrt(np.sum(tail**2))
        tail[0] += 1
        spectrum = spectrum * np.fft.rfft(tail, 2 * _LENGTH)
    return np.asarray(np.fft.irfft(spectrum)[:_LENGTH], np.float32)


def _gain(sound: Samples, background: Samples, signal_to_noise_db: float) -> float:
    """Return the gain at which the loudest 0.25 s of a sound has the given signal-to-noise ratio.

    Both powers are measured in bands of 100 Hz, each weighted by the power of the sound in it, so that insects two
    octaves above a low-frequency gunshot do not affect the gain.
    """
    quarter = RATE_HZ // 4
    energy = np.concatenate(([0.0], np.cumsum(sound.astype(np.float64) ** 2)))
    start = int((energy[quarter:] - energy[:-quarter]).argmax())
    power = _band_power(sound[start : start + quarter])
    quarters = background[: background.size // quarter * quarter].reshape(-1, quarter)
    noise = np.mean([_band_power(part) for part in quarters], axis=0)
    noise = np.maximum(noise, 0.01 * noise.mean())  # a forest is not silent in any band
    signal_power, noise_power = float(np.sum(power * power)), float(np.sum(power * noise))
    if signal_power <= 0 or noise_power <= 0:
        return 1.0
    return float(np.sqrt(noise_power / signal_power) * 10 ** (signal_to_noise_db / 20))


def _band_power(quarter: Samples) -> NDArray[np.float64]:
    """Return the power of a quarter second of sound in frequency bands of 100 Hz.

    The spectrum of a quarter second has a resolution of 4 Hz.
    """
    lines = np.abs(np.fft.rfft(quarter))[:-1] ** 2
    return np.asarray(lines.reshape(-1, 25).sum(axis=1), np.float64)
