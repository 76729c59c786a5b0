"""Mixing what a station hears: the labels are what was mixed in, and it stands as far above the rest as was asked."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.train.threat.fit import balanced_sample, make_mixtures
from models.train.threat.mixing import LABELS, UNKNOWN, MixingOptions, TrainingClip, mix_window
from models.train.threat.synthetic import synthetic_knocks, synthetic_noises

RATE_HZ = 16_000


def clip(label: str | None, hertz: float, seconds: float = 5.0) -> TrainingClip:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    sound = (0.3 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)
    return TrainingClip(sound, label, f"{label}-{hertz}", "made", background=label is None and hertz < 200)


BACKGROUND = [clip(None, 150.0, 8.0)]
EVENTS = [[clip(label, 500.0 * (at + 1))] for at, label in enumerate(LABELS)]
NEAR = MixingOptions(distant=0, echo=0, second_sound=0, background_only=0, low_pass=0)


def power_at(samples: NDArray[np.float32], hertz: float) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size))) ** 2
    at = round(hertz * samples.size / RATE_HZ)
    return float(spectrum[at - 3 : at + 4].sum())


def hiss(seed: int) -> TrainingClip:
    noise = np.random.default_rng(seed).normal(0, 0.03, 5 * RATE_HZ).astype(np.float32)
    return TrainingClip(noise, None, "hiss", "made", background=True)


def band(samples: NDArray[np.float32], hertz: float) -> float:
    """Power within 50 Hz of a pitch."""
    pitches = np.fft.rfftfreq(samples.size, 1 / RATE_HZ)
    return float((np.abs(np.fft.rfft(samples)) ** 2)[np.abs(pitches - hertz) < 50].sum())


@pytest.mark.parametrize("label", range(len(LABELS)))
def test_what_is_mixed_in_is_what_the_label_says(label: int) -> None:
    samples, present = mix_window([EVENTS[label]], BACKGROUND, np.random.default_rng(label), NEAR)
    assert present.tolist() == [float(at == label) for at in range(len(LABELS))]
    assert power_at(samples, 500.0 * (label + 1)) > 100 * power_at(samples, 500.0 * (label + 1) + 220)


def test_a_lookalike_is_mixed_in_without_a_label() -> None:
    samples, present = mix_window([[clip(None, 3000.0)]], BACKGROUND, np.random.default_rng(0), NEAR)
    assert not present.any()
    assert power_at(samples, 3000.0) > 100 * power_at(samples, 3220.0)


@pytest.mark.parametrize("wanted_db", [-5.0, 0.0, 20.0])
def test_a_sound_stands_as_far_above_its_background_as_was_asked(wanted_db: float) -> None:
    field = MixingOptions(
        signal_to_noise_db=(wanted_db, wanted_db), distant=0, echo=0, second_sound=0, background_only=0, low_pass=0
    )
    samples, _ = mix_window([EVENTS[3]], [hiss(2)], np.random.default_rng(2), field)
    measured_db = 10 * np.log10(band(samples, 2000.0) / band(samples, 2500.0))
    assert abs(measured_db - 10 * np.log10(1 + 10 ** (wanted_db / 10))) < 1.5


def test_insects_far_above_a_dull_sound_do_not_make_it_louder() -> None:
    field = MixingOptions(signal_to_noise_db=(10, 10), distant=0, echo=0, second_sound=0, background_only=0, low_pass=0)
    insects = hiss(3)
    louder = TrainingClip(
        insects.samples + clip(None, 6000.0).samples[: insects.samples.size], None, "b", "made", (), True
    )
    loudness = []
    for background in (insects, louder):
        samples, _ = mix_window([EVENTS[0]], [background], np.random.default_rng(1), field)
        loudness.append(band(samples, 500.0) / band(samples, 1000.0))
    assert loudness[1] == pytest.approx(loudness[0], rel=0.1)


def test_from_afar_high_pitches_are_lost() -> None:
    far = MixingOptions(distant=1, echo=0, second_sound=0, background_only=0, low_pass=0, signal_to_noise_db=(10, 10))
    both = TrainingClip(clip(None, 400.0).samples + clip(None, 6000.0).samples, "dog", "both", "made")
    ratios = []
    for seed in range(20):
        samples, _ = mix_window([[both]], BACKGROUND, np.random.default_rng(seed), far)
        ratios.append(power_at(samples, 6000.0) / power_at(samples, 400.0))
    assert np.median(ratios) < 0.5


def test_no_mixture_is_cut_off_at_full_scale() -> None:
    for seed in range(50):
        samples, _ = mix_window(EVENTS, BACKGROUND, np.random.default_rng(seed), MixingOptions())
        assert samples.dtype == np.float32
        assert 0 < np.abs(samples).max() < 1


def test_the_same_seed_makes_the_same_mixtures() -> None:
    clips = [one for kind in EVENTS for one in kind] + BACKGROUND
    first, second = (make_mixtures(clips, 64, seed=5) for _ in range(2))
    assert np.array_equal(first.spectrograms, second.spectrograms)
    assert np.array_equal(first.labels, second.labels)


def test_a_label_without_clips_is_named() -> None:
    with pytest.raises(ValueError, match="chainsaw"):
        make_mixtures([EVENTS[0][0], *BACKGROUND], 64, seed=0)


def test_what_nobody_knows_is_not_learnt_from_unless_it_is_certainly_there() -> None:
    jackhammer = TrainingClip(clip(None, 900.0).samples, None, "works", "made", unsure=("engine", "voice"))
    _, present = mix_window([[jackhammer]], BACKGROUND, np.random.default_rng(0), NEAR)
    assert present.tolist() == [0, 0, UNKNOWN, 0, UNKNOWN]
    talking = TrainingClip(clip(None, 150.0, 8.0).samples, None, "street", "made", unsure=("voice",), background=True)
    _, present = mix_window([EVENTS[LABELS.index("voice")]], [talking], np.random.default_rng(0), NEAR)
    assert present[LABELS.index("voice")] == 1


def test_the_bang_of_a_shot_is_in_its_window() -> None:
    samples = np.zeros(4 * RATE_HZ, np.float32)
    samples[50_000:50_100] = 0.9
    shot = TrainingClip(samples, "gunshot", "shot", "made")
    field = MixingOptions(signal_to_noise_db=(30, 30), distant=0, echo=0, second_sound=0, background_only=0, low_pass=0)
    for seed in range(30):
        window, _ = mix_window([[shot]], BACKGROUND, np.random.default_rng(seed), field)
        assert np.abs(window).max() > 20 * np.median(np.abs(window))


def test_a_recording_with_many_takes_does_not_outweigh_the_others() -> None:
    clips = [TrainingClip(np.ones(4, np.float32), "dog", f"yard-{at}", "made") for at in range(4)]
    clips += [TrainingClip(np.ones(4, np.float32), "dog", "kennel", "made")] * 100
    drawn = balanced_sample(clips, np.random.default_rng(3))
    share = np.mean([one.group == "kennel" for one in drawn])
    assert share == pytest.approx(10 / 14, abs=0.05), "the root of 100 against 4, not 100 against 4"


def test_made_noise_is_no_threat_and_never_the_same() -> None:
    clips = [*synthetic_noises(12, seed=1), *synthetic_knocks(12, seed=1)]
    assert all(one.label is None and np.isfinite(one.samples).all() for one in clips)
    assert [one.background for one in clips] == [True] * 12 + [False] * 12
    assert len({one.samples.tobytes() for one in clips}) == len(clips)
    assert np.array_equal(synthetic_noises(1, seed=7)[0].samples, synthetic_noises(1, seed=7)[0].samples)
