"""YAMNet's word on shots and saws: it drops what only one network believes, and one shot stays enough."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from captures.decoded import Sound
from captures.sound import read_stretches
from models.registry import WeightsError, WeightsMismatch, load_registry
from models.threat import MEANINGS, ThreatOptions, ThreatSounds
from models.threat.second_opinion import FUSION_RULES, SecondOpinion, amplify, fuse_confidences
from models.threat.yamnet import YamNet, patches
from tests.repository import REPOSITORY
from tests.shots import quiet, shot_of
from wildpost.settings.station import load_station
from wildpost.station.assembly import open_detector

LABELS = tuple(MEANINGS)
FILE = "yamnet_spectra_in.tflite"


@pytest.fixture(scope="module")
def weights(shared_data: Path) -> Path:
    return shared_data / "weights" / "yamnet"


@pytest.fixture(scope="module")
def both(weights: Path) -> ThreatSounds:
    return ThreatSounds(ThreatOptions(second_opinion=True), weights)


@pytest.fixture(scope="module")
def alone() -> ThreatSounds:
    return ThreatSounds()


@pytest.fixture
def shot(shared_data: Path) -> Sound:
    return shot_of(shared_data)


def labels(network: ThreatSounds, sound: Sound) -> set[str]:
    return {found.label for found in network.predict([network.preprocess(sound)])[0]}


def test_the_front_end_gives_what_google_corals_gives_for_its_own_sample(weights: Path) -> None:
    spoken = np.frombuffer((weights / "yamnet_test_audio.bin").read_bytes(), "<i2") / np.float32(32768)
    expected = np.frombuffer((weights / "yamnet_test_spectra.bin").read_bytes(), "<f4").reshape(96, 64)
    window = np.zeros(32_000, np.float32)
    window[: spoken.size] = spoken / np.abs(spoken).max()  # theirs is of the sample brought to full scale
    assert np.abs(patches(window)[0] - expected).mean() < 0.03
    scores = YamNet(weights / FILE).scores(window)
    assert scores.shape == (521,)
    assert scores.argmax() == 0, "speech is what YAMNet calls its first class"


@pytest.mark.parametrize("label", FUSION_RULES)
def test_each_network_moves_the_confidence_its_own_way(label: str) -> None:
    own = np.array([0.6, 0.9, 0.9, 0.9], np.float32)
    answers = np.array([0.5, 0.5, 0.0, 0.9], np.float32)
    unsure, sure, denied, agreed = fuse_confidences(own, answers, FUSION_RULES[label])
    assert denied < unsure < sure < agreed < 1
    assert denied < FUSION_RULES[label].threshold < agreed


def test_even_certainty_of_both_is_below_one() -> None:
    (most,) = fuse_confidences(np.ones(1, np.float32), np.ones(1, np.float32), FUSION_RULES["gunshot"])
    assert 0.999 < most <= 1


@pytest.mark.parametrize(("peak", "becomes"), [(0.01, 0.1), (0.5, 1.0), (1.5, 1.5), (0.0, 0.0)])
def test_a_window_is_made_louder_within_bounds(peak: float, becomes: float) -> None:
    window = np.array([0, -peak, peak / 2], np.float32)
    assert np.abs(amplify(window, 10)).max() == pytest.approx(becomes)


def test_yamnet_is_not_asked_where_it_could_not_help(weights: Path) -> None:
    own = np.full((3, 5), 0.04, np.float32)
    unhearable = np.zeros((3, 7), np.float32)  # too short to be heard: asking would fail
    joined = SecondOpinion(weights / FILE).fuse(own, unhearable, LABELS)
    assert (joined[:, :2] < 0.1).all()
    assert np.array_equal(joined[:, 2:], own[:, 2:]), "nobody is asked about engines, dogs and voices"


@pytest.mark.parametrize("at_s", [0.0, 9.0, 27.5])
def test_one_shot_in_half_a_minute_is_enough_for_both(both: ThreatSounds, shot: Sound, at_s: float) -> None:
    samples = quiet(32)
    start = round(at_s * 16_000)
    samples[start : start + shot.samples.size] += shot.samples
    bang_s = at_s + int(np.argmax(np.abs(shot.samples))) / 16_000
    found = both.predict([both.preprocess(Sound(samples, 16_000))])[0]
    (heard,) = (one for one in found if one.label == "gunshot")
    assert heard.span is not None
    assert heard.span.start_s <= bang_s <= heard.span.end_s
    assert heard.model == both.model.name == "threat-sounds+yamnet"


@pytest.mark.parametrize("gain", [0.02, 0.3])
def test_a_quiet_microphone_hears_the_same_with_both(both: ThreatSounds, shot: Sound, gain: float) -> None:
    assert "gunshot" in labels(both, Sound(shot.samples * np.float32(gain), 16_000))


def test_a_saw_of_which_one_is_unsure_is_heard_by_both(
    both: ThreatSounds, alone: ThreatSounds, shared_data: Path
) -> None:
    (saw,) = read_stretches(shared_data / "sound" / "esc10" / "chainsaw" / "1-19898-C.ogg")
    assert "chainsaw" not in labels(alone, saw)
    assert "chainsaw" in labels(both, saw)


@pytest.mark.parametrize("name", ["rain.ogg", "tawny_owl.flac", "XC563936_-_Soundscape.mp3", "dog.ogg"])
def test_rain_owls_birds_and_dogs_are_no_shots_to_both(both: ThreatSounds, shared_data: Path, name: str) -> None:
    for stretch in read_stretches(shared_data / "samples" / "recordings" / name):
        assert not labels(both, stretch) & {"gunshot", "chainsaw"}


def test_the_other_labels_are_as_without_it(both: ThreatSounds, alone: ThreatSounds, shared_data: Path) -> None:
    (dog,) = read_stretches(shared_data / "samples" / "recordings" / "dog.ogg")
    with_it, without = (network.confidences(network.preprocess(dog)) for network in (both, alone))
    assert np.array_equal(with_it[:, 2:], without[:, 2:])


def test_it_is_off_unless_asked_for_and_has_thresholds_of_its_own(both: ThreatSounds, alone: ThreatSounds) -> None:
    assert (alone.model.name, ThreatOptions().second_opinion) == ("threat-sounds", False)
    assert {label for label in LABELS if both.thresholds[label] != alone.thresholds[label]} == set(FUSION_RULES)


def test_a_threshold_of_ones_own_counts_with_both(weights: Path) -> None:
    chosen = ThreatOptions(second_opinion=True, thresholds={"gunshot": 0.86})
    assert ThreatSounds(chosen, weights).thresholds["gunshot"] == 0.86


def test_weights_that_are_missing_or_wrong_are_named_with_the_mend(tmp_path: Path) -> None:
    options = ThreatOptions(second_opinion=True)
    with pytest.raises(WeightsError, match="wildpost models pull yamnet"):
        ThreatSounds(options, tmp_path)
    (tmp_path / FILE).write_bytes(b"another network")
    with pytest.raises(WeightsMismatch, match="refused"):
        ThreatSounds(options, tmp_path)


def test_a_station_that_has_fetched_yamnet_can_switch_it_on(weights: Path, tmp_path: Path) -> None:
    written = tmp_path / "station.toml"
    written.write_text(
        '[station]\nname = "a"\ndeployment = "a"\n[broker]\nhost = "h"\n'
        '[[sensors]]\nname = "ear"\nsource = "folder"\nfolder = "in"\ndetectors = ["threat"]\n'
        "[threat]\nsecond_opinion = true\n",
        encoding="utf-8",
    )
    settings = load_station(written)
    (tmp_path / "models").mkdir()
    with pytest.raises(WeightsError, match="no weights"):
        open_detector("threat", settings, tmp_path, tmp_path)
    (tmp_path / "models" / FILE).write_bytes((weights / FILE).read_bytes())
    assert open_detector("threat", settings, tmp_path, tmp_path).model.name == "threat-sounds+yamnet"


def test_the_registry_says_what_may_be_done_with_yamnet() -> None:
    entry = load_registry()["yamnet"]
    assert (entry.kind, entry.licence, entry.filename) == ("yamnet", "Apache-2.0", FILE)
    assert entry.url is not None and "google-coral/coralmicro/c9f665b0" in entry.url


def test_the_card_says_the_thresholds_of_both() -> None:
    card = (REPOSITORY / "models" / "weights" / "threat-sounds.md").read_text(encoding="utf-8")
    for label, question in FUSION_RULES.items():
        assert f"| {label} at {question.threshold:g}, with the second opinion |" in card
    assert msgspec.structs.fields(ThreatOptions)[-1].default is False
