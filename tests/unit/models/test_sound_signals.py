"""Each signal of a sound is heard, and what several of them hear at one time is one finding."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from captures.channels import mix_channels
from captures.decoded import Sound
from captures.sound import read_stretches
from contract import Clock, Detection, Model, Span
from edge.capture.clip import Clip
from edge.capture.triggers import SilenceTrigger
from edge.detect import examine
from models.birdnet import BirdNet, BirdNetOptions
from models.birdnet.windows import WINDOW, windows_of, windows_of_signals
from models.sound_signals import detect_signals, merge_signals


class Loudness:
    """Finds a sound whose confidence is its peak."""

    model = Model(name="loudness", version="1", sha256="1" * 64)

    def preprocess(self, item: Sound) -> Sound:
        return item

    def predict(self, batch: Sequence[Sound]) -> list[list[Detection]]:
        return [[found("loud", float(sound.samples.max()))] for sound in batch]


def found(label: str, confidence: float, start_s: float = 0, end_s: float = 3) -> Detection:
    span = Span(start_s=start_s, end_s=end_s)
    return Detection(ordinal=0, label=label, observation_type="animal", confidence=confidence, model="m", span=span)


def flat(value: float, seconds: float = 3.0) -> np.ndarray:
    return np.full(round(seconds * 48_000), value, np.float32)


def test_the_clip_is_of_the_signal_in_which_most_was_heard() -> None:
    sound = Sound(flat(0.1), 48_000, more=(flat(0.9), flat(0.5)))
    detections, best = detect_signals([Loudness()], sound)
    assert [one.confidence for one in detections] == pytest.approx([0.9])
    assert best.samples[0] == pytest.approx(0.9)
    clip = Clip(sound, datetime(2026, 5, 1, tzinfo=UTC), Clock(source="rtc", synchronised=False), "a.wav")
    _, heard = examine([Loudness()], clip)
    assert isinstance(heard.content, Sound)
    assert (heard.content.samples[0], heard.content.more) == (best.samples[0], ())


def test_one_call_in_two_signals_counts_once_and_different_calls_each() -> None:
    one = [found("owl", 0.6), found("owl", 0.9, 30, 33)]
    other = [found("owl", 0.8), found("fox", 0.7), found("owl", 0.5, 60, 63)]
    merged = merge_signals([one, other])
    assert [(item.ordinal, item.label, item.confidence) for item in merged] == [
        (0, "owl", 0.9),
        (1, "owl", 0.8),
        (2, "fox", 0.7),
        (3, "owl", 0.5),
    ]


def test_a_sound_is_not_silent_if_one_signal_is_not() -> None:
    def clip(sound: Sound) -> Clip:
        return Clip(sound, datetime(2026, 5, 1, tzinfo=UTC), Clock(source="rtc", synchronised=False), "a.wav")

    assert SilenceTrigger()(clip(Sound(flat(0), 48_000, more=(flat(0.1),))))
    assert not SilenceTrigger()(clip(Sound(flat(0), 48_000, more=(flat(0),))))


def test_windows_of_a_further_signal_stand_beside_those_of_the_first() -> None:
    chance = np.random.default_rng(2)
    first, second = chance.random((2, 5 * WINDOW), dtype=np.float32)

    def stretches() -> Iterator[Sound]:
        """The second signal differs from the middle on."""
        half = 2 * WINDOW + WINDOW // 2
        yield Sound(first[:half], 48_000)
        yield Sound(first[half:], 48_000, more=(second[half:],))

    windows = list(windows_of_signals(stretches()))
    assert [start_s for start_s, _ in windows] == [0, 3, 6, 6, 9, 9, 12, 12]
    alone = [samples for _, samples in windows_of([Sound(first, 48_000)])]
    heard = [samples for at, (_, samples) in enumerate(windows) if at in (0, 1, 2, 4, 6)]
    assert all(np.array_equal(one, other) for one, other in zip(alone, heard, strict=True))
    assert np.array_equal(windows[-1][1], second[-WINDOW:])


@pytest.mark.parametrize("fault", ["inverted", "noisy", "dead", "clipped"])
def test_an_owl_on_one_channel_is_found_whatever_is_wrong_with_the_other(fault: str, shared_data: Path) -> None:
    birdnet = BirdNet(BirdNetOptions(runtime="litert"))
    path = shared_data / "samples" / "recordings" / "tawny_owl.flac"
    alone = [sorted(one.label for one in window) for window in birdnet.detect_stream(read_stretches(path))]
    assert ["Tawny Owl"] in alone

    def stretches() -> Iterator[Sound]:
        for stretch in read_stretches(path):
            owl = stretch.samples
            noise = np.random.default_rng(1).normal(0, 0.2, owl.size).astype(np.float32)
            other = {"inverted": -owl, "noisy": noise, "dead": 0 * owl, "clipped": np.sign(noise)}[fault]
            mix = mix_channels(np.stack((other, owl), axis=1))
            assert fault in {one.kind for one in mix.faults}
            yield Sound(mix.signals[0], stretch.rate_hz, more=mix.signals[1:])

    heard = [{one.label for one in window} for window in birdnet.detect_stream(stretches())]
    assert len(heard) == len(alone), "one list for each window"
    assert all(set(one) <= other for one, other in zip(alone, heard, strict=True))
