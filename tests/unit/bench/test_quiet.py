"""False alarms in quiet recordings are counted on places that no threshold was chosen by."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bench.quiet import Quiet, at_alarm_rate, evaluate, recall_of, score_recordings, split_collections
from bench.threat import ScoredClip
from models.evaluate.sound import LabelScores, Recording
from models.train.threat.mixing import TrainingClip

SECONDS = np.zeros(16_000 * 12, np.float32)


def quiet(collection: str, *confidences: float, hours: float = 1.0) -> Quiet:
    scores = np.zeros((len(confidences), 5), np.float32)
    scores[:, 0] = confidences
    return Quiet(collection, {"ours": LabelScores(Recording(Path(collection), frozenset()), scores, hours * 3600)})


def shot(source: str, confidence: float) -> ScoredClip:
    scores = np.zeros((3, 5), np.float32)
    scores[1, 0] = confidence
    return ScoredClip(TrainingClip(SECONDS, "gunshot", source, source), source, {"ours": scores})


def half_loud(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.full((len(windows), 5), 0.5, np.float32)


def test_halves_share_no_collection_and_are_about_as_long() -> None:
    some = [quiet("a", 0, hours=5), quiet("b", 0, hours=3), quiet("b", 0, hours=1), quiet("c", 0, hours=2)]
    first, second = split_collections(some)
    assert {one.collection for one in first} == {"a"}
    assert {one.collection for one in second} == {"b", "c"}
    assert [sum(one.hours for one in half) for half in (first, second)] == [5, 6]


def test_the_threshold_allows_as_many_alarms_as_were_asked_for_and_no_more() -> None:
    hours = [quiet("a", 0.9, 0.9, 0.1, 0.8, hours=12), quiet("b", 0.7, 0.2, hours=12)]
    shots = [shot("urbansound8k", 0.75), shot("gabon", 0.95), shot("belize", 0.3), shot("gabon", 0.85)]
    found = at_alarm_rate(hours, shots, "ours", "gunshot", 2)
    assert (found["alarms"], found["hours"], found["a_day"]) == (2, 24, 2), "windows in a row are one alarm"
    assert 0.7 < (found["threshold"] or 0) <= 0.8
    assert found["recall"] == 0.75
    assert found["recall_forests"] == pytest.approx(0.667)
    assert found["at_most"] == pytest.approx(6.3, abs=0.01), "Garwood's bound for two"
    assert at_alarm_rate(hours, shots, "ours", "gunshot", 1)["recall"] == 0.5


def test_what_is_heard_is_counted_for_the_sources_asked_for() -> None:
    shots = [shot("urbansound8k", 0.75), shot("gabon", 0.95)]
    assert recall_of(shots, "ours", "gunshot", 0.9) == 0.5
    assert recall_of(shots, "ours", "gunshot", 0.9, ("gabon",)) == 1
    assert recall_of(shots, "ours", "chainsaw", 0.9) is None


def test_a_threshold_from_elsewhere_is_only_counted() -> None:
    assert evaluate([quiet("a", 0.9, 0.1, 0.9)], [shot("gabon", 1)], "ours", "gunshot", 0.5)["alarms"] == 2


def test_short_and_broken_recordings_are_left_out_and_the_broken_named(tmp_path: Path) -> None:
    for name, samples in {"whole": SECONDS, "call": SECONDS[: 16_000 * 3]}.items():
        (tmp_path / "meadow" / name).mkdir(parents=True)
        soundfile.write(tmp_path / "meadow" / name / "a.wav", samples, 16_000)
    (tmp_path / "meadow" / "broken.wav").write_bytes(b"RIFF")
    told: list[str] = []
    (one,) = score_recordings(tmp_path, {"ours": half_loud}, told.append)
    assert (one.collection, one.scores_by_network["ours"].recording.path.parent.name) == ("meadow", "whole")
    assert one.scores_by_network["ours"].confidences.shape == (11, 5)
    assert one.hours * 3600 == pytest.approx(12)
    assert len(told) == 1
    assert told[0].startswith("broken.wav")
