"""Makes of close, clean recordings what a station hears: far off, echoing, in rain and wind."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.threat.front_end import RATE_HZ, WINDOW_S

LABELS = ("gunshot", "chainsaw", "engine", "dog", "voice")
UNKNOWN = -1.0  # nobody knows whether it is there
_LENGTH = round(RATE_HZ * WINDOW_S)

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TrainingClip:
    """A recording and what is in it.

    Attributes:
        samples: Mono, 16 kHz.
        label: One of ``LABELS``, or None: no threat, but a sound like another.
        group: The site or source recording: all clips of one belong to one split.
        source: The collection it is from.
        unsure: The labels of which nobody knows whether they are in it; nothing is learnt about them from it.
        background: It may lie under anything: rain, wind, insects, birds.
    """

    samples: Samples
    label: str | None
    group: str
    source: str
    unsure: tuple[str, ...] = ()
    background: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """How a sound reaches the station.

    Attributes:
        signal_to_noise_db: Of the sound over its background at the sound's own pitches, lowest and highest.
        far: Share of sounds that come from afar: high pitches lost.
        echoing: Share of sounds with an echo.
        two: Share of mixtures with a second sound.
        nothing: Share of mixtures that are background alone.
        dull: Share of mixtures with nothing above 3 to 7 kHz, as recorders of low rates leave it.
    """

    signal_to_noise_db: tuple[float, float] = (-5.0, 20.0)
    far: float = 0.6
    echoing: float = 0.5
    two: float = 0.15
    nothing: float = 0.15
    dull: float = 0.3


def mix(
    events: Sequence[Sequence[TrainingClip]],
    backgrounds: Sequence[TrainingClip],
    random: np.random.Generator,
    field: Field,
) -> tuple[Samples, NDArray[np.float32]]:
    """Make one window.

    Args:
        events: Clips by what they are, one list a kind, so that each kind comes as often as the others.
        backgrounds: What goes on all the time: rain, wind, insects, birds.
        random: Decides.
        field: How it sounds out there.

    Returns:
        (32000,) samples within -1..1, and (5,) which of ``LABELS`` are in it: 1, 0, or ``UNKNOWN``.
    """
    lying_under = [_pick(backgrounds, random) for _ in range(2 if random.random() < 0.3 else 1)]
    window = np.zeros(_LENGTH, np.float32)
    present = np.zeros(len(LABELS), np.float32)
    for number, clip in enumerate(lying_under):
        window = window + (10 ** random.uniform(-1, 0) if number else 1.0) * _even(_window(clip, random))
        _tell(present, clip)
    drawn = random.random()
    count = 0 if drawn < field.nothing else 2 if drawn < field.nothing + field.two else 1
    for _ in range(count):
        clip = _pick(events[int(random.integers(len(events)))], random)
        sound = _travelled(_window(clip, random), random, field)
        window = window + _gain(sound, window, random.uniform(*field.signal_to_noise_db)) * sound
        _tell(present, clip)
    if random.random() < field.dull:
        window = _without_above(window, random.uniform(3000, 7000))
    peak = float(np.abs(window).max())
    loudness = 10 ** random.uniform(-2.5, -0.1)
    return (window * (loudness / peak if peak > 0 else 1)).astype(np.float32), present


def _tell(present: NDArray[np.float32], clip: TrainingClip) -> None:
    """Add what a clip holds; a threat that is certainly there stays so, whatever else nobody knows."""
    for label in clip.unsure:
        at = LABELS.index(label)
        present[at] = present[at] if present[at] == 1 else UNKNOWN
    if clip.label is not None:
        present[LABELS.index(clip.label)] = 1


def _even(sound: Samples) -> Samples:
    """Bring backgrounds of any source to one loudness."""
    return np.asarray(sound * np.float32(0.03) / (np.sqrt(np.mean(sound**2)) + np.float32(1e-6)), np.float32)


def _without_above(window: Samples, hertz: float) -> Samples:
    spectrum = np.fft.rfft(window)
    spectrum[np.fft.rfftfreq(_LENGTH, 1 / RATE_HZ) > hertz] *= 1e-3
    return np.asarray(np.fft.irfft(spectrum, _LENGTH), np.float32)


def _pick(clips: Sequence[TrainingClip], random: np.random.Generator) -> TrainingClip:
    return clips[int(random.integers(len(clips)))]


def _window(clip: TrainingClip, random: np.random.Generator) -> Samples:
    """Cut two seconds out of a clip, where something is to be heard in it; a short clip lies somewhere in silence."""
    samples = clip.samples
    if samples.size <= _LENGTH:
        window = np.zeros(_LENGTH, np.float32)
        # A shot may lie at the edge, but its bang must be inside.
        start = random.integers(0, _LENGTH - samples.size + 1)
        window[start : start + samples.size] = samples
        return window
    if clip.label == "gunshot":  # the bang must be inside, wherever in the window
        bang = int(np.argmax(np.abs(samples))) - int(random.uniform(0.05, 0.85) * _LENGTH)
        bang = min(max(bang, 0), samples.size - _LENGTH)
        return np.array(samples[bang : bang + _LENGTH], np.float32)
    starts = random.integers(0, samples.size - _LENGTH + 1, 4)
    cuts = [samples[start : start + _LENGTH] for start in starts]
    loud = [float(np.sqrt(np.mean(cut**2))) for cut in cuts]
    fit = [cut for cut, level in zip(cuts, loud, strict=True) if level >= 0.5 * max(loud)]
    return np.array(fit[int(random.integers(len(fit)))], np.float32)


def _travelled(sound: Samples, random: np.random.Generator, field: Field) -> Samples:
    """Let a sound come from afar and echo.

    Air and leaves take the high pitches: a fall of second or fourth order above a corner between 250 Hz and 7 kHz. The
    echo is noise that dies away over 0.2 to 3 s, at most one and a half times as strong as what comes straight: from
    afar, trunks send more than the muzzle does. A recorder's filter takes what is below 60 to 300 Hz. All are simple
    models, not measured forests.
    """
    pitches = np.fft.rfftfreq(2 * _LENGTH, 1 / RATE_HZ)
    spectrum = np.fft.rfft(sound, 2 * _LENGTH)
    if random.random() < field.far:
        corner_hz = 250 * (7000 / 250) ** random.random()
        spectrum = spectrum / (1 + (pitches / corner_hz) ** random.choice((2, 4)))
        if random.random() < 0.5:
            low_hz = random.uniform(60, 300)
            spectrum = spectrum * pitches**2 / (pitches**2 + low_hz**2)
    if random.random() < field.echoing:
        at_s = np.arange(_LENGTH) / RATE_HZ
        tail = random.normal(0, 1, _LENGTH) * 10 ** (-3 * at_s / random.uniform(0.2, 3.0))
        tail *= random.uniform(0.1, 1.5) / np.sqrt(np.sum(tail**2))
        tail[0] += 1
        spectrum = spectrum * np.fft.rfft(tail, 2 * _LENGTH)
    return np.asarray(np.fft.irfft(spectrum)[:_LENGTH], np.float32)


def _gain(sound: Samples, background: Samples, signal_to_noise_db: float) -> float:
    """Tell by what to multiply a sound so that its loudest quarter second stands so far above the background.

    Both are measured in the bands of 100 Hz where the sound is, each weighted by the power of the sound there: a dull
    shot is not lost under a choir of insects two octaves above it.
    """
    quarter = RATE_HZ // 4
    energy = np.concatenate(([0.0], np.cumsum(sound.astype(np.float64) ** 2)))
    start = int((energy[quarter:] - energy[:-quarter]).argmax())
    power = _by_bands(sound[start : start + quarter])
    quarters = background[: background.size // quarter * quarter].reshape(-1, quarter)
    noise = np.mean([_by_bands(one) for one in quarters], axis=0)
    noise = np.maximum(noise, 0.01 * noise.mean())  # no forest is silent in any band
    heard, covered = float(np.sum(power * power)), float(np.sum(power * noise))
    if heard <= 0 or covered <= 0:
        return 1.0
    return float(np.sqrt(covered / heard) * 10 ** (signal_to_noise_db / 20))


def _by_bands(quarter: Samples) -> NDArray[np.float64]:
    """Power in bands of 100 Hz, of a quarter second: its spectrum has a line each 4 Hz."""
    lines = np.abs(np.fft.rfft(quarter))[:-1] ** 2
    return np.asarray(lines.reshape(-1, 25).sum(axis=1), np.float64)
