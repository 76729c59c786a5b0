"""A dataset is split by camera and scene, nothing is dropped in silence, and its report tells what is in it."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.evaluate.labels import BadLabels, read_labels
from models.train.dataset_settings import DatasetSettings, LabelSource, load_dataset
from models.train.label_formats import FORMS
from models.train.manifest import read_manifest, write_manifest
from models.train.near_duplicates import connected_groups, near_duplicate_pairs, picture_hash
from models.train.report import count_by_source, write_report
from models.train.survey import is_grey, survey
from tests.repository import REPOSITORY
from wildpost.cli.main import main


def scene(seed: int, grey: bool = False) -> np.ndarray:
    """A picture of soft blotches, different for every seed."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 1 if grey else 3), dtype=np.uint8)
    pixels = cv2.resize(small, (320, 240), interpolation=cv2.INTER_CUBIC)
    return cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if grey else pixels


def yolo(root: Path, pictures: dict[str, np.ndarray], label: str = "0 0.5 0.5 0.2 0.2\n") -> None:
    for name, pixels in pictures.items():
        for folder in ("images", "labels"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / "images" / f"{name}.jpg"), pixels)
        (root / "labels" / f"{name}.txt").write_text(label)


def settings(place: Path, val: float = 0.2, test: float = 0.2, **sources: LabelSource) -> DatasetSettings:
    return DatasetSettings(sources=sources, val=val, test=test, parent=place)


def source(folder: str, **more: object) -> LabelSource:
    return LabelSource(folder=folder, form="yolo", classes={"0": "animal"}, licence="CC0", **more)  # type: ignore[arg-type]


def test_a_shrunk_brightened_recompressed_picture_is_still_the_same_scene() -> None:
    pixels = scene(1)
    changed = cv2.resize(pixels, (200, 150))
    changed = cv2.convertScaleAbs(changed, alpha=0.9, beta=15)
    jpeg = cv2.imencode(".jpg", changed, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    compressed = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
    hashes = [picture_hash(pixels), picture_hash(compressed), picture_hash(scene(2))]
    assert near_duplicate_pairs(hashes, 8) == [(0, 1)]


def test_pairs_are_found_across_the_blocks_in_which_they_are_looked_for() -> None:
    hashes = [int(value) for value in np.random.default_rng(3).integers(0, 2**63, 700)]
    hashes[5], hashes[650] = 0b111, 0b100
    assert near_duplicate_pairs(hashes, 2) == [(5, 650)]
    assert near_duplicate_pairs(hashes, 1) == []


def test_what_is_joined_by_key_or_likeness_is_one_group() -> None:
    assert connected_groups(["a", "b", "a", "c", "d"], [(1, 3)]) == [0, 1, 0, 1, 4]
    assert connected_groups(["a", "b", "a", "c", "d"], [(1, 2)]) == [0, 0, 0, 3, 4]


def test_a_camera_is_never_in_two_splits(tmp_path: Path) -> None:
    pictures = {f"C{camera:02d}_{shot}": scene(100 * camera + shot) for camera in range(12) for shot in range(5)}
    yolo(tmp_path / "set", pictures)
    found = survey(settings(tmp_path, sorted=source("set", camera=r"(?P<key>C\d+)_")))
    splits: dict[str, set[str]] = {}
    for entry in found.entries:
        splits.setdefault(entry.path.name[:3], set()).add(entry.split)
    assert len(found.entries) == 60
    assert all(len(of_camera) == 1 for of_camera in splits.values())
    assert set.union(*splits.values()) == {"train", "val", "test"}


def test_near_duplicates_are_never_in_two_splits(tmp_path: Path) -> None:
    pictures = {}
    for seed in range(30):
        pictures[f"{seed}_sharp"] = scene(seed)
        pictures[f"{seed}_blurred"] = cv2.GaussianBlur(scene(seed), (0, 0), 2)
    yolo(tmp_path / "set", pictures)
    splits: dict[str, set[str]] = {}
    for entry in survey(settings(tmp_path, one=source("set"))).entries:
        splits.setdefault(entry.path.name.partition("_")[0], set()).add(entry.split)
    assert all(len(of_scene) == 1 for of_scene in splits.values())
    assert len(set.union(*splits.values())) == 3


def test_a_picture_keeps_its_split_when_others_are_added(tmp_path: Path) -> None:
    yolo(tmp_path / "set", {f"a{seed}": scene(seed) for seed in range(20)})
    before = {entry.path.name: entry.split for entry in survey(settings(tmp_path, one=source("set"))).entries}
    yolo(tmp_path / "set", {f"b{seed}": scene(seed) for seed in range(50, 60)})
    after = {entry.path.name: entry.split for entry in survey(settings(tmp_path, one=source("set"))).entries}
    assert len(after) == 30
    assert before.items() <= after.items()


def test_what_is_like_a_left_out_picture_is_not_learnt_from(tmp_path: Path) -> None:
    yolo(tmp_path / "mine", {"copy": cv2.GaussianBlur(scene(1), (0, 0), 2), "other": scene(2)})
    yolo(tmp_path / "held", {"original": scene(1)})
    found = survey(settings(tmp_path, mine=source("mine"), held=source("held", split="left_out")))
    assert {(entry.path.name, entry.split == "left_out") for entry in found.entries} == {
        ("other.jpg", False),
        ("original.jpg", True),
    }
    assert [(one.path.name, one.reason) for one in found.excluded] == [
        ("copy.jpg", "near-duplicate of a picture in a source that is left out")
    ]


def test_every_picture_is_used_or_set_aside_with_a_reason(tmp_path: Path) -> None:
    yolo(tmp_path / "set", {"good": scene(1), "cut": scene(2), "odd": scene(3), "same": scene(1)})
    cut = tmp_path / "set" / "images" / "cut.jpg"
    cut.write_bytes(cut.read_bytes()[:2000])
    (tmp_path / "set" / "labels" / "odd.txt").write_text("0 0.5\n")
    (tmp_path / "set" / "images" / "empty.jpg").write_bytes(b"")
    (tmp_path / "set" / "labels" / "empty.txt").write_text("")
    found = survey(settings(tmp_path, one=source("set")))
    assert [entry.path.name for entry in found.entries] == ["good.jpg"]
    said = {one.path.name: one.reason for one in found.excluded}
    assert "cut off" in said["cut.jpg"] and "odd.txt, line 1" in said["odd.jpg"]
    assert said["empty.jpg"] == "empty file (0 bytes)" and "the same file as" in said["same.jpg"]


def test_a_class_without_a_meaning_is_refused_by_name(tmp_path: Path) -> None:
    yolo(tmp_path / "set", {"a": scene(1)}, "3 0.5 0.5 0.2 0.2\n")
    with pytest.raises(BadLabels, match="source 'one': classes '3' have no meaning"):
        survey(settings(tmp_path, one=source("set")))


def test_infrared_is_told_from_colours(tmp_path: Path) -> None:
    assert is_grey(scene(1, grey=True)) and not is_grey(scene(1))
    yolo(tmp_path / "set", {"night": scene(1, grey=True), "day": scene(2)})
    found = survey(settings(tmp_path, one=source("set")))
    assert {entry.path.name: entry.night for entry in found.entries} == {"night.jpg": True, "day.jpg": False}


def test_an_empty_scene_is_empty_of_all_kinds_and_an_ignored_class_leaves_no_box(tmp_path: Path) -> None:
    yolo(tmp_path / "set", {"chair": scene(1)}, "1 0.5 0.5 0.2 0.2\n")
    for folder, seed in (("blank", 2), ("fox", 3), ("odd", 4)):
        (tmp_path / "card" / folder).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "card" / folder / "p.jpg"), scene(seed))
    named = LabelSource(folder="set", form="yolo", classes={"0": "human", "1": "ignore"}, licence="?")
    meanings = {"blank": "blank", "fox": "animal", "odd": "ignore"}
    card = LabelSource(folder="card", form="folders", classes=meanings, licence="?")  # type: ignore[arg-type]
    found = survey(settings(tmp_path, set=named, card=card))
    said = {(entry.source, entry.path.parent.name): (entry.shows, sorted(entry.known)) for entry in found.entries}
    assert said == {
        ("set", "images"): (None, ["human"]),
        ("card", "blank"): (None, ["animal", "human", "vehicle"]),
        ("card", "fox"): (frozenset({"animal"}), ["animal"]),
    }
    assert [one.reason for one in found.excluded] == ["its class odd is to be ignored"]


def test_a_manifest_comes_back_as_it_was_written_and_evaluation_reads_it(tmp_path: Path) -> None:
    yolo(tmp_path / "set", {f"p{seed}": scene(seed) for seed in range(6)})
    found = survey(settings(tmp_path, one=source("set")))
    path = tmp_path / "out" / "manifest.jsonl"
    path.parent.mkdir()
    write_manifest(found.entries, path)
    again = read_manifest(path)
    assert [entry.path.resolve() for entry in again] == [entry.path.resolve() for entry in found.entries]
    assert [(one.sha256, one.truths, one.split, one.known) for one in again] == [
        (one.sha256, one.truths, one.split, one.known) for one in found.entries
    ]
    assert [one.truths for one in read_labels(path)] == [one.truths for one in found.entries]


def test_a_broken_manifest_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"path": 3}\n')
    with pytest.raises(BadLabels, match=r"m\.jsonl, line 1"):
        read_manifest(tmp_path / "m.jsonl")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "sources"),
        (
            "val = 0.6\ntest = 0.5\n[sources.a]\nfolder='a'\nform='yolo'\nclasses={0='animal'}\nlicence='?'",
            "less than 1",
        ),
        ("[sources.a]\nfolder='a'\nform='excel'\nclasses={0='animal'}\nlicence='?'", "excel"),
        ("[sources.a]\nfolder='a'\nform='yolo'\nclasses={0='animal'}\nlicence='?'\ncamera='('", "regular expression"),
        ("[sources.a]\nfolder='a'\nform='yolo'\nclasses={0='tiger'}\nlicence='?'", "tiger"),
    ],
)
def test_a_dataset_file_says_what_is_wrong_with_it(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "d.toml").write_text(text)
    with pytest.raises(BadLabels, match=words):
        load_dataset(tmp_path / "d.toml")


def test_the_example_is_a_dataset_file_with_every_form() -> None:
    example = load_dataset(REPOSITORY / "configs" / "dataset.toml")
    assert sorted(one.form for one in example.sources.values()) == sorted(FORMS)


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadLabels, match="nowhere: no such folder"):
        survey(settings(tmp_path, one=source("nowhere")))


def test_the_command_writes_manifest_report_and_what_was_set_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    yolo(tmp_path / "set", {f"p{seed}": scene(seed) for seed in range(10)})
    (tmp_path / "set" / "labels" / "p3.txt").unlink()
    (tmp_path / "data.toml").write_text(
        "[sources.mine]\nfolder = 'set'\nform = 'yolo'\nclasses = { 0 = 'animal' }\nlicence = 'A & B'\n"
    )
    out = tmp_path / "out"
    assert main(["models", "data", str(tmp_path / "data.toml"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "set aside: 1" in said and "train: " in said
    assert len(read_manifest(out / "manifest.jsonl")) == 9
    with (out / "aside.csv").open() as file:
        assert [line["source"] for line in csv.DictReader(file)] == ["mine"]
    page = (out / "report.html").read_text()
    assert "A &amp; B" in page and "p3.jpg" in page and 'src="sheet_01.jpg"' in page
    sheet = cv2.imread(str(out / "sheet_01.jpg"))
    assert sheet is not None and sheet.shape == (400, 1200, 3)


def test_real_pictures_make_a_dataset_that_counts_them_all(shared_data: Path, tmp_path: Path) -> None:
    found = survey(
        settings(
            shared_data / "vision",
            tiger=source("tiger", camera=r"(?P<key>[^/]+?)_(jpg|jpeg|png)\.rf\."),
            raccoon=LabelSource(
                folder="raccoon_voc", form="voc", classes={"raccoon": "animal"}, licence="MIT", split="left_out"
            ),
        )
    )
    assert len(found.entries) + len(found.excluded) == 500
    counted = count_by_source(found.entries)
    assert counted["raccoon"]["animal"] > 200 and counted["tiger"]["infrared"] > 20
    assert {entry.split for entry in found.entries if entry.source == "raccoon"} == {"left_out"}
    assert write_report(found, tmp_path).is_file()
