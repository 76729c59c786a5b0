"""`wildpost models train` makes a network for threat sounds out of real clips, which a station opens by its name."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from models.evaluate.sound import Recording, score_recordings
from models.registry import load_registry
from models.threat import MEANINGS, THRESHOLDS, ThreatSounds
from tests.training.conftest import command, epochs, finish
from wildpost.cli.main import main

TABLE = """
[sources.city]
folder = "city"
licence = "CC BY-NC 3.0"
name = '(?P<class>[a-z_]+)/(?P<fold>train|val|test)-(?P<recording>[^.]+)'
val = ["val"]
test = ["test"]
[sources.city.classes]
gun_shot = "gunshot"
chainsaw = "chainsaw ?engine"
engine_idling = "engine ?voice"
dog_bark = "dog ?voice"
children_playing = "voice ?dog"
rain = "other background"
"""


@pytest.fixture(scope="module")
def sounds(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three real clips of each class in each split."""
    folder = tmp_path_factory.mktemp("sounds")
    city, esc10 = shared_data / "sound" / "urbansound8k", shared_data / "sound" / "esc10"
    classes = [city / name for name in ("gun_shot", "engine_idling", "dog_bark", "children_playing")]
    for place in (*classes, esc10 / "chainsaw", esc10 / "rain"):
        clips = sorted(place.iterdir())[:9]
        for at, clip in enumerate(clips):
            target = folder / "city" / place.name / f"{('train', 'val', 'test')[at // 3]}-{clip.name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(clip, target)
    (folder / "sounds.toml").write_text(TABLE)
    return folder / "sounds.toml"


@pytest.fixture(scope="module")
def trained(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run of two epochs that was killed after its first and resumed, and what the command printed then."""
    folder = tmp_path_factory.mktemp("run") / "ours"
    with command("train", sounds, "--out", folder, "--epochs", "2", "--mixtures", "64") as killed:
        for number in epochs(killed):
            if number == 1:
                killed.send_signal(signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    return folder, finish(command("train", sounds, "--out", folder, "--resume"))


def test_the_command_prints_clips_epochs_temperatures_and_what_is_heard_in_held_out_clips(
    trained: tuple[Path, str],
) -> None:
    lines = [line.split() for line in trained[1].splitlines()]
    for label in MEANINGS:
        assert [label, "3", "3", "3"] in lines, "clips in train, val and test"
        assert any(line[:3] == [label, f"{THRESHOLDS[label]:.2f}", "3"] for line in lines), "figures on the split test"
    assert "54 clips" in trained[1]
    assert "epoch 2 of 2: loss" in trained[1] and "epoch 1 of 2" not in trained[1]
    assert "temperatures, fitted on mixtures of the val split: gunshot" in trained[1]
    metrics = json.loads((trained[0] / "metrics.json").read_text())
    assert set(metrics["temperatures"]) == set(metrics["test"]) == set(MEANINGS)


def test_the_exported_network_is_opened_by_its_name(
    trained: tuple[Path, str], sounds: Path, tmp_path: Path, wildpost_models: Callable[..., str]
) -> None:
    said = wildpost_models("export", trained[0], "--name", "ours", "--licence", "ours", "--out", tmp_path)
    assert "licences of the clips: CC BY-NC 3.0" in said
    registry = load_registry(tmp_path / "ours.toml")
    detector = ThreatSounds(model="ours", registry=registry)
    assert detector.thresholds == THRESHOLDS
    clips = [Recording(path, frozenset()) for path in sorted((sounds.parent / "city" / "rain").iterdir())[:2]]
    heard, unusable = score_recordings(detector, clips)
    assert not unusable and all(((one.confidences > 0) & (one.confidences < 1)).all() for one in heard)
    table = tmp_path / "observations.csv"
    shots = sounds.parent / "city" / "gun_shot"
    own = ("--registry", tmp_path / "ours.toml", "--threshold", "0.01", "--csv", table)
    assert "9 files" in wildpost_models("run", "ours", shots, *own)
    assert ",ours 1," in table.read_text()


def test_a_threshold_given_to_export_counts_for_every_label(
    trained: tuple[Path, str], tmp_path: Path, wildpost_models: Callable[..., str]
) -> None:
    wildpost_models("export", trained[0], "--name", "low", "--threshold", "0.5", "--out", tmp_path)
    assert ThreatSounds(model="low", registry=load_registry(tmp_path / "low.toml")).thresholds["gunshot"] == 0.5


@pytest.mark.parametrize(
    ("more", "said"), [((), "holds a run already"), (("--resume",), "this run is finished: wildpost models export")]
)
def test_a_finished_run_is_neither_begun_nor_resumed(
    trained: tuple[Path, str], sounds: Path, more: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "train", str(sounds), "--out", str(trained[0]), *more]) == 1
    assert said in capsys.readouterr().err


def test_a_run_is_not_resumed_on_other_clips(
    trained: tuple[Path, str], sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(sounds.parent, tmp_path / "sounds")
    next((tmp_path / "sounds" / "city" / "rain").glob("train-*")).unlink()
    other = tmp_path / "sounds" / "sounds.toml"
    assert main(["models", "train", str(other), "--out", str(trained[0]), "--resume"]) == 1
    assert "was trained on clips with sha256" in capsys.readouterr().err
