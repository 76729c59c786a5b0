"""The shipped threat network on real recordings: one shot is enough, wherever it is, and quiet stays quiet."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from captures.decoded import Sound, Unreadable
from captures.sound import read_stretches, resample
from models.registry import WeightsError, load_registry
from models.threat import MEANINGS, THRESHOLDS, ThreatOptions, ThreatSounds
from tests.repository import REPOSITORY
from tests.shots import quiet, shot_of
from wildpost.settings.station import load_station
from wildpost.station.assembly import open_detector


@pytest.fixture(scope="module")
def network() -> ThreatSounds:
    return ThreatSounds()


@pytest.fixture
def shot(shared_data: Path) -> Sound:
    return shot_of(shared_data)


def labels(network: ThreatSounds, sound: Sound) -> set[str]:
    return {found.label for found in network.predict([network.preprocess(sound)])[0]}


@pytest.mark.parametrize("at_s", [0.0, 9.0, 27.5])
def test_one_shot_in_half_a_minute_is_heard_and_told_when(network: ThreatSounds, shot: Sound, at_s: float) -> None:
    samples = quiet(32)
    start = round(at_s * 16_000)
    samples[start : start + shot.samples.size] += shot.samples
    bang_s = at_s + int(np.argmax(np.abs(shot.samples))) / 16_000
    found = network.predict([network.preprocess(Sound(samples, 16_000))])[0]
    shots = [one for one in found if one.label == "gunshot"]
    assert len(shots) == 1, "one shot, no repeat asked for, and not one for each window"
    assert shots[0].span is not None
    assert shots[0].span.start_s <= bang_s <= shots[0].span.end_s
    assert shots[0].observation_type == "human"


def test_two_shots_far_apart_are_two(network: ThreatSounds, shot: Sound) -> None:
    samples = quiet(40)
    for at_s in (3, 25):
        samples[at_s * 16_000 : at_s * 16_000 + shot.samples.size] += shot.samples
    found = network.predict([network.preprocess(Sound(samples, 16_000))])[0]
    assert [one.label for one in found].count("gunshot") == 2
    assert [one.ordinal for one in found] == list(range(len(found)))


@pytest.mark.parametrize("rate_hz", [22_050, 48_000])
def test_the_rate_of_the_recording_makes_no_difference(network: ThreatSounds, shot: Sound, rate_hz: int) -> None:
    assert "gunshot" in labels(network, resample(shot, rate_hz))


@pytest.mark.parametrize("gain", [0.02, 0.3])
def test_a_quiet_microphone_hears_the_same(network: ThreatSounds, shot: Sound, gain: float) -> None:
    assert "gunshot" in labels(network, Sound(shot.samples * np.float32(gain), 16_000))


@pytest.mark.parametrize("name", ["rain.ogg", "tawny_owl.flac", "XC563936_-_Soundscape.mp3", "dog.ogg"])
def test_rain_owls_birds_and_dogs_are_no_shots(network: ThreatSounds, shared_data: Path, name: str) -> None:
    for stretch in read_stretches(shared_data / "samples" / "recordings" / name):
        assert not labels(network, stretch) & {"gunshot", "chainsaw"}


def test_hiss_and_silence_hold_nothing(network: ThreatSounds) -> None:
    assert network.predict([network.preprocess(Sound(quiet(10), 16_000))]) == [[]]
    assert network.predict([network.preprocess(Sound(np.zeros(160_000, np.float32), 16_000))]) == [[]]


def test_each_sound_of_a_batch_has_its_own_answer(network: ThreatSounds, shot: Sound) -> None:
    batch = [network.preprocess(one) for one in (Sound(quiet(3), 16_000), shot)]
    alone = [network.predict([one])[0] for one in batch]
    assert network.predict(batch) == alone
    assert [bool(found) for found in alone] == [False, True]


def test_what_is_not_wished_for_is_not_reported(shot: Sound) -> None:
    assert labels(ThreatSounds(ThreatOptions(labels=("dog", "voice"))), shot).isdisjoint({"gunshot"})


def test_a_threshold_of_ones_own_counts(shot: Sound) -> None:
    everything = ThreatSounds(ThreatOptions(thresholds=dict.fromkeys(MEANINGS, 0.0)))
    assert labels(everything, shot) == set(MEANINGS)


@pytest.mark.parametrize("options", [{"labels": ("cannon",)}, {"thresholds": {"cannon": 0.5}}])
def test_a_label_that_it_does_not_know_is_named(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"cannon.*gunshot"):
        ThreatOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("samples", "said"), [([], "without samples"), ([0.0, np.nan], "NaN or infinite")])
def test_what_is_no_sound_is_refused(network: ThreatSounds, samples: list[float], said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        network.preprocess(Sound(np.array(samples, np.float32), 16_000))


def test_the_weights_in_use_are_those_that_the_registry_pins(network: ThreatSounds) -> None:
    entry = load_registry()["threat-sounds"]
    assert (network.model.name, network.model.sha256) == ("threat-sounds", entry.sha256)
    assert entry.size < 2_000_000


def test_the_card_says_the_thresholds_in_use() -> None:
    card = (REPOSITORY / "models" / "weights" / "threat-sounds.md").read_text(encoding="utf-8")
    for label, threshold in THRESHOLDS.items():
        assert f"| {label} | {threshold:g} |" in card


def registry_of_our_own(folder: Path, weights: str = "threat-sounds", kind: str = "threat", label: str = "dog") -> Path:
    """Describe a copy of weights that come with Wildpost under the name "ours"."""
    entry = load_registry()[weights]
    shutil.copyfile(entry.folder / str(entry.file), folder / "ours.onnx")
    path = folder / "ours.toml"
    path.write_text(
        f'[models.ours]\nkind = "{kind}"\nversion = "7"\nlicence = "ours"\nhomepage = ""\nfilename = "ours.onnx"\n'
        f'file = "ours.onnx"\nsha256 = "{entry.sha256}"\nsize = {entry.size}\n[models.ours.threat.thresholds]\n'
        f"{label} = 0.25\n"
    )
    return path


def test_a_station_listens_with_a_network_of_its_own_and_its_thresholds(tmp_path: Path) -> None:
    registry_of_our_own(tmp_path)
    written = tmp_path / "station.toml"
    written.write_text(
        '[station]\nname = "a"\ndeployment = "a"\n[broker]\nhost = "h"\n'
        '[[sensors]]\nname = "ear"\nsource = "folder"\nfolder = "in"\ndetectors = ["threat"]\n'
        '[threat]\nmodel = "ours"\nregistry = "ours.toml"\nthresholds = { engine = 0.4 }\n'
    )
    detector = open_detector("threat", load_station(written), tmp_path, tmp_path)
    assert isinstance(detector, ThreatSounds)
    assert (detector.model.name, detector.model.version) == ("ours", "7")
    assert detector.thresholds == {**THRESHOLDS, "dog": 0.25, "engine": 0.4}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"label": "cannon"}, "cannon"),
        ({"weights": "wildpost-nano"}, "expected input"),
        ({"kind": "yamnet"}, "expected a table 'threat' only for kind 'threat'"),
    ],
)
def test_weights_that_are_no_network_for_these_labels_are_refused(
    told: dict[str, str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=said):
        ThreatSounds(model="ours", registry=load_registry(registry_of_our_own(tmp_path, **told)))
    with pytest.raises(WeightsError, match="expected a threat model"):
        ThreatSounds(model="wildpost-nano")
