"""The training commands say in one line what is wrong, also where torch is not installed."""

import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from models.registry import WeightsError, load_registry
from models.train.entry_file import write_entry, write_threat_entry
from models.train.options import checked_options, checked_sound_options, is_sound_run, read_options, write_options
from models.train.threat.sources import BadSources, check_splits, clips_sha256, read_sources
from models.train.training import disable_unsafe_empty_crops, find_base, resume
from models.train.yolo_folder import YoloFolder
from tests.repository import REPOSITORY
from wildpost.cli.main import main


def test_the_networks_of_ultralytics_are_named_and_pinned() -> None:
    registry = load_registry(REPOSITORY / "configs" / "models-ultralytics.toml")
    theirs, ours = registry["yolo11n"], registry["yolox-nano"]
    assert theirs.vision is not None and ours.vision is not None
    assert theirs.vision.classes == ours.vision.classes and theirs.vision.meanings == ours.vision.meanings
    assert theirs.filename.endswith(".pt") and theirs.url is not None and theirs.licence == "AGPL-3.0"


def test_options_come_back_as_they_were_written(tmp_path: Path) -> None:
    options = checked_options({"base": "scratch", "manifest_sha256": "0", "minutes": 5.5, "epochs": 3})
    write_options(options, tmp_path / "run")
    assert read_options(tmp_path / "run") == options


@pytest.mark.parametrize(
    ("more", "words"),
    [({"epochs": 0}, "epochs"), ({"size_px": 100}, "size_px"), ({"batch": -1}, "batch"), ({"minutes": 0.0}, "minutes")],
)
def test_options_outside_their_limits_are_refused(more: dict[str, object], words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        checked_options({"base": "scratch", "manifest_sha256": "0", **more})


def test_no_corner_is_taken_for_empty_where_not_all_kinds_were_looked_for(tmp_path: Path) -> None:
    options = checked_options({"base": "scratch", "manifest_sha256": "0"})
    assert options.shares.empty > 0
    assert disable_unsafe_empty_crops(options, YoloFolder(tmp_path, Counter(train=9))) == options
    partly = disable_unsafe_empty_crops(options, YoloFolder(tmp_path, Counter(train=9, partly_known=1)))
    assert partly.shares.empty == 0 and partly.shares.infrared == options.shares.infrared


def test_a_folder_without_a_run_is_not_taken_up(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="expected the folder of a training run"):
        resume(tmp_path / "manifest.jsonl", tmp_path)


def test_a_base_is_a_model_or_a_file_of_a_kind_that_can_be_trained(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no model 'nobody'"):
        find_base("nobody", tmp_path, load_registry(), tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"weights\.bin: expected a \.pt"):
        find_base(str(tmp_path / "weights.bin"), tmp_path, load_registry(), tmp_path)
    (tmp_path / "mine.pt").write_bytes(b"")
    assert find_base(str(tmp_path / "mine.pt"), tmp_path, load_registry(), tmp_path) == tmp_path / "mine.pt"


def test_a_registry_file_holds_whatever_a_name_has_in_it(tmp_path: Path) -> None:
    weights = tmp_path / 'odd "name".onnx'
    weights.write_bytes(b"abc")
    facts = load_registry()["yolox-nano"].vision
    assert facts is not None
    thresholds, temperatures = {"person": 0.4, "bird": 0.1}, {"dog": 0.5, "traffic light": 2.0}
    facts = msgspec.structs.replace(facts, temperature=1.25, thresholds=thresholds, temperatures=temperatures)
    path = write_entry("a.b c", '1"', "ours\\theirs", weights, facts, note="two\nlines")
    entry = load_registry(path)["a.b c"]
    assert (entry.version, entry.licence, entry.note, entry.size) == ('1"', "ours\\theirs", "two\nlines", 3)
    assert entry.vision == facts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "nowhere.jsonl", "--out", "run"], "nowhere.jsonl"),
        (["train", "nowhere.jsonl", "--out", "run", "--mixtures", "64"], "--mixtures is for sounds"),
        (["train", "nowhere.toml", "--out", "run"], "nowhere.toml: [Errno 2]"),
        (["export", "nowhere", "--name", "a", "--out", "o"], "expected the folder of a training run, or a .pt file"),
        (["data", "nowhere.toml", "--out", "o"], "nowhere.toml"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["models", *words]) == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


SOUNDS = """
[sources.mine]
folder = "mine"
licence = "ours"
name = '(?P<recording>(?P<fold>train|val)/(?P<class>[a-z]+))'
val = ["val"]
classes = { gunshot = "gunshot", chainsaw = "chainsaw", engine = "engine", dog = "dog ?voice", voice = "voice" }
"""


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """A table of sounds and files with the right names; their content is read only once training begins."""
    for label in ("gunshot", "chainsaw", "engine", "dog", "voice"):
        for split in ("train", "val"):
            path = tmp_path / "mine" / split / f"{label}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(label.encode())
    (tmp_path / "sounds.toml").write_text(SOUNDS)
    return tmp_path / "sounds.toml"


@pytest.mark.parametrize(
    ("old", "new", "more", "said"),
    [
        ('folder = "mine"', 'folder = "yours"', (), "yours: no such folder"),
        ('"dog ?voice"', '"wolf"', (), "expected some of gunshot, chainsaw, engine, dog, voice"),
        ("train|val)", "train)", (), "no clip of gunshot in val, chainsaw in val"),
        ('engine = "engine", ', "", (), "no clip of engine in train, engine in val"),
        ("", "", ("--base", "scratch"), "--base is for pictures"),
        ("", "", ("--learning-rate", "0.1"), "--learning-rate is for pictures"),
        ("", "", ("--epochs", "0"), "epochs"),
        ("", "", ("--mixtures", "10"), "mixtures"),
        ("", "", (), "torch is not installed; this needs wildpost[train]"),
    ],
)
def test_a_mistake_in_training_on_sounds_is_said_in_one_line_before_a_clip_is_read(
    sounds: Path,
    old: str,
    new: str,
    more: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # as where it is not installed
    sounds.write_text(sounds.read_text().replace(old, new))
    assert main(["models", "train", str(sounds), "--out", str(sounds.parent / "run"), *more]) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (sounds.parent / "run").exists()


def test_the_clips_of_each_label_and_split_are_counted(sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["models", "train", str(sounds), "--out", str(sounds.parent / "run"), "--mixtures", "1"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["clips", "train", "val", "test"] in lines
    assert ["gunshot", "1", "1", "0"] in lines and ["background", "0", "0", "0"] in lines


def test_a_list_of_clips_has_another_hash_when_a_clip_or_its_label_changes(sounds: Path) -> None:
    listed = read_sources(sounds)
    check_splits(listed)
    found = {clips_sha256(listed), clips_sha256(listed[1:])}
    (sounds.parent / "mine" / "val" / "dog.wav").write_bytes(b"another recording")
    found.add(clips_sha256(read_sources(sounds)))
    sounds.write_text(sounds.read_text().replace("dog ?voice", "dog"))
    found.add(clips_sha256(read_sources(sounds)))
    assert len(found) == 4
    with pytest.raises(BadSources, match="no clip of dog in val"):
        check_splits([one for one in listed if (one.kind, one.split) != ("dog", "val")])


def test_a_run_for_sounds_is_not_exported_before_it_is_finished_nor_with_options_for_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    write_options(checked_sound_options({"clips_sha256": "0", "epochs": 3}), run)
    assert is_sound_run(run) and not is_sound_run(tmp_path)
    words = ["models", "export", str(run), "--name", "a", "--out", str(tmp_path / "o")]
    assert main(words) == 1
    assert "this run is not finished" in capsys.readouterr().err
    assert main([*words, "--as-is"]) == 1
    assert "--as-is is for pictures" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_a_registry_file_of_a_threat_network_holds_its_thresholds(tmp_path: Path) -> None:
    weights = tmp_path / "ours.onnx"
    weights.write_bytes(b"abc")
    entry = load_registry(write_threat_entry("ours", "2", "MIT", weights, {"gunshot": 0.5}, "note"))["ours"]
    assert (entry.kind, entry.version, entry.licence, entry.note) == ("threat", "2", "MIT", "note")
    assert entry.threat is not None and entry.threat.thresholds == {"gunshot": 0.5}
