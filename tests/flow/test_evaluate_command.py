"""`wildpost models evaluate` on real pictures with a real network."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models.vision import VisionDetector


@pytest.fixture
def weights(shared_data: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    shutil.copy(shared_data / "weights/yolox_nano_416_coco.onnx", folder / "yolox_nano.onnx")
    return folder


def evaluate(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wildpost", "models", "evaluate", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_elephants_are_found_and_the_figures_printed_and_drawn(
    shared_data: Path, weights: Path, tmp_path: Path
) -> None:
    source = shared_data / "vision/elephant"
    data = tmp_path / "data"
    for kind, suffix in (("images", ".jpg"), ("labels", ".txt")):
        (data / kind).mkdir(parents=True)
        for path in sorted((source / kind).rglob(f"*{suffix}"))[:12]:
            shutil.copy(path, data / kind)
    (data / "images/cut_off.jpg").write_bytes(b"\xff\xd8\xff")
    (data / "data.yaml").write_text("path: .\ntest: images\nnames: {0: elephant}\n")
    options = ("--class", "elephant=animal", "--folder", weights, "--out", tmp_path / "out", "--false-alarms", "1")

    ended = evaluate("yolox-nano", data, *options, "--json")

    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert result["pictures"] == 12
    assert list(result["unusable"]) == [str(data / "images/cut_off.jpg")]
    assert result["kinds"]["animal"]["ap50"] > 0.5
    assert result["suggested_thresholds"]["animal"].keys() == {"precision 0.9", "1 false alarms in 200 pictures a day"}
    drawn = {path.name: path.read_bytes()[:4] for path in (tmp_path / "out").iterdir()}
    assert drawn == dict.fromkeys(
        ("precision_recall.png", "reliability.png", "worst_misses.png", "worst_false_alarms.png"), b"\x89PNG"
    )

    table = evaluate("yolox-nano", data, *options)
    assert "AP50" in table.stdout
    assert "cut_off.jpg" in table.stdout


def test_pictures_without_boxes_have_no_figures_of_boxes(shared_data: Path, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "data/vehicle").mkdir(parents=True)
    shutil.copy(shared_data / "samples/pictures/vehicle.jpg", tmp_path / "data/vehicle")

    ended = evaluate("yolox-nano", tmp_path / "data", "--folder", weights)

    assert "no labelled boxes to compare with, over 1 pictures\n" in ended.stdout
    assert "mAP50" not in ended.stdout
    assert "calibration" not in ended.stdout


def test_the_threat_network_is_judged_with_the_second_opinion_where_asked(shared_data: Path, tmp_path: Path) -> None:
    samples = shared_data / "samples" / "recordings"
    for label, name in {"gunshot": "gunshot_149177-6-0-0.flac", "none": "rain.ogg"}.items():
        (tmp_path / "site" / label).mkdir(parents=True)
        shutil.copy(samples / name, tmp_path / "site" / label)
    words = ("threat-sounds", tmp_path / "site", "--second-opinion", "--json", "--folder")

    ended = evaluate(*words, shared_data / "weights" / "yamnet")
    refused = evaluate(*words, tmp_path)

    report = json.loads(ended.stdout)
    assert report["model"] == "threat-sounds+yamnet"
    assert report["labels"]["gunshot"]["threshold"] == 0.98
    assert (report["labels"]["gunshot"]["heard_in"], report["labels"]["gunshot"]["false_alarms"]) == (1, 0)
    assert refused.returncode == 1
    assert "wildpost models pull yamnet" in refused.stderr


def test_folders_whose_meaning_is_not_told_are_asked_about_in_one_line(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "data/lynx").mkdir(parents=True)

    ended = evaluate("yolox-nano", tmp_path / "data", "--folder", weights)

    assert ended.returncode == 1
    assert "--class lynx=animal" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_looking_at_many_pictures_gives_them_in_order_with_their_problems(
    shared_data: Path, weights: Path, tmp_path: Path
) -> None:
    from models.factory import open_vision
    from models.vision import detect_in_pictures

    detector: VisionDetector = open_vision("yolox-nano", weights)
    pictures = sorted((shared_data / "vision/elephant").rglob("*.jpg"))[:5]
    paths = [*pictures[:2], tmp_path / "gone.jpg", *pictures[2:]]

    looked = list(detect_in_pictures(detector, paths, workers=3))

    assert [one.path for one in looked] == paths
    assert isinstance(looked[2].problem, FileNotFoundError)
    assert [one.detections for one in looked if not one.problem] == [
        detector.predict([detector.preprocess(path)])[0] for path in pictures
    ]
    with pytest.raises(ValueError, match="workers -1"):
        list(detect_in_pictures(detector, paths, workers=-1))


def test_a_classifier_is_measured_on_folders_named_after_taxa(shared_data: Path, tmp_path: Path) -> None:
    for folder, name in (("赤狐", "renard/8.2 G (39).jpg"), ("Sus scrofa", "sangliers/3.1 D (29).jpg")):
        (tmp_path / "site" / folder).mkdir(parents=True)
        shutil.copy(shared_data / "vision" / "camtrap_jura" / name, tmp_path / "site" / folder)
    (tmp_path / "site" / "blank").mkdir()
    (tmp_path / "site" / "blank" / "cut_off.jpg").write_bytes(b"\xff\xd8\xff")
    place = ("--latitude", "46.5", "--longitude", "6.3")

    ended = evaluate("wildpost-species", tmp_path / "site", *place, "--json")

    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert {name: (one["animals"], one["correct"]) for name, one in result["taxa"].items()} == {
        "Sus scrofa": (1, 1),
        "Vulpes vulpes": (1, 1),
    }
    assert [Path(path).name for path in result["unusable"]] == ["cut_off.jpg"]
    table = evaluate("wildpost-species", tmp_path / "site", *place)
    assert "known taxa: 2 animals" in table.stdout and "cut_off.jpg" in table.stderr
    refused = evaluate("wildpost-species", tmp_path / "site", "--latitude", "46.5")
    assert refused.returncode == 2 and "--latitude and --longitude: expected both or neither" in refused.stderr
