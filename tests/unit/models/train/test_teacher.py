"""A teacher draws only what no person did, only to learn from, and says how much."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from contract import Box, Detection
from models.evaluate.labels import Truth
from models.factory import open_vision
from models.train.manifest import ManifestRow, read_manifest
from models.train.teacher import pseudo_label
from models.vision import VisionDetector, VisionOptions
from wildpost.cli.main import main


@pytest.fixture(scope="module")
def weights(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    shutil.copyfile(shared_data / "weights" / "yolox_nano_416_coco.onnx", folder / "yolox_nano.onnx")
    return folder


@pytest.fixture(scope="module")
def teacher(weights: Path) -> VisionDetector:
    return open_vision("yolox-nano", weights, VisionOptions(threshold=0.2, threads=1))


def entry(path: Path, **more: object) -> ManifestRow:
    fixed = {"path": path, "sha256": "", "width": 1, "height": 1, "split": "train", "licence": "?", "group": 0}
    return ManifestRow(**{**fixed, **more})  # type: ignore[arg-type]


def person(shared_data: Path, teacher: VisionDetector) -> tuple[Path, list[Detection]]:
    """A picture with people that the teacher finds with confidence."""
    for path in sorted((shared_data / "vision" / "person" / "images").iterdir()):
        found = teacher.predict([teacher.preprocess(path)])[0]
        if any(one.observation_type == "human" and one.confidence > 0.6 for one in found):
            return path, found
    raise AssertionError("the teacher finds nobody")


def test_a_picture_labelled_as_a_whole_gets_boxes_of_what_it_shows(shared_data: Path, teacher: VisionDetector) -> None:
    path, found = person(shared_data, teacher)
    whole = entry(path, shows=frozenset({"human"}), known=frozenset({"human"}))
    (taught,), counts = pseudo_label([whole], teacher)
    people = [one.box for one in found if one.observation_type == "human"]
    assert [truth.box for truth in taught.truths if truth.kind == "human"] == people
    assert taught.shows is None and len(taught.known) == 3 and "human" in taught.taught
    assert counts["pictures"] == 1 and counts["boxes"] == len(taught.truths)


def test_what_the_teacher_does_not_find_stays_as_it_was(tmp_path: Path, teacher: VisionDetector) -> None:
    cv2.imwrite(str(tmp_path / "grey.jpg"), np.full((120, 160, 3), 90, np.uint8))
    whole = entry(tmp_path / "grey.jpg", shows=frozenset({"animal"}), known=frozenset({"animal"}))
    assert pseudo_label([whole], teacher) == ([whole], {"not_found": 1})


@pytest.mark.parametrize("split", ["val", "test", "left_out"])
def test_only_training_pictures_are_taught(shared_data: Path, teacher: VisionDetector, split: str) -> None:
    path, _ = person(shared_data, teacher)
    kept = entry(path, shows=frozenset({"human"}), known=frozenset({"human"}), split=split)
    assert pseudo_label([kept], teacher) == ([kept], {})


def test_a_kind_that_a_person_looked_for_is_never_added(shared_data: Path, teacher: VisionDetector) -> None:
    path, _ = person(shared_data, teacher)
    looked_for = entry(path, known=frozenset({"human", "vehicle"}))
    (taught,), _ = pseudo_label([looked_for], teacher)
    assert not any(truth.kind == "human" for truth in taught.truths)
    assert len(taught.known) == 3


def test_a_box_where_a_person_drew_one_is_not_drawn_again(shared_data: Path, teacher: VisionDetector) -> None:
    path, found = person(shared_data, teacher)
    drawn = tuple(Truth("animal", one.box) for one in found if one.box is not None)
    (taught,), counts = pseudo_label([entry(path, truths=drawn, known=frozenset({"animal"}))], teacher)
    assert taught.truths == drawn and counts["boxes"] == 0
    nothing_near = (Truth("animal", Box(0.0, 0.0, 0.01, 0.01)),)
    (taught,), _ = pseudo_label([entry(path, truths=nothing_near, known=frozenset({"animal"}))], teacher)
    assert taught.truths[0] == nothing_near[0] and "human" in taught.taught


def test_a_picture_that_cannot_be_read_is_counted(tmp_path: Path, teacher: VisionDetector) -> None:
    gone = entry(tmp_path / "gone.jpg", known=frozenset({"animal"}))
    assert pseudo_label([gone], teacher) == ([gone], {"unusable": 1})


def test_a_card_sorted_by_hand_can_be_learnt_from(
    shared_data: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = "[sources.jura]\nfolder = '{}'\nform = 'folders'\nlicence = '?'\nsplit = 'train'\n".format(
        shared_data / "vision" / "camtrap_jura"
    )
    settings += "classes = { humain = 'human', chasseur = 'human', vehicule = 'vehicle', '*' = 'animal' }\n"
    (tmp_path / "data.toml").write_text(settings)
    words = ["--out", str(tmp_path / "out"), "--teacher", "yolox-nano", "--folder", str(weights)]
    assert main(["models", "data", str(tmp_path / "data.toml"), *words]) == 0
    assert "yolox-nano added" in capsys.readouterr().out
    entries = read_manifest(tmp_path / "out" / "manifest.jsonl")
    boxed = [one for one in entries if one.truths]
    assert len(boxed) > 60 and all(one.taught for one in boxed)
    assert len([one for one in entries if one.shows]) == len(entries) - len(boxed)
