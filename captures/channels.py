"""Selection of the signals of a recording of several channels for the detectors, and faults of single channels.

The mean of all channels is silence if a miswired cable inverts one of two, and noise if one microphone is broken.
Channels that agree are averaged; those that differ are heard separately.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

MOST_HEARD = 8  # channels of one recording: 92 MB for a minute of them at 48 kHz
FaultKind = Literal["dead", "inverted", "clipped", "noisy"]

_SILENT_DB = -100.0  # below the smallest step of 16 bits: nothing to hear
_DEAD_DB, _DEAD_BELOW_DB = -70.0, 30.0  # quieter than any microphone's own noise at a usual gain, and than the others
_SAME, _RELATED = 0.9, 0.3  # correlation of two channels with one signal, and of two microphones in one place
_FULL_SCALE = 0.999
_CLIPPED_SHARE = 0.01  # a shot or a gust clips less of a minute
_NOISE_BELOW_DB = 15.0  # quietest tenths of a second of the other channel
_NOISE_FLATNESS, _SOUND_FLATNESS = 0.5, 0.2  # white noise has 1, a forest 0.01 to 0.2
_NOISE_DB = -50.0  # quieter noise than this covers nothing
_FLATNESS_WINDOW = 1_024


@dataclass(frozen=True, slots=True)
class ChannelFault:
    """A fault of one channel of several.

    Attributes:
        channel: Number of the channel, from 1.
        kind: What is wrong with it.
        detail: What was measured.
    """

    channel: int
    kind: FaultKind
    detail: str

    def __str__(self) -> str:
        return f"channel {self.channel} is {self.kind} ({self.detail})"


@dataclass(frozen=True, slots=True)
class ChannelMix:
    """Signals of a stretch of sound.

    Attributes:
        signals: (n,) float32 each; the first is that of the first channel without a fault.
        faults: Faults of single channels.
    """

    signals: tuple[NDArray[np.float32], ...]
    faults: tuple[ChannelFault, ...]


@dataclass(frozen=True, slots=True)
class _Channel:
    number: int
    samples: NDArray[np.float32]
    centred: NDArray[np.float32]  # without direct current
    level_db: float
    clipped: float


def mix_channels(samples: NDArray[np.float32]) -> ChannelMix:
    """Choose the signals of a stretch of sound and find the faults of its channels.

    Args:
        samples: (n, channels); of more than eight channels the first eight are heard.
    """
    if samples.shape[1] == 1:
        return ChannelMix((np.ascontiguousarray(samples[:, 0]),), ())
    channels = [_measured(number, samples[:, number]) for number in range(min(samples.shape[1], MOST_HEARD))]
    heard = [channel for channel in channels if channel.level_db > _SILENT_DB]
    if not heard:
        return ChannelMix((samples.mean(axis=1, dtype=np.float32),), ())
    faults = [*_dead(channels), *_clipped(channels), *_noisy(heard)]
    groups: list[list[_Channel]] = []
    signs: dict[int, float] = {}
    for channel in heard:
        likeness = [(group, _correlation(group[0], channel)) for group in groups]
        group, like = max(likeness, key=lambda one: abs(one[1]), default=([], 0.0))
        signs[channel.number] = -1.0 if like < 0 else 1.0
        if abs(like) < _SAME:
            groups.append([channel])
            signs[channel.number] = 1.0
            continue
        group.append(channel)
        if like < 0:
            faults.append(ChannelFault(channel.number + 1, "inverted", f"correlation {like:.2f}"))
    faulty = {fault.channel for fault in faults if fault.kind != "inverted"}
    groups.sort(key=lambda group: all(channel.number + 1 in faulty for channel in group))
    faults.sort(key=lambda fault: fault.channel)
    return ChannelMix(tuple(_mean(group, signs) for group in groups), tuple(faults))


def _measured(number: int, column: NDArray[np.float32]) -> _Channel:
    samples = np.ascontiguousarray(column)
    clipped = float(np.count_nonzero(np.abs(samples) >= _FULL_SCALE)) / max(1, samples.size)
    centred = samples - samples.mean(dtype=np.float64).astype(np.float32)
    return _Channel(number, samples, centred, _level_db(centred), clipped)


def _level_db(samples: NDArray[np.float32]) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples), dtype=np.float64) + 1e-30)) if samples.size else -300.0


def _correlation(one: _Channel, other: _Channel) -> float:
    power = float(np.dot(one.centred, one.centred)) * float(np.dot(other.centred, other.centred))
    return float(np.dot(one.centred, other.centred)) / float(np.sqrt(power)) if power > 0 else 0.0


def _mean(group: list[_Channel], signs: dict[int, float]) -> NDArray[np.float32]:
    """Return the mean of channels with one signal; clipped ones are left out if there are others."""
    whole = [channel for channel in group if channel.clipped < _CLIPPED_SHARE] or group
    first = signs[whole[0].number]
    total = np.zeros_like(whole[0].samples)
    for channel in whole:
        total += channel.samples * np.float32(first * signs[channel.number] / len(whole))
    return total


def _dead(channels: list[_Channel]) -> list[ChannelFault]:
    loudest = max(channel.level_db for channel in channels)
    limit = min(_DEAD_DB, loudest - _DEAD_BELOW_DB)
    return [
        ChannelFault(one.number + 1, "dead", f"{max(one.level_db, -120):.0f} dBFS, another {loudest:.0f}")
        for one in channels
        if one.level_db < limit
    ]


def _clipped(channels: list[_Channel]) -> list[ChannelFault]:
    if min(channel.clipped for channel in channels) >= _CLIPPED_SHARE:
        return []  # all of them: the gain is too high, which the station's check reports
    return [
        ChannelFault(one.number + 1, "clipped", f"{100 * one.clipped:.0f} % of the samples at full scale")
        for one in channels
        if one.clipped >= _CLIPPED_SHARE
    ]


def _noisy(channels: list[_Channel]) -> list[ChannelFault]:
    """Find channels with noise of their own: unlike all others, and louder in pauses or much whiter than they are."""
    found = []
    for one in channels:
        others = [other for other in channels if other is not one and other.level_db > _DEAD_DB]
        if not others or one.level_db < _NOISE_DB or one.clipped >= _CLIPPED_SHARE:
            continue
        if any(abs(_correlation(one, other)) >= _RELATED for other in others):
            continue
        above_db = _floor_db(one) - min(_floor_db(other) for other in others)
        flatness, least = _flatness(one), min(_flatness(other) for other in others)
        if flatness >= _NOISE_FLATNESS and (least < _SOUND_FLATNESS or above_db >= _NOISE_BELOW_DB):
            found.append(ChannelFault(one.number + 1, "noisy", f"{one.level_db:.0f} dBFS of noise"))
    return found


def _floor_db(channel: _Channel) -> float:
    """Return the level of the quietest tenth of a channel."""
    size = max(1, channel.centred.size // 200)
    count = channel.centred.size // size
    powers = np.square(channel.centred[: count * size].reshape(count, size)).mean(axis=1, dtype=np.float64)
    return 10 * float(np.log10(np.quantile(powers, 0.1) + 1e-30))


def _flatness(channel: _Channel) -> float:
    """Return the ratio of the geometric to the arithmetic mean of the power spectrum, from 0 (tone) to 1 (white noise).

    Source: Johnston, Transform coding of audio signals using perceptual noise criteria, IEEE JSAC 6 (1988).
    """
    count = channel.centred.size // _FLATNESS_WINDOW
    if not count:
        return 0.0
    frames = channel.centred[: count * _FLATNESS_WINDOW].reshape(count, _FLATNESS_WINDOW)
    frames = frames[:: max(1, count // 200)] * np.hanning(_FLATNESS_WINDOW).astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(frames, axis=1))).mean(axis=0)[4 : _FLATNESS_WINDOW * 3 // 8] + 1e-20
    return float(np.exp(np.log(power).mean()) / power.mean())
