"""The training commands say in one line what is wrong, also where torch is not installed."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from models.registry import WeightsError, load_registry
from models.train.entry_file import write_entry
from models.train.options import checked_options, read_options, write_options
from models.train.training import find_base, resume, without_false_blanks
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
    assert without_false_blanks(options, YoloFolder(tmp_path, Counter(train=9))) == options
    partly = without_false_blanks(options, YoloFolder(tmp_path, Counter(train=9, partly_known=1)))
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
    facts = msgspec.structs.replace(facts, temperature=1.25, thresholds={"person": 0.4, "bird": 0.1})
    path = write_entry("a.b c", '1"', "ours\\theirs", weights, facts, note="two\nlines")
    entry = load_registry(path)["a.b c"]
    assert (entry.version, entry.licence, entry.note, entry.size) == ('1"', "ours\\theirs", "two\nlines", 3)
    assert entry.vision == facts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "nowhere.jsonl", "--out", "run"], "nowhere.jsonl"),
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
