from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from captures.decoded import Sound
from models.birdnet.windows import RATE_HZ, SHORTEST, WINDOW, Windower, windows_of


def cut(total: int, pieces: list[int], overlap_s: float) -> list[tuple[float, np.ndarray]]:
    samples = np.arange(1, total + 1, dtype=np.float32)
    bounds = [0, *sorted(min(piece, total) for piece in pieces), total]
    stretches = [Sound(samples[a:b], RATE_HZ) for a, b in pairwise(bounds)]
    return list(windows_of(stretches, overlap_s))


@given(
    st.integers(1, 5 * WINDOW),
    st.lists(st.integers(0, 5 * WINDOW), max_size=6),
    st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0]),
)
def test_windows_do_not_depend_on_how_the_sound_arrives(total: int, pieces: list[int], overlap_s: float) -> None:
    whole, parts = cut(total, [], overlap_s), cut(total, pieces, overlap_s)
    assert [start_s for start_s, _ in whole] == [start_s for start_s, _ in parts]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(whole, parts, strict=True))


@given(st.integers(1, 5 * WINDOW), st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0]))
def test_windows_follow_each_other_and_leave_out_less_than_half_of_one(total: int, overlap_s: float) -> None:
    step = WINDOW - round(overlap_s * RATE_HZ)
    windows = cut(total, [], overlap_s)
    assert [round(start_s * RATE_HZ) for start_s, _ in windows] == [step * at for at in range(len(windows))]
    for start_s, samples in windows:
        first = round(start_s * RATE_HZ) + 1
        held = samples[samples > 0]
        assert np.array_equal(held, np.arange(first, first + held.size))
        assert not samples[held.size :].any()
    heard = step * (len(windows) - 1) + WINDOW
    assert total - heard < SHORTEST


def test_even_a_short_sound_is_heard() -> None:
    assert len(cut(100, [], 0.0)) == 1


@pytest.mark.parametrize("overlap_s", [-0.1, 3.0, 4.0])
def test_an_overlap_that_never_ends_is_refused(overlap_s: float) -> None:
    with pytest.raises(ValueError, match="overlap"):
        Windower(overlap_s)


def test_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="44100 Hz: expected 48000"):
        list(windows_of([Sound(np.zeros(10, np.float32), 44_100)]))
